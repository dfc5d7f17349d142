"""What a loss sees of one stream of a batch, and what several losses make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class StreamOutput:
    """The model's log-probabilities of the answers of one stream, one row per training row.

    `logprobs` [batch, time], in nats: log p(answer token | everything before it). `mask` [batch, time], bool: True on
    the answer's tokens, end of turn included. Where the mask is False, `logprobs` means nothing and has no effect.

    The rest is there where a loss needs it (see `loss.Need`), one entry for each answer token, row after row, as in
    `logprobs[mask]`: `logits` [tokens, vocabulary] from which the token is predicted, `ids` [tokens] which one it is,
    and `hidden`, by decoder layer, [tokens, width] where it is predicted. `rival` [batch] is the first token of what
    the answer is to be preferred to: of the harmful answer for a refusal, of the refusal for a decoupled answer.
    `reference` is the same stream seen by the model before unlearning, without gradient.
    """

    logprobs: Tensor
    mask: Tensor
    logits: Tensor | None = None
    ids: Tensor | None = None
    hidden: Mapping[int, Tensor] = field(default_factory=dict)
    reference: StreamOutput | None = None
    rival: Tensor | None = None


def present(value: _Value | None) -> _Value:
    """A part of a stream that the loss has declared as a need. Raises TypeError where it has not."""
    if value is None:
        raise TypeError("a loss reads what it has not declared: name it in @loss(needs=...)")
    return value


def first(mask: Tensor) -> Tensor:
    """The first answer token of each row, bool like `mask`: the token in which refusing or answering is decided."""
    return mask & (mask.cumsum(dim=1) == 1)


def answer_sum(values: Tensor, mask: Tensor) -> Tensor:
    """The sum over each row's answer [batch], of values [batch, time]."""
    return torch.where(mask, values, 0.0).sum(dim=1)


def answer_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over each row's answer [batch], of values [batch, time]."""
    return answer_sum(values, mask) / mask.sum(dim=1)


def token_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over each row's answer [batch], of values [tokens], one for each answer token, row after row."""
    empty = torch.zeros(mask.shape, dtype=values.dtype, device=values.device)
    return answer_mean(empty.masked_scatter(mask, values), mask)


def log_ratio(stream: StreamOutput) -> Tensor:
    """log(p(answer) / p_ref(answer)) [batch], in nats: how much likelier the answer is than before unlearning."""
    return answer_sum(stream.logprobs - present(stream.reference).logprobs, stream.mask)
