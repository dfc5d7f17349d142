"""Gradient ascent on the tokens that are still likely, but not certain."""

from __future__ import annotations

import torch
from torch import Tensor

from safeeraser.objectives.loss import loss
from safeeraser.objectives.stream import StreamOutput, answer_mean


@loss(
    formula="mean p_t^beta1 (1 - p_t)^beta2 log p_t, without gradient through the weights",
    source="arXiv 2505.11953",
)
def satimp(forget: StreamOutput, *, beta1: float = 5.0, beta2: float = 1.0) -> Tensor:
    """Saturation and importance weighted gradient ascent (arXiv 2505.11953): one value per row [batch], in nats.

    `beta1` lets go of tokens that are unlikely already, `beta2` of those that are certain; the weights have no
    gradient. With `beta2` 0 it is `wga`, with both 0 `ga`.
    """
    logprobs = torch.where(forget.mask, forget.logprobs, 0.0)
    known = logprobs.detach()
    weights = (beta1 * known).exp() * (-known.expm1()) ** beta2
    return answer_mean(weights * logprobs, forget.mask)
