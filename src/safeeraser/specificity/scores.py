"""From what lmms-eval reports to scores with intervals, and their mean over tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from scipy.special import ndtri

from safeeraser.errors import UserError, unknown
from safeeraser.metrics.intervals import CONFIDENCE, estimate
from safeeraser.records import Estimate
from safeeraser.specificity.tasks import Task

_Z = float(ndtri((1 + CONFIDENCE) / 2))
_STDERR = "_stderr"  # keys of lmms-eval are metric,filter and metric_stderr,filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Estimate):
    """One model's score on one task, over `n` documents; `unscored` ones, which its judge left out, do not count.

    There is no interval where there is neither a score of each document nor a standard error. `each` holds every
    document's own score in 0..1, by its number, where `value` is their mean. `share` says that a perfect score is 1;
    only such scores have a mean over tasks.
    """

    task: str
    metric: str
    each: Mapping[int, float]
    share: bool = True


def scores(results: Mapping[str, Any], tasks: Mapping[str, Task]) -> list[Score]:
    """The headline metric of each task from the results of `lmms_eval.evaluator.simple_evaluate`.

    Raises UserError where a task's metric is not among its results.
    """
    return [_score(name, task, results) for name, task in tasks.items()]


def overall(found: Sequence[Score]) -> float | None:
    """The mean over tasks, which the paper calls specificity; None where one has no score, or none that is a share."""
    values = [score.value for score in found if score.value is not None and score.share]
    return sum(values) / len(values) if values and len(values) == len(found) else None


def _score(name: str, task: Task, results: Mapping[str, Any]) -> Score:
    found = results["results"].get(task.name, {})
    key = _key(name, task, found)
    metric = key.partition(",")[0]
    value = float(found[key]) / task.scale
    each, unscored = _each(results.get("samples", {}).get(task.name, []), metric)
    if not unscored and each and not math.isclose(fmean(each.values()), value, abs_tol=1e-6):
        each = {}  # the metric is something else than the mean of these
    if each or unscored:
        return _of_documents(name, metric, each, unscored)
    n = int(results["n-samples"][task.name]["effective"])
    if not math.isfinite(value):
        return Score(task=name, metric=metric, value=None, low=None, high=None, n=0, unscored=n, each={})
    low, high = _of_error(value, found.get(key.replace(metric, metric + _STDERR, 1)), task)
    share = task.metric is not None
    return Score(task=name, metric=metric, value=value, low=low, high=high, n=n, each={}, share=share)


def _key(name: str, task: Task, found: Mapping[str, Any]) -> str:
    """The key of the task's metric in its results: the one it is known for, else the first number."""
    keys = [key for key in found if "," in key and _STDERR not in key and isinstance(found[key], int | float)]
    key = next((key for key in keys if task.metric in (None, key.partition(",")[0])), None)
    if key is None:
        metrics = [key.partition(",")[0] for key in keys]
        raise UserError(f"{name}: {unknown('metric', task.metric, metrics)}" if metrics else f"{name}: no metric")
    return key


def _of_documents(name: str, metric: str, each: Mapping[int, float], unscored: int) -> Score:
    """The mean over the scored documents."""
    value, low, high = estimate(list(each.values()), list(each)) if each else (None, None, None)
    return Score(task=name, metric=metric, value=value, low=low, high=high, n=len(each), each=each, unscored=unscored)


def _of_error(value: float, error: object, task: Task) -> tuple[float | None, float | None]:
    """The normal interval of lmms-eval's standard error; nothing where it gives none."""
    if not isinstance(error, int | float) or not math.isfinite(error):
        return None, None
    half = _Z * float(error) / task.scale
    return max(value - half, 0.0), value + half if task.metric is None else min(value + half, 1.0)


def _each(samples: Sequence[Mapping[str, Any]], metric: str) -> tuple[dict[int, float], int]:
    """Each document's own score in 0..1, where the metric is made of such scores, and how many a judge left out."""
    found = {int(sample["doc_id"]): sample.get(metric) for sample in samples}
    scored = {doc: _own(given) for doc, given in found.items() if not _left_out(given)}
    values = {doc: value for doc, value in scored.items() if value is not None and 0 <= value <= 1}
    return values if len(values) == len(scored) else {}, len(found) - len(scored)


def _own(given: object) -> float | None:
    """A document's score: a number, or the `score` of a record (POPE, MM-Vet)."""
    number = given.get("score") if isinstance(given, Mapping) else given
    return float(number) if isinstance(number, int | float) else None


def _left_out(given: object) -> bool:
    """Whether there is no score: lmms-eval counts 0 where a judge gave none, and names no judge then (MM-Vet)."""
    own = _own(given)
    no_number = own is not None and not math.isfinite(own)
    return no_number or (isinstance(given, Mapping) and given.get("eval_model") == "")
