"""Negative preference for the harmful answer."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, log_ratio


@loss(
    formula="-(2/beta) log sigmoid(-beta R), R = sum log(p_t / ref_t)",
    source="arXiv 2404.05868",
    needs=Need.REFERENCE,
    positive=("beta",),
)
def npo(forget: StreamOutput, *, beta: float = 0.1) -> Tensor:
    """Negative preference optimisation (arXiv 2404.05868): one value per row [batch], in nats.

    Equals 2 ln 2 / beta where the model is as it was, and is bounded below by 0. As `beta` -> 0 its gradient tends to
    that of the answer's summed log-likelihood: gradient ascent.
    """
    return -2 / beta * logsigmoid(-beta * log_ratio(forget))
