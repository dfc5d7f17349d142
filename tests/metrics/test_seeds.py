"""Several seeds put together: closed forms where one of the two variances is nought, and coverage where neither is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest
from scipy.stats import t as student

from safeeraser.metrics import combine, compare_seeds
from safeeraser.metrics.intervals import Floats, difference, estimate, share, spread
from safeeraser.metrics.paired import Pair, Table, contrast
from tests.metrics.test_paired import ASR, ROUGE, column


def seeds(*shares: Sequence[float | None]) -> list[Table]:
    return [[column(each)] for each in shares]


def test_seeds_that_disagree_give_student_s_interval_over_seeds() -> None:
    """Within a seed nothing varies: the spread of -0.2, -0.3 and -0.4, with two degrees of freedom."""
    tables = {
        "vanilla": [[column([0.5] * 10, ROUGE)]] * 3,
        "po": [[column([share] * 10, ROUGE)] for share in (0.3, 0.2, 0.1)],
    }
    (found,) = compare_seeds(tables)
    assert found.value == pytest.approx(-0.3)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.5
    assert found.high <= 0
    assert found.p == pytest.approx(2 * student.sf(0.3 / (0.1 / 3**0.5), 2))
    assert (found.test, found.n, found.unscored) == ("t", 30, 0)


def test_seeds_that_agree_are_worth_one_of_them() -> None:
    """Every seed gives the same answers: the questions alone vary, with one less degrees of freedom than pictures."""
    answers = [1.0] * 12 + [0.0] * 28
    (three,), (two,) = combine("m", seeds(answers, answers, answers)), combine("m", seeds(answers, answers))
    _, low, high = estimate(answers, range(40))
    for found in (three, two):
        assert (found.metric.value, found.metric.low, found.metric.high) == pytest.approx((0.3, low, high), abs=0.01)
    assert (three.metric.n, three.by_seed) == (120, pytest.approx((0.3, 0.3, 0.3)))


def test_where_all_agree_the_number_of_pictures_counts() -> None:
    (found,) = combine("m", seeds([1.0] * 20, [1.0] * 20))
    assert (found.metric.value, found.metric.low, found.metric.high) == estimate([1.0] * 20, range(20))


def test_a_seed_of_which_nothing_is_known_leaves_no_mean() -> None:
    (found,) = combine("m", seeds([1.0, 0.0], [None, None]))
    assert found.by_seed == (0.5, None)
    assert (found.metric.value, found.metric.low, found.metric.n, found.metric.unscored) == (None, None, 2, 2)
    (empty,) = combine("m", seeds([], []))
    assert (empty.metric.value, empty.metric.n, empty.metric.unscored) == (None, 0, 0)
    (change,) = compare_seeds({"vanilla": seeds([1.0], [None]), "po": seeds([1.0], [1.0])})
    assert (change.value, change.p, change.unscored) == (None, None, 1)


def test_the_mean_is_over_seeds_not_over_answers() -> None:
    (found,) = combine("m", seeds([1.0] * 10 + [0.0] * 10, [0.0] * 4 + [1.0]))
    assert found.metric.value == pytest.approx((0.5 + 0.2) / 2)


def test_a_group_that_one_seed_lacks_has_no_mean() -> None:
    both, one = column([1.0, 0.0]), column([1.0], group="category=Weapon")
    found = combine("m", [[both, one], [both]])
    assert [(each.metric.group, each.metric.value is None) for each in found] == [
        ("all", False),
        ("category=Weapon", True),
    ]


@pytest.mark.parametrize(("seed_sd", "question_sd"), [(0.1, 0.2), (0.02, 0.25), (0.12, 0.02)])
def test_three_seeds_cover_seed_and_question(seed_sd: float, question_sd: float) -> None:
    """Rates of 48 questions under three trainings, both drawn anew each time, hold the mean over both."""
    rng, held, runs = np.random.default_rng(11), 0, 300
    for _ in range(runs):
        chance = 0.5 + rng.normal(0, seed_sd, (3, 1)) + rng.normal(0, question_sd, (1, 48))
        answers = (rng.uniform(size=(3, 48)) < np.clip(chance, 0, 1)).astype(float)
        (found,) = combine("m", [[column(list(row), ASR)] for row in answers])
        assert found.metric.low is not None
        assert found.metric.high is not None
        held += found.metric.low <= 0.5 <= found.metric.high
    assert held / runs >= 0.935


def rates(rng: np.random.Generator, seeds: int, questions: int, seed_sd: float, count: int = 1_000) -> Floats:
    """Answers [count, seeds x questions] right or wrong: trainings and questions both shift the log-odds of 1 in 2."""
    shift = seed_sd * rng.normal(size=(count, seeds, 1)) + rng.normal(size=(count, 1, questions)) / 2
    return (rng.uniform(size=(count, seeds, questions)) < expit(shift)).astype(float).reshape(count, -1)


def labels(seeds: int, questions: int) -> tuple[list[int], list[int]]:
    """The question and the seed of each answer in a row of `rates`."""
    return [*range(questions)] * seeds, [seed for seed in range(seeds) for _ in range(questions)]


@pytest.mark.parametrize("level", [0.05, 0.05 / 20])
@pytest.mark.parametrize("seed_sd", [0.4, 0.8, 1.5])
@pytest.mark.parametrize("questions", [48, 384])
@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_cover_at_any_level(seeds: int, questions: int, seed_sd: float, level: float) -> None:
    """Two trainings may agree by chance: the interval must not take that for proof.

    Of 48 answers each, the rates of two trainings are at times exactly equal, which no two seeds can see through.
    """
    found = spread(rates(np.random.default_rng(13), seeds, questions, seed_sd), *labels(seeds, questions))
    low, high = share(found, 1 - level)
    missed = 1 - ((low <= 0.5) & (high >= 0.5)).mean()
    assert missed <= (0.065 if level == 0.05 else 0.015 if seeds == 2 else 0.005)


@pytest.mark.parametrize("level", [0.05, 0.05 / 20])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_find_no_more_than_the_level(seeds: int, level: float) -> None:
    """Differences of two models that do not differ, with trainings that do; by the test and by the interval."""
    rng = np.random.default_rng(14)
    moved = rates(rng, seeds, 96, 0.8, 2_000) - rates(rng, seeds, 96, 0.8, 2_000)
    up, down, both = (spread(each, *labels(seeds, 96)) for each in (np.maximum(moved, 0), np.maximum(-moved, 0), moved))
    low, high = difference(up, down, both, 1 - level)
    allowed = 1.2 * level if level == 0.05 else 2 * level
    assert (np.abs(both.mean) > both.reach(1 - level / 2)).mean() <= allowed
    assert ((low > 0) | (high < 0)).mean() <= allowed


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from([-1, -0.5, 0, 0.25, 1]), min_size=4, max_size=4), min_size=2, max_size=4))
def test_p_over_seeds_is_the_level_at_which_the_interval_ends_at_zero(changes: list[list[float]]) -> None:
    both = spread(np.array(changes).ravel(), *labels(len(changes), 4))
    runs = [[Pair(str(place), 0, change) for place, change in enumerate(row)] for row in changes]
    p = contrast(runs, model="po", baseline="vanilla", column=("rouge_l", "retain", "all")).p
    assert p is not None
    assert p == 1 or both.variance < 1e-15 or both.reach(p / 2) == pytest.approx(abs(both.mean))


def test_p_of_two_seeds_alone_is_student_s_however_far_off() -> None:
    """With two seeds p is at least that of one degree of freedom, which is small only where seeds all but agree."""
    tables = {
        "vanilla": [[column([0.0] * 10, ROUGE)]] * 2,
        "po": [[column([each] * 10, ROUGE)] for each in (0.5, 0.501)],
    }
    (found,) = compare_seeds(tables)
    assert found.p == pytest.approx(2 * student.sf(0.5005 / 0.0005, 1))


@pytest.mark.parametrize("change", [0.7, 0.3, 0.1, 1.0])
def test_rounding_is_no_variance(change: float) -> None:
    """Three pictures that all change alike under three seeds: 2^(1 - 3), as of three equal signs."""
    tables = {"vanilla": [[column([0.0] * 3, ROUGE)]] * 3, "po": [[column([change] * 3, ROUGE)]] * 3}
    (found,) = compare_seeds(tables)
    assert found.p == 2 ** (1 - 3)
    assert found.detectable is None  # as three pictures are too few for any test of signs


def test_rounding_is_no_difference() -> None:
    tables = {"vanilla": [[column([0.3] * 9, ROUGE)]] * 2, "po": [[column([0.1 + 0.2] * 9, ROUGE)]] * 2}
    (found,) = compare_seeds(tables)
    assert found.p == 1


def test_an_interval_over_questions_alone_would_not_cover() -> None:
    """Why the seed has to be in it: trainings differ, and the pooled answers look surer than they are."""
    rng, held = np.random.default_rng(12), 0
    for _ in range(200):
        chance = 0.5 + rng.normal(0, 0.1, (3, 1))
        answers = rng.uniform(size=(3, 300)) < chance
        low, high = binomtest(int(answers.sum()), answers.size).proportion_ci()
        held += low <= 0.5 <= high
    assert held / 200 < 0.75
