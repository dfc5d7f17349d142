"""Divergence from the model before unlearning."""

from __future__ import annotations

from torch import Tensor, nn

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, first, present, token_mean


@loss(formula="mean KL(ref_t || p_t)", source="arXiv 2502.12520", needs=Need.LOGITS | Need.REFERENCE)
def kl(stream: StreamOutput) -> Tensor:
    """KL(reference || model) over the vocabulary, a mean over the answer's tokens: one value per row [batch], in nats.

    The retain term of `kl` in arXiv 2502.12520. Prompt, picture and padding have no part in the mean. It is 0 where the
    model is as it was.
    """
    return token_mean(_divergence(stream), stream.mask)


@loss(
    formula="mean KL(ref_t || p_t); the first token counts first_token_weight times",
    source="arXiv 2406.05946",
    needs=Need.LOGITS | Need.REFERENCE,
    positive=("first_token_weight",),
)
def anchor(stream: StreamOutput, *, first_token_weight: float = 1.0) -> Tensor:
    """`kl` with the first token of the answer counted that many times: one value per row [batch], in nats.

    On decoupled rows it keeps what the model said about the safe picture before unlearning, most of all in the token
    in which refusing or answering is decided (arXiv 2406.05946 weighs the first tokens of a divergence too).
    """
    weights = 1 + (first_token_weight - 1) * first(stream.mask)[stream.mask]
    return token_mean(weights * _divergence(stream), stream.mask) / token_mean(weights, stream.mask)


def _divergence(stream: StreamOutput) -> Tensor:
    """KL(reference || model) at each answer token [tokens]."""
    reference = present(present(stream.reference).logits).log_softmax(-1)
    model = present(stream.logits).log_softmax(-1)
    return nn.functional.kl_div(model, reference, reduction="none", log_target=True).sum(-1)
