"""Self-distillation from the model before unlearning with the harmful token's logit lowered."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, present, token_mean


@loss(
    formula="mean CE(softmax(z_ref - beta 1[y_t]), p_t)",
    source="arXiv 2402.10052",
    needs=Need.LOGITS | Need.REFERENCE,
)
def undial(forget: StreamOutput, *, beta: float = 10.0) -> Tensor:
    """Unlearning by self-distillation on adjusted logits (arXiv 2402.10052): one value per row [batch], in nats.

    The cross-entropy of the model with the softmax of the reference's logits, of which the answer token's is lowered by
    `beta`; a mean over the answer's tokens. With `beta` 0 it holds the model where it was.
    """
    reference = present(present(forget.reference).logits)
    lowered = reference - beta * one_hot(present(forget.ids), reference.shape[-1]).to(reference.dtype)
    values = cross_entropy(present(forget.logits), lowered.softmax(-1), reduction="none")
    return token_mean(values, forget.mask)
