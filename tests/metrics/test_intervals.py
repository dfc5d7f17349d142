"""Intervals against published figures, closed forms, and by simulation: how often they hold the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.metrics.intervals import (
    Floats,
    difference,
    estimate,
    mean_interval,
    percentiles,
    share,
    spread,
    wilson,
)

SIZES = {
    "one question each": [1],
    "four each": [4],
    "17 each": [17],
    "1, 2, 4 or 17": [1, 2, 4, 17],
    "half one, half eight": [1, 8],
}


# --- closed forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 20, 0, 0.1684), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1)],
)
def test_answers_about_pictures_of_their_own_get_clopper_and_pearson_s_interval(
    successes: int, n: int, low: float, high: float
) -> None:
    values = [1.0] * successes + [0.0] * (n - successes)
    assert estimate(values, range(n)) == pytest.approx((successes / n, low, high), abs=5e-5)


def test_copies_of_an_answer_add_no_certainty() -> None:
    values = [1.0] * 12 + [0.0] * 28
    once, copied = estimate(values, range(40)), estimate(values * 4, [*range(40)] * 4)
    assert copied == pytest.approx(once, abs=0.01)  # n - 1 alone differs


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_agree_the_number_of_clusters_counts(value: float) -> None:
    assert estimate([value] * 40, [*range(10)] * 4) == pytest.approx(estimate([value] * 10, range(10)))
    unequal = estimate([value] * 27, [*range(10), *([11] * 17)])
    assert unequal[2] - unequal[1] > 1 - 0.025 ** (1 / 5)


def test_values_that_do_not_vary_are_not_known_exactly() -> None:
    mean, low, high = estimate([0.5] * 30, range(30))
    assert mean == 0.5
    assert (low, high) == pytest.approx(estimate([1.0] * 15 + [0.0] * 15, range(30))[1:])


def test_one_cluster_says_nothing() -> None:
    assert estimate([0.5, 0.6], ["a", "a"])[1:] == (0, 1)
    assert estimate([1.0], ["a"])[1:] == (0, 1)
    assert [float(end) for end in mean_interval(spread(np.array([3.0, 4.0]), "aa"))] == [-np.inf, np.inf]


def test_the_variance_of_a_mean_by_hand() -> None:
    """Picture a adds (1 - 1/2)/4 twice, b (0 - 1/2)/4 twice: 2 x (1/4)^2 x 2/1. Never less than independent: 1/12."""
    found = spread(np.array([1.0, 1.0, 0.0, 0.0]), "aabb")
    assert (found.mean, found.variance, found.degrees, found.clusters) == pytest.approx((0.5, 0.25, 1, 2))
    against = spread(np.array([1.0, 0.0, 1.0, 0.0]), "aabb")
    assert against.variance == pytest.approx(1 / 12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.integers(0, 5)), min_size=1, max_size=30))
def test_an_interval_holds_its_mean_and_mirrors(answers: list[tuple[float, int]]) -> None:
    values, pictures = [value for value, _ in answers], [picture for _, picture in answers]
    mean, low, high = estimate(values, pictures)
    assert 0 <= low <= mean <= high <= 1
    mirrored = estimate([1 - value for value in values], pictures)
    assert mirrored == pytest.approx((1 - mean, 1 - high, 1 - low), abs=1e-9)


def test_many_data_sets_at_once_are_each_of_them() -> None:
    rng = np.random.default_rng(3)
    values, pictures = (rng.uniform(size=(5, 60)) < 0.3).astype(float), list(rng.integers(20, size=60))
    low, high = share(spread(values, pictures))
    for number, row in enumerate(values):
        assert estimate(list(row), pictures) == pytest.approx((row.mean(), low[number], high[number]))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombe_1998_table_1_method_3(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


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
    held = [low <= 0.5 <= high for low, high in (wilson(int(row.sum()), len(row)) for row in values)]
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
