"""Direct preference for a refusal over the harmful answer."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, log_ratio


@loss(
    formula="-(2/beta) log sigmoid(beta (R(refusal) - R(forget))), R = sum log(p_t / ref_t)",
    source="arXiv 2305.18290, 2401.06121",
    needs=Need.REFERENCE,
    positive=("beta",),
)
def dpo(refusal: StreamOutput, forget: StreamOutput, *, beta: float = 0.1) -> Tensor:
    """Direct preference optimisation (arXiv 2305.18290; for unlearning 2401.06121): one value per row [batch], in nats.

    Prefers a refusal to the harmful answer of the same question. Equals 2 ln 2 / beta where the model is as it was; a
    larger `beta` keeps it nearer to that.
    """
    return -2 / beta * logsigmoid(beta * (log_ratio(refusal) - log_ratio(forget)))
