"""Losses whose weights or targets have no gradient: at their defaults their gradient is that of another function, of
which finite differences can be taken.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from safeeraser.objectives import Loss
from safeeraser.objectives.ceu import ceu
from safeeraser.objectives.satimp import satimp
from safeeraser.objectives.stream import token_mean
from safeeraser.objectives.wga import wga
from tests.objectives.streams import TOKENS, VOCABULARY, drawn, normal, stream

GIVEN = drawn(0)
PRIMITIVES: dict[Loss, Callable[[Tensor], Tensor]] = {
    wga: lambda p: p,  # the weight p, integrated over log p
    satimp: lambda p: p**5 / 5 - p**6 / 6,  # the weight p^5 (1 - p)
    ceu: lambda p: -(1 - p).log(),  # softmax without the answer's token is p / (1 - p_t)
}


@pytest.mark.parametrize("loss", PRIMITIVES, ids=lambda loss: loss.__name__)
def test_gradient(loss: Loss) -> None:
    def primitive(logits: Tensor) -> Tensor:
        chosen = logits.softmax(-1).gather(1, GIVEN.ids[:, None])[:, 0]
        return token_mean(PRIMITIVES[loss](chosen), GIVEN.mask)

    def value(logits: Tensor) -> Tensor:
        options = {"skip": 0} if loss is ceu else {}  # every token counts, as in `primitive`
        return loss(stream(logits, GIVEN.ids, GIVEN.mask, GIVEN.hidden, GIVEN.reference), **options)

    leaf = normal(TOKENS, VOCABULARY, seed=90).requires_grad_(True)
    assert torch.autograd.gradcheck(primitive, leaf)
    wanted, found = (torch.autograd.grad(each(leaf).sum(), leaf)[0] for each in (primitive, value))
    torch.testing.assert_close(found, wanted)
