"""Intervals against published figures, closed forms, and by simulation: how often they hold the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from safeeraser.metrics.intervals import (
    Floats,
    difference,
    percentiles,
    share,
    spread,
)

SIZES = {
    "one question each": [1],
    "four each": [4],
    "17 each": [17],
    "1, 2, 4 or 17": [1, 2, 4, 17],
    "half one, half eight": [1, 8],
}


# --- closed forms --------------------------------------------------------------------------------------------------


def test_undefined_draws_do_not_count() -> None:
    assert percentiles(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)


# --- coverage ------------------------------------------------------------------------------------------------------


def drawn(
    rng: np.random.Generator, sizes: list[int], rate: float, alike: float, count: int
) -> tuple[Floats, list[int]]:
    """Data sets [count, answers] of beta-binomial pictures, whose answers have this correlation, and the pictures."""
    chances = np.full((count, len(sizes)), rate)
    if alike:
        weight = (1 - alike) / alike
        chances = rng.beta(rate * weight, (1 - rate) * weight, size=chances.shape)
    pictures = np.repeat(np.arange(len(sizes)), sizes)
    return (rng.uniform(size=(count, len(pictures))) < chances[:, pictures]).astype(float), list(pictures)


def covered(sizes: list[int], rate: float, alike: float, count: int) -> float:
    values, pictures = drawn(np.random.default_rng(5), sizes, rate, alike, count)
    low, high = share(spread(values, pictures))
    return float(((low <= rate) & (rate <= high)).mean())


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("sizes", ["four each", "17 each", "1, 2, 4 or 17"])
def test_24_pictures_are_covered(sizes: str, rate: float, alike: float) -> None:
    kinds = SIZES[sizes]
    assert covered(kinds * (24 // len(kinds)), rate, alike, 600) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [24, 48, 96])
@pytest.mark.parametrize("sizes", SIZES)
def test_coverage(sizes: str, pictures: int) -> None:
    kinds = SIZES[sizes]
    cases = itertools.product([0.02, 0.1, 0.5, 0.9], [0.0, 0.2, 0.5, 0.8])
    for rate, alike in cases:
        found = covered(kinds * (pictures // len(kinds)), rate, alike, 2_000)
        assert found >= 0.93, (rate, alike)


def test_answers_taken_for_independent_would_not_be_covered() -> None:
    """17 questions a picture, correlation 0.5: why pictures have to be in it."""
    values, _ = drawn(np.random.default_rng(6), [17] * 48, 0.5, 0.5, 300)
    held = [low <= 0.5 <= high for low, high in (binomtest(int(row.sum()), len(row)).proportion_ci() for row in values)]
    assert np.mean(held) < 0.6


@pytest.mark.parametrize("alike", [0.0, 0.5])
@pytest.mark.parametrize(("before", "change"), [(0.5, 0.0), (0.1, 0.3), (0.9, -0.85), (0.02, 0.02)])
def test_differences_are_covered(before: float, change: float, alike: float) -> None:
    """48 pictures with four questions, the two models' answers tied to the same chances."""
    rng, count = np.random.default_rng(7), 1_000
    first, pictures = drawn(rng, [4] * 48, before, alike, count)
    second, _ = drawn(rng, [4] * 48, before + change, alike, count)
    moved = second - first
    up, down, both = (spread(each, pictures) for each in (np.maximum(moved, 0), np.maximum(-moved, 0), moved))
    low, high = difference(up, down, both)
    assert ((low <= change + 1e-12) & (change - 1e-12 <= high)).mean() >= 0.93
