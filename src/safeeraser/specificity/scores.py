"""From what lmms-eval reports to scores with intervals, to their mean, and to differences answer by answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from safeeraser.errors import UserError, unknown
from safeeraser.intervals import CONFIDENCE, clustered_difference
from safeeraser.specificity.tasks import Task
from safeeraser.statistics.significance import holm, sign_flip

_Z = float(norm.ppf((1 + CONFIDENCE) / 2))
_FILTERED = "_stderr"  # keys of lmms-eval are metric,filter and metric_stderr,filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One model's score on one task, as a share of the best possible; the interval is lmms-eval's standard error's.

    `low` and `high` are None where lmms-eval gives no standard error. `each` holds every document's own score, by its
    number, where the metric has one.
    """

    task: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    each: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A score minus the baseline's, over the `n` documents that both have; `adjusted` is p after Holm's correction."""

    task: str
    value: float
    low: float
    high: float
    p: float
    adjusted: float
    n: int


def scores(results: Mapping[str, Any], tasks: Mapping[str, Task]) -> list[Score]:
    """The headline metric of each task from the results of `lmms_eval.evaluator.simple_evaluate`.

    Raises UserError where a task's metric is not among its results.
    """
    return [_score(name, task, results) for name, task in tasks.items()]


def overall(found: Sequence[Score]) -> float | None:
    """The mean over tasks, which the paper calls specificity; None where there are none."""
    return sum(score.value for score in found) / len(found) if found else None


def differences(baseline: Sequence[Score], model: Sequence[Score], *, seed: int = 0) -> list[Change]:
    """How far a model is from the baseline on each task where documents have scores of their own.

    p is of sign flips, the interval a bootstrap over documents; p is corrected over the tasks by Holm.
    """
    before = {score.task: score for score in baseline}
    pairs = {score.task: _pairs(before[score.task], score) for score in model if score.task in before}
    tested = {task: values for task, values in pairs.items() if values}
    rng = np.random.default_rng(seed)
    p_values = [sign_flip(values, range(len(values)), rng) for values in tested.values()]
    found = []
    for (task, values), p, adjusted in zip(tested.items(), p_values, holm(p_values), strict=True):
        low, high = clustered_difference(values, range(len(values)), rng)
        mean = sum(values) / len(values)
        found.append(Change(task=task, value=mean, low=low, high=high, p=p, adjusted=adjusted, n=len(values)))
    return found


def _pairs(before: Score, after: Score) -> list[float]:
    return [after.each[doc] - before.each[doc] for doc in sorted(before.each.keys() & after.each.keys())]


def _score(name: str, task: Task, results: Mapping[str, Any]) -> Score:
    found = results["results"].get(task.name, {})
    keys = [key for key in found if "," in key and _FILTERED not in key and isinstance(found[key], int | float)]
    key = next((key for key in keys if task.metric in (None, key.partition(",")[0])), None)
    if key is None:
        metrics = [key.partition(",")[0] for key in keys]
        raise UserError(f"{name}: {unknown('metric', task.metric, metrics)}" if metrics else f"{name}: no metric")
    metric, _, filtered = key.partition(",")
    value = float(found[key]) / task.scale
    error = found.get(f"{metric}{_FILTERED},{filtered}")
    known = isinstance(error, int | float) and not math.isnan(error)
    half = _Z * float(error) / task.scale if known else None
    return Score(
        task=name,
        metric=metric,
        value=value,
        low=None if half is None else max(value - half, 0.0),
        high=None if half is None else min(value + half, 1.0),
        n=int(results["n-samples"][task.name]["effective"]),
        each=_each(results.get("samples", {}).get(task.name, []), metric),
    )


def _each(samples: Sequence[Mapping[str, Any]], metric: str) -> dict[int, float]:
    """Each document's own score in 0..1; nothing where a metric is made of something else than such scores."""
    values = {int(sample["doc_id"]): sample.get(metric) for sample in samples}
    fine = all(isinstance(value, int | float) and 0 <= value <= 1 for value in values.values())
    return {doc: float(value) for doc, value in values.items() if value is not None} if fine else {}
