"""Several seeds put together: closed forms where one of the two variances is nought, and coverage where neither is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from safeeraser.metrics import combine, compare_seeds
from safeeraser.metrics.intervals import estimate
from safeeraser.metrics.paired import Table
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
    assert held / runs >= 0.92


def test_an_interval_over_questions_alone_would_not_cover() -> None:
    """Why the seed has to be in it: trainings differ, and the pooled answers look surer than they are."""
    rng, held = np.random.default_rng(12), 0
    for _ in range(200):
        chance = 0.5 + rng.normal(0, 0.1, (3, 1))
        answers = rng.uniform(size=(3, 300)) < chance
        low, high = binomtest(int(answers.sum()), answers.size).proportion_ci()
        held += low <= 0.5 <= high
    assert held / 200 < 0.75
