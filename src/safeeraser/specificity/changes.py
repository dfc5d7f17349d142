"""How far a model's scores are from the baseline's, on the same documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp

from safeeraser.metrics.intervals import CONFIDENCE, clustered_difference
from safeeraser.metrics.significance import holm, sign_flip
from safeeraser.specificity.scores import MANY, Score


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


def differences(baseline: Sequence[Score], model: Sequence[Score], *, seed: int = 0) -> list[Change]:
    """How far a model is from the baseline on each task where documents have scores of their own.

    p is of sign flips, the interval a bootstrap over documents; both are Student's from `MANY` documents on. p is
    corrected over the tasks by Holm.
    """
    before = {score.task: score for score in baseline}
    pairs = {score.task: _pairs(before[score.task], score) for score in model if score.task in before}
    tested = {task: values for task, values in pairs.items() if values}
    rng = np.random.default_rng(seed)
    found = [_tested(values, rng) for values in tested.values()]
    adjusted = holm([p for p, _, _ in found])
    return [
        Change(task=task, value=sum(values) / len(values), low=low, high=high, p=p, adjusted=corrected, n=len(values))
        for (task, values), (p, low, high), corrected in zip(tested.items(), found, adjusted, strict=True)
    ]


def _pairs(before: Score, after: Score) -> list[float]:
    return [after.each[doc] - before.each[doc] for doc in sorted(before.each.keys() & after.each.keys())]


def _tested(values: Sequence[float], rng: np.random.Generator) -> tuple[float, float, float]:
    """p and the interval of the mean of paired differences."""
    if len(values) >= MANY and np.ptp(values) > 0:
        test = ttest_1samp(values, 0.0)
        low, high = test.confidence_interval(CONFIDENCE)
        return float(test.pvalue), float(low), float(high)
    p = sign_flip(values, range(len(values)), rng)
    low, high = clustered_difference(values, range(len(values)), rng)
    return p, low, high
