"""Gradient ascent that lets go of tokens that are unlikely already."""

from __future__ import annotations

import torch
from torch import Tensor

from safeeraser.objectives.loss import loss
from safeeraser.objectives.stream import StreamOutput, answer_mean


@loss(formula="mean p_t^beta log p_t, without gradient through p_t^beta", source="arXiv 2502.19301")
def wga(forget: StreamOutput, *, beta: float = 1.0) -> Tensor:
    """Weighted gradient ascent (arXiv 2502.19301): one value per row [batch], in nats.

    Each token counts with its probability to the power of `beta`, a weight without gradient, in a mean over the
    answer's tokens. With `beta` 0 it is `ga`.
    """
    logprobs = torch.where(forget.mask, forget.logprobs, 0.0)
    weights = (beta * logprobs.detach()).exp()
    return answer_mean(weights * logprobs, forget.mask)
