"""rmu: the direction, and both of its terms by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from safeeraser.objectives import find
from safeeraser.objectives.rmu import direction, rmu, rmu_retain
from tests.objectives.streams import LAYER, MASK, TOKENS, WIDTH, drawn


def test_the_direction_is_a_unit_vector_of_its_seed() -> None:
    assert direction(64, 3).norm().item() == pytest.approx(1)
    assert torch.equal(direction(64, 3), direction(64, 3))
    assert not torch.equal(direction(64, 3), direction(64, 4))


def test_the_direction_is_drawn_uniform_in_0_to_1() -> None:
    """For large widths |u| is sqrt(width / 3), so entries x sqrt(width) have mean sqrt(3)/2 and reach sqrt(3)."""
    entries = torch.cat([direction(4096, seed) for seed in range(20)]) * 64
    assert entries.min() >= 0
    assert entries.mean().item() == pytest.approx(3**0.5 / 2, abs=0.01)
    assert entries.max().item() == pytest.approx(3**0.5, abs=0.05)
    assert entries.var().item() == pytest.approx(3 / 12, abs=0.01)


def test_the_distance_from_the_direction_by_hand() -> None:
    there = 2.0 * direction(WIDTH, 0).expand(TOKENS, WIDTH)
    offsets = torch.arange(1, TOKENS + 1, dtype=torch.float64)[:, None]
    given = replace(drawn(0), hidden={LAYER: there + offsets})
    assert rmu(given).tolist() == pytest.approx([(1 + 4) / 2, (9 + 16 + 25 + 36) / 4, 49])
    assert rmu(replace(drawn(0), hidden={LAYER: there})).tolist() == pytest.approx([0, 0, 0])


def test_options_of_rmu() -> None:
    given = replace(drawn(0), hidden={3: torch.zeros(TOKENS, WIDTH, dtype=torch.float64)})
    assert rmu(given, layer=3, c=6.0).tolist() == pytest.approx([36 / WIDTH] * 3)  # |c u|^2 / width
    assert not torch.equal(rmu(drawn(0), seed=1), rmu(drawn(0), seed=2))


def test_the_largest_seed_that_is_accepted_draws_a_direction() -> None:
    largest = 2**64 - 1
    assert find("rmu").bind(seed=largest).settings["seed"] == largest
    assert rmu(drawn(0), seed=largest).isfinite().all()


def test_the_retain_term_is_the_distance_from_the_reference() -> None:
    given = drawn(0)
    moved = {LAYER: given.reference.hidden[LAYER] + torch.tensor([3.0, 0, 0, 0])}
    assert rmu_retain(replace(given, hidden=moved)).tolist() == pytest.approx([9 / WIDTH] * 3)
    assert rmu_retain(replace(given, hidden=given.reference.hidden)).tolist() == [0, 0, 0]


def test_the_gradient_points_to_the_direction() -> None:
    hidden = drawn(0).hidden[LAYER].clone().requires_grad_(True)
    rmu(replace(drawn(0), hidden={LAYER: hidden})).sum().backward()
    counts = MASK.sum(1).repeat_interleave(MASK.sum(1))[:, None]
    expected = 2 * (hidden.detach() - 2 * direction(WIDTH, 0)) / WIDTH / counts
    torch.testing.assert_close(hidden.grad, expected)
