"""What a loss sees of one stream of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class StreamOutput:
    """The model's log-probabilities of the answers of one stream, one row per training row.

    `logprobs` [batch, time], in nats: log p(answer token | everything before it). `mask` [batch, time], bool: True on
    the answer's tokens, end of turn included. Where the mask is False, `logprobs` means nothing and has no effect.
    """

    logprobs: Tensor
    mask: Tensor


def first(mask: Tensor) -> Tensor:
    """The first answer token of each row, bool like `mask`: the token in which refusing or answering is decided."""
    return mask & (mask.cumsum(dim=1) == 1)
