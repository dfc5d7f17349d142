"""kl, undial, ceu and pdu, which read whole distributions, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
import torch
from torch import Tensor

from safeeraser.objectives import StreamOutput, nll
from safeeraser.objectives.ceu import ceu
from safeeraser.objectives.kl import anchor, kl
from safeeraser.objectives.pdu import pdu
from safeeraser.objectives.undial import undial
from tests.objectives.streams import MASK, drawn, stream

NOW = [[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]
BEFORE = [[0.25, 0.25, 0.5], [0.2, 0.2, 0.6]]


def predicted(now: list[list[float]], before: list[list[float]] | None = None) -> StreamOutput:
    """One row of two tokens, the first and the last of a vocabulary of three, predicted with these probabilities."""
    ids, mask = torch.tensor([0, 2]), torch.tensor([[False, True, True]])
    given = [None if each is None else torch.tensor(each, dtype=torch.float64).log() for each in (now, before)]
    reference = None if given[1] is None else stream(given[1], ids, mask)
    return stream(given[0].requires_grad_(True), ids, mask, reference=reference)


def entropy(distribution: Tensor) -> Tensor:
    return -(distribution * distribution.log()).sum(-1)


def test_kl_by_hand() -> None:
    first = 0.25 * log(0.25 / 0.5) + 0.5 * log(0.5 / 0.25)
    assert kl(predicted(NOW, BEFORE)).item() == pytest.approx((first + 0) / 2)


def test_anchor_counts_the_first_token_so_many_times() -> None:
    first = kl(predicted(NOW, BEFORE)).item() * 2
    assert anchor(predicted(NOW, BEFORE), first_token_weight=3.0).item() == pytest.approx((3 * first + 0) / 4)
    assert anchor(predicted(NOW, BEFORE)).item() == pytest.approx(kl(predicted(NOW, BEFORE)).item())


def test_kl_is_from_the_reference_to_the_model() -> None:
    sure = [[0.98, 0.01, 0.01], [0.2, 0.2, 0.6]]
    there, back = kl(predicted(sure, BEFORE)).item(), kl(predicted(BEFORE, sure)).item()
    expected = 0.25 * log(0.25 / 0.98) + 0.25 * log(25) + 0.5 * log(50)
    assert there == pytest.approx(expected / 2)
    assert back != pytest.approx(there, rel=0.1)


def test_kl_is_nothing_where_the_model_is_as_it_was() -> None:
    start = replace(drawn(0), reference=drawn(0))
    logits = start.logits.clone().requires_grad_(True)
    values = kl(replace(start, logits=logits))
    assert values.tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    values.sum().backward()
    assert logits.grad.abs().max() < 1e-12


def test_undial_by_hand() -> None:
    weights = torch.tensor([0.25 * exp(-10), 0.25, 0.5], dtype=torch.float64)
    first = -(weights / weights.sum() * torch.tensor(NOW[0], dtype=torch.float64).log()).sum()
    weights = torch.tensor([0.2, 0.2, 0.6 * exp(-10)], dtype=torch.float64)
    second = -(weights / weights.sum() * torch.tensor(NOW[1], dtype=torch.float64).log()).sum()
    assert undial(predicted(NOW, BEFORE)).item() == pytest.approx(((first + second) / 2).item())


def test_undial_without_adjustment_holds_the_model_where_it_was() -> None:
    start = replace(drawn(0), reference=drawn(0))
    logits = start.logits.clone().requires_grad_(True)
    values = undial(replace(start, logits=logits), beta=0.0)
    torch.testing.assert_close(values, _row_means(entropy(start.logits.softmax(-1))))
    values.sum().backward()
    assert logits.grad.abs().max() < 1e-12
    torch.testing.assert_close(undial(drawn(0), beta=0.0) - kl(drawn(0)), _reference_entropy(drawn(0)))


def test_ceu_by_hand() -> None:
    first = -0.5 * (log(0.25) + log(0.25))
    second = -0.5 * (log(0.2) + log(0.2))
    assert ceu(predicted(NOW), skip=0).item() == pytest.approx((first + second) / 2)
    assert ceu(predicted(NOW)).item() == pytest.approx(second)
    assert ceu(predicted(NOW), skip=2).item() == pytest.approx((first + second) / 2)  # nothing would be left


def test_the_target_of_ceu_has_no_gradient_and_the_answer_none_of_its_mass() -> None:
    given = drawn(0)
    logits = given.logits.clone().requires_grad_(True)
    ceu(replace(given, logits=logits), skip=0).sum().backward()
    probabilities = given.logits.softmax(-1)
    chosen = torch.nn.functional.one_hot(given.ids, probabilities.shape[-1]).bool()
    others = probabilities.masked_fill(chosen, 0)
    expected = probabilities - others / others.sum(-1, keepdim=True)  # softmax - target
    counts = MASK.sum(1).repeat_interleave(MASK.sum(1))[:, None]
    torch.testing.assert_close(logits.grad, expected / counts)


def test_ceu_is_calm_where_ascent_is_not() -> None:
    ids, mask = torch.tensor([0]), torch.ones(1, 1).bool()
    logits = torch.tensor([[-30.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    ceu(stream(logits, ids, mask)).backward()
    assert logits.grad.abs().max() < 1e-12
    again = logits.detach().clone().requires_grad_(True)
    nll(stream(again, ids, mask)).backward()
    assert again.grad.abs().max() > 0.4


def test_pdu_by_hand() -> None:
    ids, mask = torch.tensor([0, 1]), torch.ones(1, 2).bool()
    logits = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    assert pdu(stream(logits, ids, mask)).item() == pytest.approx((9 + 4) / 2)


def test_pdu_is_nothing_for_a_flat_prediction_and_is_blind_to_shifts() -> None:
    given = drawn(0)
    assert pdu(replace(given, logits=torch.full_like(given.logits, 3.0))).tolist() == [0, 0, 0]
    torch.testing.assert_close(pdu(replace(given, logits=given.logits + 5)), pdu(given))


def _row_means(values: Tensor) -> Tensor:
    return torch.stack([part.mean() for part in values.split(MASK.sum(1).tolist())])


def _reference_entropy(given: StreamOutput) -> Tensor:
    return _row_means(entropy(given.reference.logits.softmax(-1)))
