"""Distillation from the model itself without the harmful token."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, answer_mean, present


@loss(
    formula="mean CE(softmax(z with z[y_t] = -inf), p_t) after skip tokens, without gradient through the softmax",
    source="arXiv 2503.01224",
    needs=Need.LOGITS,
)
def ceu(forget: StreamOutput, *, skip: int = 1) -> Tensor:
    """Cross-entropy unlearning (arXiv 2503.01224): one value per row [batch], in nats.

    The cross-entropy of the model with its own prediction, had the answer's token been impossible; that prediction has
    no gradient. A mean over the answer's tokens. Equals H(target) - log(1 - p_t), whose gradient stays small where p_t
    is small. The paper leaves out the answer's first token (`skip` 1), which a normal answer may begin with as well; an
    answer that has no more tokens than that keeps them all.
    """
    logits = present(forget.logits)
    without = logits.detach().scatter(1, present(forget.ids)[:, None], -torch.inf).softmax(-1)
    values = torch.zeros(forget.mask.shape, dtype=logits.dtype, device=logits.device)
    values = values.masked_scatter(forget.mask, cross_entropy(logits, without, reduction="none"))
    late = forget.mask & (forget.mask.cumsum(dim=1) > skip)
    return answer_mean(values, torch.where(late.any(dim=1, keepdim=True), late, forget.mask))
