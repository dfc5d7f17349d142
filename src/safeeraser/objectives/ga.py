"""Gradient ascent on the harmful answer."""

from __future__ import annotations

from torch import Tensor

from safeeraser.objectives.loss import loss
from safeeraser.objectives.stream import StreamOutput, answer_mean


@loss(formula="mean log p_t", source="arXiv 2502.12520")
def ga(forget: StreamOutput) -> Tensor:
    """Minus the mean token negative log-likelihood (arXiv 2502.12520): one value per row [batch], in nats.

    It has no lower bound: trained for long, the model becomes unable to say anything.
    """
    return answer_mean(forget.logprobs, forget.mask)
