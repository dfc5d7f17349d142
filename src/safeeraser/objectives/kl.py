"""Divergence from the model before unlearning."""

from __future__ import annotations

from torch import Tensor, nn

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, present, token_mean


@loss(formula="mean KL(ref_t || p_t)", source="arXiv 2502.12520", needs=Need.LOGITS | Need.REFERENCE)
def kl(stream: StreamOutput) -> Tensor:
    """KL(reference || model) over the vocabulary, a mean over the answer's tokens: one value per row [batch], in nats.

    The retain term of `kl` in arXiv 2502.12520. Prompt, picture and padding have no part in the mean. It is 0 where the
    model is as it was.
    """
    reference = present(present(stream.reference).logits).log_softmax(-1)
    model = present(stream.logits).log_softmax(-1)
    divergence = nn.functional.kl_div(model, reference, reduction="none", log_target=True).sum(-1)
    return token_mean(divergence, stream.mask)
