"""lmms-eval's reports become scores; worked by hand."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from safeeraser.errors import UserError
from safeeraser.specificity import TASKS, Score, Task, differences, find, overall, scores
from safeeraser.specificity.table import print_scores


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
    things = [{"doc_id": 3, "exact_match": {"score": 1.0}}]
    assert scores(report("gqa", metrics, things), find(["gqa"]))[0].each == {}


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
    assert list(TASKS) == ["gqa", "vizwiz", "scienceqa", "vqav2", "pope", "mmvet", "mmbench"]
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
