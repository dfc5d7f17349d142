"""Misdirection of representations: harmful ones towards a random direction, the rest kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, present, token_mean


@loss(
    formula="mean (h - c u)^2, h behind decoder layer number layer, u a random direction of the seed",
    source="arXiv 2403.03218",
    needs=Need.HIDDEN,
)
def rmu(forget: StreamOutput, *, layer: int = 7, c: float = 2.0, seed: int = 0) -> Tensor:
    """Mean squared distance of hidden states from `c` times a random direction: one value per row [batch].

    Representation misdirection (arXiv 2403.03218), a mean over the answer's tokens and the width of decoder layer
    `layer`, counted from 0, at the positions where those tokens are predicted. The direction is the same all through a
    run: see `direction`.
    """
    hidden = forget.hidden[layer]
    target = c * direction(hidden.shape[-1], int(seed)).to(hidden)
    return token_mean((hidden - target).square().mean(-1), forget.mask)


@loss(
    formula="mean (h - h_ref)^2, h behind decoder layer number layer",
    source="arXiv 2403.03218",
    needs=Need.HIDDEN | Need.REFERENCE,
)
def rmu_retain(retain: StreamOutput, *, layer: int = 7) -> Tensor:
    """Mean squared distance of hidden states from those before unlearning: one value per row [batch].

    The mean is the same as in `rmu` (arXiv 2403.03218). It is 0 where the model is as it was.
    """
    change = retain.hidden[layer] - present(retain.reference).hidden[layer]
    return token_mean(change.square().mean(-1), retain.mask)


def direction(width: int, seed: int) -> Tensor:
    """A random unit vector [width], the same for the same seed: uniform in [0, 1) before it is normalised.

    So it is in all public code of arXiv 2403.03218, the authors' included. All its entries are positive: it points into
    one orthant, near the diagonal, and is not uniform over directions.
    """
    drawn = torch.rand(width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return nn.functional.normalize(drawn, dim=0)
