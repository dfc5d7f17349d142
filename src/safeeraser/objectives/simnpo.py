"""Negative preference for the harmful answer without a reference."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from safeeraser.objectives.loss import loss
from safeeraser.objectives.stream import StreamOutput, answer_mean


@loss(
    formula="-(2/beta) log sigmoid(beta (-mean log p_t - delta))",
    source="arXiv 2410.07163",
    positive=("beta",),
)
def simnpo(forget: StreamOutput, *, beta: float = 4.5, delta: float = 0.0) -> Tensor:
    """Simple negative preference optimisation (arXiv 2410.07163): one value per row [batch], in nats.

    `delta`, in nats a token, is how unlikely the answer should be before the pressure falls off. As `beta` -> 0 the
    gradient tends to that of gradient ascent (`ga`).
    """
    return -2 / beta * logsigmoid(beta * (-answer_mean(forget.logprobs, forget.mask) - delta))
