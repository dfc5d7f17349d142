"""Two models on the same questions: closed forms, published figures, and coverage by simulation."""

from __future__ import annotations

import doctest
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.metrics import MEASURES, Column, Difference, Measure, Value, compare, intervals, significance
from safeeraser.metrics.intervals import clustered_difference, constant, newcombe, wilson
from safeeraser.metrics.significance import holm, mcnemar, sign_flip

ASR = next(measure for measure in MEASURES if (measure.name, measure.part) == ("asr", "generality"))
ROUGE = next(measure for measure in MEASURES if (measure.name, measure.part) == ("rouge_l", "retain"))
RNG = np.random.default_rng


def column(
    shares: Sequence[float | None], measure: Measure = ASR, pictures: int = 10_000, group: str = "all"
) -> Column:
    values = [Value(f"q{n:05}", 0, n % pictures, share) for n, share in enumerate(shares)]
    return Column(measure, group, tuple(values))


def difference(before: Sequence[float | None], after: Sequence[float | None], **fields: int) -> Difference:
    tables = {"vanilla": [column(before, **fields)], "po": [column(after, **fields)]}  # type: ignore[arg-type]
    (found,) = compare(tables, "vanilla")
    return found


# --- p-values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ups", "downs", "p"), [(5, 0, 2 / 2**5), (9, 1, 22 / 2**10), (3, 3, 1.0), (0, 0, 1.0)])
def test_mcnemar_is_a_binomial_test_on_the_pairs_that_differ(ups: int, downs: int, p: float) -> None:
    first, second = [0] * ups + [1] * downs + [1, 0], [1] * ups + [0] * downs + [1, 0]
    assert mcnemar(first, second) == pytest.approx(p)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=30))
def test_sign_flips_of_single_answers_are_mcnemar_s_test(differences: list[int]) -> None:
    first, second = [float(d < 0) for d in differences], [float(d > 0) for d in differences]
    assert sign_flip(differences, range(len(differences)), RNG(0)) == pytest.approx(mcnemar(first, second))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-3, -2, -1, 1, 2, 0.5, -0.25]), min_size=2, max_size=8))
def test_sign_flips_are_all_signs_of_all_clusters(sums: list[float]) -> None:
    totals = [abs(sum(signs)) for signs in itertools.product(*[(value, -value) for value in sums])]
    share = sum(total >= abs(sum(sums)) - 1e-9 for total in totals) / len(totals)
    assert sign_flip(sums, range(len(sums)), RNG(0)) == pytest.approx(share)


def test_answers_about_one_picture_flip_together() -> None:
    assert sign_flip([1, 1, 1, -1], "aabc", RNG(0)) == pytest.approx(6 / 8)  # of +-2 +-1 +-1, six are 2 or more
    assert sign_flip([1, 1, 1, 1], "aaaa", RNG(0)) == 1


def test_drawn_p_values_are_never_zero() -> None:
    assert sign_flip([0.5] * 20, range(20), RNG(0)) == pytest.approx(2 / 10_000)


def test_holm_by_hand_and_in_any_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


def test_the_test_keeps_its_level_where_pictures_are_alike() -> None:
    """Forty pictures with three answers each that go the same way; a test on answers would find far more than 5%."""
    rng, clusters, finds = RNG(7), list(range(40)) * 3, 0
    for _ in range(400):
        shift = rng.choice([-1, 0, 1], size=40)
        finds += sign_flip(list(np.tile(shift, 3)), clusters, rng) < 0.05
    assert finds / 400 < 0.08


# --- intervals -----------------------------------------------------------------------------------------------------


def test_newcombe_s_published_example() -> None:
    """Newcombe 1998 (Stat Med 17: 2635), method 10: 36 in both, 12 and 2 in one, none in neither."""
    first = [1] * 36 + [1] * 12 + [0] * 2
    second = [1] * 36 + [0] * 12 + [1] * 2
    assert newcombe(first, second) == pytest.approx((-0.3404, -0.0569), abs=5e-5)


def test_newcombe_says_something_where_nothing_differs() -> None:
    low = wilson(96, 96)[0]
    assert newcombe([1] * 96, [1] * 96) == pytest.approx((low - 1, 1 - low))
    down, up = newcombe([1] * 96, [0] * 96)
    assert -1 == down < up < -0.9


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=1, max_size=40))
def test_newcombe_mirrors_and_stays_inside(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    low, high = newcombe(first, second)
    assert -1 - 1e-9 <= low <= (sum(second) - sum(first)) / len(pairs) + 1e-9
    assert newcombe(second, first) == pytest.approx((-high, -low))


def test_a_bootstrap_by_hand() -> None:
    """Drawing two of two pictures: -0.5 and 1 on their own come up with 1/4 each."""
    assert clustered_difference([0, -1, 1], ["a", "a", "b"], RNG(0)) == pytest.approx((-0.5, 1))


def test_where_the_bootstrap_is_blind_wilson_sees() -> None:
    unseen = wilson(0, 20)[1]
    assert clustered_difference([0.0] * 20, range(20), RNG(0)) == pytest.approx((-unseen, unseen))
    assert constant(-1.0, 20) == pytest.approx((-1, 2 * unseen - 1))
    assert clustered_difference([0.25, 0.5], ["a", "a"], RNG(0)) == (-1, 1)


def test_newcombe_covers() -> None:
    """Forty pairs, rates 0.6 and 0.8, strongly tied."""
    rng, held = RNG(3), 0
    for _ in range(400):
        draw = rng.uniform(size=40)
        other = np.where(rng.uniform(size=40) < 0.7, draw, rng.uniform(size=40))
        low, high = newcombe(list((draw < 0.6).astype(int)), list((other < 0.8).astype(int)))
        held += low <= 0.2 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_the_clustered_bootstrap_covers() -> None:
    rng, clusters, held = RNG(4), list(range(40)) * 4, 0
    for _ in range(300):
        picture = rng.normal(0.1, 0.2, size=40)
        values = np.clip(np.tile(picture, 4) + rng.normal(0, 0.1, size=160), -1, 1)
        low, high = clustered_difference(list(values), clusters, rng)
        held += low <= 0.1 <= high
    assert 0.9 <= held / 300 <= 0.98


# --- comparisons ---------------------------------------------------------------------------------------------------


def test_single_answers_about_pictures_of_their_own_are_counted() -> None:
    found = difference([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    assert (found.model, found.baseline, found.test, found.n, found.unscored) == ("po", "vanilla", "mcnemar", 6, 0)
    assert found.value == pytest.approx(-5 / 6)
    assert found.p == found.adjusted == 2 / 2**5
    assert (found.low, found.high) == newcombe([1] * 5 + [0], [0] * 6)


def test_answers_that_share_a_picture_flip_together() -> None:
    found = difference([1] * 8, [0] * 8, pictures=4)
    assert (found.test, found.p) == ("sign-flip", 2 / 2**4)


def test_shares_are_no_counts() -> None:
    tables = {"vanilla": [column([0.5, 0.25], ROUGE)], "po": [column([0.75, 0.75], ROUGE)]}
    (found,) = compare(tables, "vanilla")
    assert (found.test, found.value, found.p) == ("sign-flip", 0.375, 0.5)


def test_unscored_pairs_are_left_out_and_counted() -> None:
    found = difference([1, None, 1, 0], [0, 0, None, 0])
    assert (found.n, found.unscored, found.value) == (2, 2, -0.5)
    longer = difference([1, 0], [1, 0, 1])
    assert (longer.n, longer.unscored, longer.value) == (2, 1, 0)


def test_nothing_scored_gives_no_figure_and_counts_as_no_test() -> None:
    tables = {
        "vanilla": [column([None, None]), column([1] * 6, ROUGE)],
        "po": [column([0, 0]), column([0] * 6, ROUGE)],
    }
    nothing, something = compare(tables, "vanilla")
    assert (nothing.value, nothing.low, nothing.p, nothing.adjusted, nothing.test) == (None,) * 5
    assert (nothing.n, nothing.unscored) == (0, 2)
    assert something.adjusted == something.p
    (empty,) = compare({"vanilla": [column([])], "po": [column([])]}, "vanilla")
    assert (empty.value, empty.n, empty.unscored) == (None, 0, 0)


def test_every_p_value_shown_counts_in_the_correction() -> None:
    before, after = [1] * 6, [0] * 6
    tables = {name: [column(shares)] for name, shares in (("vanilla", before), ("a", after), ("b", after))}
    assert [found.adjusted for found in compare(tables, "vanilla")] == pytest.approx([4 / 2**6, 4 / 2**6])


def test_groups_are_compared_where_asked() -> None:
    narrow = column([1, 1, 1], group="category=Weapon")
    tables = {"vanilla": [column([1, 1, 1]), narrow], "po": [column([1, 1, 1]), narrow]}
    assert [found.group for found in compare(tables, "vanilla")] == ["all"]
    assert [found.group for found in compare(tables, "vanilla", groups=True)] == ["all", "category=Weapon"]


def test_doctests() -> None:
    assert doctest.testmod(significance).failed == doctest.testmod(intervals).failed == 0
