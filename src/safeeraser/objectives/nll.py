"""Negative log-likelihood of the answer."""

from __future__ import annotations

import torch
from torch import Tensor

from safeeraser.objectives.loss import loss
from safeeraser.objectives.stream import StreamOutput, first


@loss(
    formula="-mean log p_t; the first token counts first_token_weight times",
    source="arXiv 2502.12520",
    positive=("first_token_weight",),
)
def nll(*streams: StreamOutput, first_token_weight: float = 1.0) -> Tensor:
    """Mean token negative log-likelihood (arXiv 2502.12520): one value per row [batch], in nats.

    With several streams it is one mean over the tokens of all of them. `first_token_weight` counts the first token of
    each answer that many times in the mean: whether the model refuses is decided there, and a mean over a long answer
    hides it. 1 is the plain mean. Positions outside the answer mask have no effect.
    """
    weights = torch.cat([stream.mask + (first_token_weight - 1.0) * first(stream.mask) for stream in streams], dim=1)
    losses = torch.cat([torch.where(stream.mask, -stream.logprobs, 0.0) for stream in streams], dim=1)
    return (weights * losses).sum(dim=1) / weights.sum(dim=1)


@loss(formula="-mean log p_t", source="arXiv 2502.12520")
def plain_nll(*streams: StreamOutput) -> Tensor:
    """`nll` with every token counted once (arXiv 2502.12520), for streams whose first token decides nothing."""
    return nll(*streams)
