"""Flat predictions on harmful answers, under a bound on the retain loss."""

from __future__ import annotations

from torch import Tensor

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, present, token_mean


@loss(formula="mean (max z - mean z)^2", source="arXiv 2506.05314", needs=Need.LOGITS)
def pdu(forget: StreamOutput) -> Tensor:
    """The forget loss of primal-dual unlearning (arXiv 2506.05314): one value per row [batch].

    The squared distance of the largest logit from the mean logit, in a mean over the answer's tokens: 0 where every
    token of the vocabulary is equally likely. The retain term that goes with it is bounded: see `method.Bound`.
    """
    logits = present(forget.logits)
    return token_mean((logits.max(dim=-1).values - logits.mean(dim=-1)).square(), forget.mask)
