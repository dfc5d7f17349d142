"""Two models on the same questions: closed forms, published figures, and coverage by simulation."""

from __future__ import annotations

import doctest
import itertools
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from safeeraser.metrics import (
    MEASURES,
    Column,
    Difference,
    Measure,
    Value,
    compare,
    compare_runs,
    paired,
    significance,
    usual,
)
from safeeraser.metrics.significance import sign_flip

ASR = next(measure for measure in MEASURES if (measure.name, measure.part) == ("asr", "generality"))
ROUGE = next(measure for measure in MEASURES if (measure.name, measure.part) == ("rouge_l", "retain"))
RNG = np.random.default_rng


def flip(changes: Sequence[float] | np.ndarray, clusters: Sequence[Hashable]) -> float:
    return sign_flip(np.asarray(changes, dtype=float), clusters)


def column(
    shares: Sequence[float | None], measure: Measure = ASR, pictures: int = 10_000, group: str = "all"
) -> Column:
    values = [Value(f"q{n:05}", 0, str(n % pictures), share) for n, share in enumerate(shares)]
    return Column(measure, group, tuple(values))


def difference(before: Sequence[float | None], after: Sequence[float | None], **fields: int) -> Difference:
    tables = {"vanilla": [column(before, **fields)], "po": [column(after, **fields)]}  # type: ignore[arg-type]
    (found,) = compare(tables, "vanilla")
    return found


# --- p-values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ups", "downs", "p"), [(5, 0, 2 / 2**5), (9, 1, 22 / 2**10), (3, 3, 1.0), (0, 0, 1.0)])
def test_signs_of_single_answers_are_mcnemar_s_exact_test(ups: int, downs: int, p: float) -> None:
    changes = [1.0] * ups + [-1.0] * downs + [0.0, 0.0]
    assert flip(changes, range(len(changes))) == pytest.approx(p)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=30))
def test_signs_are_a_binomial_test_on_the_pairs_that_differ(changes: list[int]) -> None:
    ups, moved = sum(each > 0 for each in changes), sum(each != 0 for each in changes)
    expected = binomtest(ups, moved).pvalue if moved else 1
    assert flip(changes, range(len(changes))) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-3, -2, -1, 1, 2, 0.5, -0.25]), min_size=2, max_size=8))
def test_sign_flips_are_all_signs_of_all_clusters(sums: list[float]) -> None:
    totals = [abs(sum(signs)) for signs in itertools.product(*[(value, -value) for value in sums])]
    share = sum(total >= abs(sum(sums)) - 1e-9 for total in totals) / len(totals)
    assert flip(sums, range(len(sums))) == pytest.approx(share)


def test_answers_about_one_picture_flip_together() -> None:
    assert flip([1, 1, 1, -1], "aabc") == pytest.approx(6 / 8)  # of +-2 +-1 +-1, six are 2 or more
    assert flip([1, 1, 1, 1], "aaaa") == 1


def test_drawn_p_values_are_never_zero() -> None:
    assert flip([0.5] * 20, range(20)) == pytest.approx(2 / 10_000)


def test_very_many_pictures_are_as_a_normal_sum() -> None:
    """6,100 up and 5,900 down: the exact test of the sum's normal approximation, and no gigabytes."""
    changes = [0.5] * 6_100 + [-0.5] * 5_900
    assert flip(changes, range(12_000)) == pytest.approx(2 * norm.sf(200 / 12_000**0.5))


def test_the_test_keeps_its_level_where_pictures_are_alike() -> None:
    """Forty pictures with three answers each that go the same way; a test on answers would find far more than 5%."""
    rng, clusters, finds = RNG(7), list(range(40)) * 3, 0
    for _ in range(400):
        shift = rng.choice([-1, 0, 1], size=40)
        finds += flip(np.tile(shift, 3), clusters) < 0.05
    assert finds / 400 < 0.08


# --- comparisons ---------------------------------------------------------------------------------------------------


def test_single_answers_about_pictures_of_their_own() -> None:
    found = difference([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    assert (found.model, found.baseline, found.test, found.n, found.unscored) == ("po", "vanilla", "sign-flip", 6, 0)
    assert found.value == pytest.approx(-5 / 6)
    assert found.p == found.adjusted == 2 / 2**5


def test_nothing_that_differs_is_no_proof_of_no_difference() -> None:
    """Of 20 pictures none differs: each way 1 - 0.025^(1/20) might, had more been asked."""
    found = difference([1] * 20, [1] * 20)
    assert (found.value, found.p) == (0, 1)
    assert (found.low, found.high) == pytest.approx((-0.168433, 0.168433), abs=1e-6)


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


def test_every_difference_shown_counts_in_the_correction() -> None:
    before, after = [1] * 6, [0] * 6
    alone = difference(before, after)
    tables = {name: [column(shares)] for name, shares in (("vanilla", before), ("a", after), ("b", after))}
    found = compare(tables, "vanilla")
    assert [each.adjusted for each in found] == pytest.approx([4 / 2**6, 4 / 2**6])
    assert [each.together for each in found] == [2, 2]
    assert all(each.low is not None and each.high is not None for each in (alone, *found))
    assert all((each.high or 0) - (each.low or 0) > (alone.high or 0) - (alone.low or 0) for each in found)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=2, max_size=40),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_interval_and_corrected_p_say_the_same(answers: list[tuple[int, int]], pictures: int, models: int) -> None:
    before, after = zip(*answers, strict=True)
    tables = {name: [column(after, pictures=pictures)] for name in "abcdef"[:models]}
    for found in compare({"vanilla": [column(before, pictures=pictures)], **tables}, "vanilla"):
        assert found.adjusted is not None
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        assert found.low <= found.value <= found.high
        zero_is_inside = found.low < 0 < found.high or found.value == 0
        assert zero_is_inside <= (found.adjusted >= 0.05)
        assert (found.low > 0 or found.high < 0) <= (found.adjusted < 0.05)


@pytest.mark.parametrize(("pictures", "change"), [(96, 0.2), (48, 0.5)])
def test_what_could_be_found_is_found_four_times_in_five(pictures: int, change: float) -> None:
    """Where the true difference is what the paired standard error says could be found."""
    rng, found, told = RNG(8), 0, []
    for _ in range(200):
        draw = rng.uniform(size=(2, pictures))
        first, second = (draw[0] < 0.3).astype(float), (np.where(draw[1] < 0.5, draw[0], rng.uniform(size=pictures)))
        each = difference(list(first), list((second < 0.3 + change).astype(float)))
        found += (each.p or 1) < 0.05
        told.append(each.detectable or 1)
    share = found / 200
    assert (share > 0.8) == (change > np.mean(told)) or 0.7 < share < 0.9


def test_five_pictures_could_not_find_anything() -> None:
    assert difference([1] * 5, [0] * 5).detectable is None
    assert difference([1] * 6, [0] * 6).detectable == pytest.approx(0.8 ** (1 / 6))


def test_a_run_compares_with_vanilla_and_with_the_plain_method() -> None:
    tables = {name: [column([1, 0])] for name in ("vanilla", "po", "po+pd", "gd+pd")}
    assert [(found.model, found.baseline) for found in usual(tables)] == [
        ("po", "vanilla"),
        ("po+pd", "vanilla"),
        ("gd+pd", "vanilla"),
        ("po+pd", "po"),
    ]
    assert usual({"po": [column([1])]}) == []


def test_models_that_two_runs_have() -> None:
    first = {"vanilla": [column([1, 1])], "po": [column([1, 1])]}
    second = {"po": [column([0, 0])], "gd": [column([0, 0])]}
    assert [(found.model, found.baseline, found.value) for found in compare_runs(first, second)] == [("po", "po", -1)]


def test_groups_are_compared_where_asked() -> None:
    narrow = column([1, 1, 1], group="category=Weapon")
    tables = {"vanilla": [column([1, 1, 1]), narrow], "po": [column([1, 1, 1]), narrow]}
    assert [found.group for found in compare(tables, "vanilla")] == ["all"]
    assert [found.group for found in compare(tables, "vanilla", groups=True)] == ["all", "category=Weapon"]


def test_doctests() -> None:
    assert all(doctest.testmod(module).failed == 0 for module in (significance, paired))
