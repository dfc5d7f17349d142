"""Intervals against published figures and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.metrics import intervals
from safeeraser.metrics.intervals import clustered, percentiles, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombe_1998_table_1_method_3(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson(successes, n)
    assert -1e-12 <= low <= successes / n <= high <= 1 + 1e-12
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


def test_two_clusters_by_hand() -> None:
    """Drawing two of two: both times the first with 1/4, both times the second with 1/4."""
    assert clustered([0.2, 0.4, 0.9], ["a", "a", "b"], np.random.default_rng(0)) == pytest.approx((0.3, 0.9))


def test_a_large_sample_agrees_with_the_normal_interval() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(size=900)
    half = 1.96 * values.std() / 30
    assert clustered(list(values), range(900), rng) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=4e-3
    )


def test_copies_of_an_answer_add_no_certainty() -> None:
    values = list(np.random.default_rng(2).uniform(size=50))
    once = clustered(values, range(50), np.random.default_rng(3))
    assert clustered(values * 4, [*range(50)] * 4, np.random.default_rng(3)) == pytest.approx(once)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_agree_the_number_of_clusters_counts(value: float) -> None:
    interval = clustered([value] * 6, list("aabbcc"), np.random.default_rng(0))
    assert interval == wilson(round(3 * value), 3)


def test_a_mean_of_one_of_values_that_differ_is_bootstrapped() -> None:
    """Negative log-likelihoods in nats are no shares, and may well have such a mean."""
    assert clustered([0.5, 1.5], ["a", "b"], np.random.default_rng(0)) == (0.5, 1.5)


def test_drawing_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(4).uniform(size=70))
    whole = clustered(values, range(70), np.random.default_rng(5))
    monkeypatch.setattr(intervals, "_PLACES_AT_ONCE", 1_000)
    assert clustered(values, range(70), np.random.default_rng(5)) == whole


def test_one_cluster_says_nothing() -> None:
    assert clustered([0.5, 0.6], ["a", "a"], np.random.default_rng(0)) == (0, 1)


def test_undefined_draws_do_not_count() -> None:
    assert percentiles(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
