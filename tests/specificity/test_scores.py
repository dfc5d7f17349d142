"""lmms-eval's reports become scores; worked by hand."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from safeeraser.errors import UserError
from safeeraser.runs.report.specificity import print_scores
from safeeraser.specificity import PAPER, TASKS, Score, Task, differences, find, overall, scores


def report(task: str, metrics: dict[str, Any], samples: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "results": {task: {"alias": task, "samples": 4, **metrics}},
        "n-samples": {task: {"original": 9, "effective": 4}},
        "samples": {task: samples or []},
    }


def score(values: list[float], task: str = "pope") -> Score:
    mean = sum(values) / len(values)
    each = dict(enumerate(values))
    return Score(task=task, metric="m", value=mean, low=None, high=None, n=len(values), each=each)


def test_a_share_with_its_standard_error() -> None:
    found = report("gqa", {"exact_match,none": 0.5, "exact_match_stderr,none": 0.1, "exact_match_stderr_clt,none": 0.2})
    (made,) = scores(found, find(["gqa"]))
    assert (made.task, made.metric, made.value, made.n) == ("gqa", "exact_match", 0.5, 4)
    assert (made.low, made.high) == pytest.approx((0.5 - 0.195996, 0.5 + 0.195996), abs=1e-6)


def test_a_score_of_a_hundred_is_a_share_too_and_may_lack_an_error() -> None:
    metrics = {"gpt_eval_score,none": 42.0, "gpt_eval_score_stderr,none": "N/A"}
    (made,) = scores(report("mmvet", metrics), find(["mmvet"]))
    assert (made.value, made.low, made.high) == (0.42, None, None)


def test_the_headline_metric_is_taken_whatever_comes_first() -> None:
    metrics = {"pope_f1_score,none": 0.1, "pope_accuracy,none": 0.8, "pope_yes_ratio,none": 0.5}
    assert scores(report("pope", metrics), find(["pope"]))[0].value == 0.8
    assert scores(report("other", metrics), {"other": Task(name="other")})[0].value == 0.1


def test_a_metric_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"gqa: unknown metric 'exact_match'.*there are: f1"):
        scores(report("gqa", {"f1,none": 1.0}), find(["gqa"]))
    with pytest.raises(UserError, match="gqa: no metric"):
        scores({"results": {}, "n-samples": {}}, find(["gqa"]))


def test_documents_have_scores_of_their_own_where_the_metric_is_one_number() -> None:
    metrics = {"exact_match,none": 0.5}
    numbers = [{"doc_id": 3, "exact_match": 1.0}, {"doc_id": 7, "exact_match": 0.0}]
    assert scores(report("gqa", metrics, numbers), find(["gqa"]))[0].each == {3: 1.0, 7: 0.0}
    things = [{"doc_id": 3, "exact_match": {"answer": "no"}}]
    assert scores(report("gqa", metrics, things), find(["gqa"]))[0].each == {}


def test_records_with_a_score_count_too_with_clopper_and_pearson_s_interval() -> None:
    records = [{"doc_id": doc, "pope_accuracy": {"score": right}} for doc, right in enumerate((1.0, 1.0, 1.0, 0.0))]
    (made,) = scores(report("pope", {"pope_accuracy,none": 0.75}, records), find(["pope"]))
    assert (made.value, made.n, made.each) == (0.75, 4, {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.0})
    assert (made.low, made.high) == pytest.approx((0.194120, 0.993690), abs=1e-6)


def test_scores_that_the_metric_is_not_the_mean_of_are_no_documents_scores() -> None:
    samples = [{"doc_id": 0, "f1": 1.0}, {"doc_id": 1, "f1": 0.0}]
    (made,) = scores(report("gqa", {"f1,none": 0.8}, samples), {"gqa": Task(name="gqa", metric="f1")})
    assert (made.value, made.each, made.n) == (0.8, {}, 4)


def test_what_the_judge_left_out_is_unscored_and_not_wrong() -> None:
    """lmms-eval counts it as 0, so that its own figure would be 40."""
    given = [(1.0, "judge"), (0.6, "judge"), (0.0, ""), (0.0, "")]
    samples = [
        {"doc_id": doc, "gpt_eval_score": {"score": value, "eval_model": model}}
        for doc, (value, model) in enumerate(given)
    ]
    (made,) = scores(report("mmvet", {"gpt_eval_score,none": 40.0}, samples), find(["mmvet"]))
    assert (made.value, made.n, made.unscored) == (pytest.approx(0.8), 2, 2)
    (none,) = scores(report("mmvet", {"gpt_eval_score,none": 0.0}, samples[2:]), find(["mmvet"]))
    assert (none.value, none.low, none.high, none.n, none.unscored) == (None, None, None, 0, 2)
    assert overall([made, none]) is None


def test_a_metric_without_a_known_best_is_shown_as_it_is_and_has_no_part_in_the_mean() -> None:
    (made,) = scores(report("mme", {"perception,none": 1200.5, "perception_stderr,none": 10.0}), find(["mme"]))
    assert (made.value, made.share) == (1200.5, False)
    assert overall([made]) is None
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_scores({"vanilla": [made]}, console)
    assert "1200 [1181–1220]" in console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above


def test_very_many_documents_take_no_time() -> None:
    """n = 40,000: the interval is nearly normal, whose half width is worked by hand."""
    before, after = score([0.5, 1.0] * 20_000), score([0.5, 0.5] * 20_000)
    (change,) = differences([before], [after])
    half = 1.959964 * 0.25 / 200
    assert (change.low, change.high) == pytest.approx((-0.25 - half, -0.25 + half), abs=1e-4)
    samples = [{"doc_id": doc, "exact_match": value} for doc, value in before.each.items()]
    (made,) = scores(report("gqa", {"exact_match,none": 0.75}, samples), find(["gqa"]))
    assert (made.low, made.high) == pytest.approx((0.75 - half, 0.75 + half), abs=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_no_score(value: float) -> None:
    """A document without a finite score is unscored; a metric without one, and no documents, has no value."""
    metrics = {"exact_match,none": 1.0, "exact_match_stderr,none": value}
    samples = [{"doc_id": 0, "exact_match": 1.0}, {"doc_id": 1, "exact_match": value}]
    (made,) = scores(report("gqa", metrics, samples), find(["gqa"]))
    assert (made.value, made.n, made.unscored) == (1, 1, 1)
    (none,) = scores(report("gqa", {"exact_match,none": value}), find(["gqa"]))
    assert (none.value, none.low, none.n) == (None, None, 0)


def test_differences_are_on_the_documents_that_both_have() -> None:
    before, after = score([1, 1, 1, 1, 1, 0]), score([0, 0, 0, 0, 0])
    (change,) = differences([before], [after])
    assert (change.value, change.n, change.p, change.adjusted) == (-1, 5, 2 / 2**5, 2 / 2**5)
    other = [score([1, 1], "gqa"), before]
    assert [each.adjusted for each in differences(other, [score([1, 1], "gqa"), after])] == [1, 4 / 2**5]
    assert differences([before], []) == []


def test_the_mean_over_tasks() -> None:
    assert overall([score([1, 0]), score([1, 1])]) == 0.75
    assert overall([]) is None


def test_the_paper_s_seven() -> None:
    assert list(PAPER) == ["gqa", "vizwiz", "scienceqa", "vqav2", "pope", "mmvet", "mmbench"]
    assert find(["pope", "mine"]) == {"pope": TASKS["pope"], "mine": Task(name="mine")}
    with pytest.raises(UserError, match="pope given twice"):
        find(["pope", "gqa", "pope"])
    with pytest.raises(UserError, match="at least one"):
        find([])


def test_the_table_shows_models_side_by_side_and_names_as_they_are() -> None:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_scores({"vanilla": [score([1, 1, 0, 1])], "[b]po\x1b": [score([0, 1, 0, 1])]}, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    assert "[b]po\\x1b" in text
    assert ["pope", "(m)", "↑", "4", "75.0%", "50.0%"] in [line.split() for line in text.splitlines()]
    assert "-25.0 [" in text
    assert ["mean", "over", "tasks", "↑", "75.0%", "50.0%"] in [line.split() for line in text.splitlines()]
