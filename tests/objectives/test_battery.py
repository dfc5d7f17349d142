"""What holds of every loss: the mask, padding, batches, and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from safeeraser.objectives import Loss, StreamOutput, about, names, nll, presets
from safeeraser.objectives.ceu import ceu
from safeeraser.objectives.decide import decide
from safeeraser.objectives.dpo import dpo
from safeeraser.objectives.ga import ga
from safeeraser.objectives.kl import anchor, kl
from safeeraser.objectives.loss import option_defaults
from safeeraser.objectives.mdpo import mdpo
from safeeraser.objectives.nll import plain_nll
from safeeraser.objectives.npo import npo
from safeeraser.objectives.pdu import pdu
from safeeraser.objectives.rmu import rmu, rmu_retain
from safeeraser.objectives.satimp import satimp
from safeeraser.objectives.simnpo import simnpo
from safeeraser.objectives.undial import undial
from safeeraser.objectives.wga import wga
from tests.objectives.streams import LAYER, MASK, TOKENS, VOCABULARY, WIDTH, drawn, normal, stream

SMOOTH = [nll, plain_nll, ga, kl, anchor, dpo, npo, simnpo, rmu, rmu_retain, undial, pdu, mdpo, decide]
DETACHED = [wga, satimp, ceu]  # some of their values count as constants, so finite differences say another thing
LOSSES = SMOOTH + DETACHED
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


def streams(loss: Loss) -> list[StreamOutput]:
    return [drawn(10 * number) for number in range(2 if loss in (dpo, mdpo) else 1)]


def test_every_loss_of_the_table_is_tested() -> None:
    assert {term.loss for name in names() for each in presets(name).values() for term in each.terms} == set(LOSSES)


@every_loss
def test_one_value_per_row(loss: Loss) -> None:
    values = loss(*streams(loss))
    assert values.shape == (3,)
    assert values.dtype == torch.float64
    assert values.isfinite().all()


@every_loss
def test_what_is_outside_the_mask_has_no_effect_and_no_gradient(loss: Loss) -> None:
    given = streams(loss)
    leaves = [
        torch.where(each.mask, each.logprobs, torch.tensor([torch.nan, -torch.inf, 5.0])[:, None]).requires_grad_(True)
        for each in given
    ]
    values = loss(*(replace(each, logprobs=leaf) for each, leaf in zip(given, leaves, strict=True)))
    torch.testing.assert_close(values, loss(*given))
    if values.requires_grad:  # a loss that reads log-probabilities
        values.sum().backward()
        assert all(torch.equal(leaf.grad != 0, MASK) for leaf in leaves if leaf.grad is not None)


@every_loss
def test_padding_has_no_effect(loss: Loss) -> None:
    wider = [_padded(each) for each in streams(loss)]
    torch.testing.assert_close(loss(*wider), loss(*streams(loss)))


@every_loss
def test_a_row_is_the_same_in_any_batch(loss: Loss) -> None:
    together = loss(*streams(loss))
    for row in range(3):
        alone = loss(*(_row(each, row) for each in streams(loss)))
        torch.testing.assert_close(alone, together[row : row + 1])


@pytest.mark.parametrize("loss", SMOOTH, ids=lambda loss: loss.__name__)
def test_gradient(loss: Loss) -> None:
    _gradcheck(loss)


def test_gradient_where_the_weights_are_constant() -> None:
    _gradcheck(wga, beta=0.0)
    _gradcheck(satimp, beta1=0.0, beta2=0.0)


@every_loss
def test_the_reference_is_only_read_where_it_is_declared(loss: Loss) -> None:
    needs = about(loss).needs
    bare = [_declared(each, str(needs)) for each in streams(loss)]
    torch.testing.assert_close(loss(*bare), loss(*streams(loss)))


@every_loss
def test_formula_and_source_are_told(loss: Loss) -> None:
    told = about(loss)
    assert "arXiv" in told.source
    assert told.source.split(",")[0] in (loss.__doc__ or "")
    assert all(name in told.formula for name in option_defaults(loss) if name != "seed")


def _gradcheck(loss: Loss, **options: float) -> None:
    """Finite differences in the logits and hidden states of every stream."""
    given = streams(loss)

    def value(*leaves: Tensor) -> Tensor:
        pairs = zip(given, leaves[::2], leaves[1::2], strict=True)
        made = [
            replace(stream(logits, each.ids, each.mask, hidden, each.reference), rival=each.rival)
            for each, logits, hidden in pairs
        ]
        return loss(*made, **options)

    leaves = [
        leaf.requires_grad_(True)
        for number in range(len(given))
        for leaf in (normal(TOKENS, VOCABULARY, seed=90 + number), normal(TOKENS, WIDTH, seed=95 + number))
    ]
    assert torch.autograd.gradcheck(value, leaves)


def _padded(each: StreamOutput) -> StreamOutput:
    def pad(values: Tensor) -> Tensor:
        return torch.nn.functional.pad(values, (0, 2))

    reference = each.reference and _padded(each.reference)
    return replace(each, logprobs=pad(each.logprobs), mask=pad(each.mask), reference=reference)


def _row(each: StreamOutput, row: int) -> StreamOutput:
    owner = MASK.nonzero()[:, 0] == row
    return StreamOutput(
        each.logprobs[row : row + 1],
        each.mask[row : row + 1],
        each.logits[owner],
        each.ids[owner],
        {LAYER: each.hidden[LAYER][owner]},
        each.reference and _row(each.reference, row),
        None if each.rival is None else each.rival[row : row + 1],
    )


def _declared(each: StreamOutput, needs: str) -> StreamOutput:
    """The stream with no more in it than these needs name."""
    whole = "LOGITS" in needs
    return StreamOutput(
        each.logprobs,
        each.mask,
        logits=each.logits if whole else None,
        ids=each.ids if whole else None,
        hidden=each.hidden if "HIDDEN" in needs else {},
        reference=_declared(each.reference, needs) if each.reference and "REFERENCE" in needs else None,
        rival=each.rival if "RIVAL" in needs else None,
    )
