"""Conditional preference: the same refusal, about the harmful picture rather than about the safe one."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, log_ratio


@loss(
    formula=(
        "-(2/beta) [log sigmoid(beta (R(refusal) - R(overrefusal))) + log sigmoid(beta R(refusal) - delta)], "
        "R = sum log(p_t / ref_t)"
    ),
    source="arXiv 2406.11839",
    needs=Need.REFERENCE,
    positive=("beta",),
)
def mdpo(refusal: StreamOutput, overrefusal: StreamOutput, *, beta: float = 0.1, delta: float = 0.0) -> Tensor:
    """Conditional preference with its reward anchor (mDPO, arXiv 2406.11839): one value per row [batch], in nats.

    Question and refusal are equal on both sides and only the picture differs, so that the picture has to decide. The
    anchor keeps the refusal of the harmful picture from falling with the other one: it is to become likelier than
    before unlearning, by `delta`. Scaled by 2 / beta, as `dpo` is. Equals 4 ln 2 / beta where the model is as it was
    and delta is 0.
    """
    preferred = logsigmoid(beta * (log_ratio(refusal) - log_ratio(overrefusal)))
    return -2 / beta * (preferred + logsigmoid(beta * log_ratio(refusal) - delta))
