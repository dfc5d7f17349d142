"""Several runs that differ in their seed, put together: the mean over seeds, and how sure it is.

Two things vary: the seed (another training) and the questions (another sample of pictures). Each gets its variance,
the two are added, and Student's t has the degrees of freedom that Satterthwaite (1946) gives to such a sum: with three
seeds that disagree little more than two, with seeds that agree as many as there are pictures. docs/metrics.md gives
the sources.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from safeeraser.metrics.intervals import CONFIDENCE, Interval, constant, score_interval, wilson
from safeeraser.metrics.paired import Difference, Table, adjust, pairs, unpaired
from safeeraser.metrics.score import Column
from safeeraser.records import Metric

_Run = Sequence[tuple[Hashable, float]]  # one seed's answers: what each belongs to, and its share


@dataclass(frozen=True, slots=True)
class Combined:
    """A metric over several seeds, and each seed's own value. `metric.n` counts the answers of all seeds."""

    metric: Metric
    by_seed: tuple[float | None, ...]


def combine(model: str, tables: Sequence[Table]) -> list[Combined]:
    """One model's columns of two or more seeds, put together measure by measure and group by group.

    The value is the mean of the seeds' means. It is None where a seed has nothing scored: a mean over the others would
    not be one over these seeds.
    """
    return [_combined(model, columns) for columns in _together(tables)]


def compare_seeds(tables: Mapping[str, Sequence[Table]], baseline: str) -> list[Difference]:
    """Every other model against the baseline over two or more seeds; nothing where there is no such baseline.

    `tables` holds each model's columns of every seed, the seeds in the same order. Only the group "all" is compared.
    Answers are paired within a seed; p is of Student's t.
    """
    base = {_key(columns[0]): columns for columns in _together(tables.get(baseline, []))}
    return adjust(
        _difference(model, baseline, base[_key(columns[0])], columns)
        for model in tables
        if model != baseline
        for columns in _together(tables[model])
        if columns[0].group == "all" and _key(columns[0]) in base
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """The mean over seeds, its variance, and how many degrees of freedom that has; `clusters` were seen in all."""

    mean: float
    variance: float
    degrees: float
    clusters: int


def _spread(runs: Sequence[_Run]) -> _Spread:
    """Variance of the mean over seeds: between seeds, plus between clusters of questions within them.

    Each sees the noise that belongs to a seed and a question at once, and so it counts twice: the sum errs on the wide
    side (Cameron, Gelbach and Miller 2011 subtract it, which needs many seeds).
    """
    means = [sum(share for _, share in run) / len(run) for run in runs]
    residuals: dict[Hashable, float] = defaultdict(float)
    for run, mean in zip(runs, means, strict=True):
        for cluster, share in run:
            residuals[cluster] += (share - mean) / (len(run) * len(runs))
    between = float(np.var(means, ddof=1)) / len(runs)
    count = len(residuals)
    within = sum(residual**2 for residual in residuals.values()) * count / max(count - 1, 1)
    return _Spread(float(np.mean(means)), between + within, _degrees(between, within, len(runs), count), count)


def _degrees(between: float, within: float, seeds: int, clusters: int) -> float:
    """Satterthwaite's degrees of freedom of between + within."""
    parts = between**2 / (seeds - 1) + within**2 / max(clusters - 1, 1)
    return (between + within) ** 2 / parts if parts else float("inf")


def _rate_interval(spread: _Spread) -> Interval:
    """As for one run: Wilson's over clusters where all agree, nothing to be said from a single cluster."""
    if spread.clusters == 1:
        return 0.0, 1.0
    if spread.mean in (0.0, 1.0):
        return wilson(round(spread.mean) * spread.clusters, spread.clusters)
    return score_interval(spread.mean, spread.variance, spread.degrees)


def _difference_interval(spread: _Spread) -> Interval:
    if spread.clusters == 1:
        return -1.0, 1.0
    if spread.variance == 0:
        return constant(spread.mean, spread.clusters)
    half = float(student.ppf((1 + CONFIDENCE) / 2, spread.degrees)) * spread.variance**0.5
    return max(spread.mean - half, -1.0), min(spread.mean + half, 1.0)


def _p(spread: _Spread) -> float:
    """Two-sided p of Student's t. Where nothing varies, that of as many equal signs as there are clusters."""
    if spread.mean == 0 or spread.clusters == 1:
        return 1.0
    if spread.variance == 0:
        return float(2.0 ** (1 - spread.clusters))
    return float(2 * student.sf(abs(spread.mean) / spread.variance**0.5, spread.degrees))


def _combined(model: str, columns: Sequence[Column]) -> Combined:
    runs: list[_Run] = [[(value.cluster, share) for value, share in column.scored] for column in columns]
    by_seed = tuple(sum(share for _, share in run) / len(run) if run else None for run in runs)
    spread = _spread(runs) if all(runs) else None
    low, high = _rate_interval(spread) if spread else (None, None)
    n = sum(len(run) for run in runs)
    metric = Metric(
        model=model,
        name=columns[0].measure.name,
        part=columns[0].measure.part.value,
        group=columns[0].group,
        value=spread.mean if spread else None,
        low=low,
        high=high,
        n=n,
        unscored=sum(len(column.values) for column in columns) - n,
    )
    return Combined(metric, by_seed)


def _difference(model: str, baseline: str, before: Sequence[Column], after: Sequence[Column]) -> Difference:
    paired = [pairs(one, other) for one, other in zip(before, after, strict=True)]
    runs: list[_Run] = [[(pair.cluster, pair.model - pair.baseline) for pair in found] for found, _ in paired]
    nothing = unpaired(model, baseline, after[0].measure, after[0].group, sum(count for _, count in paired))
    if not all(runs):
        return nothing
    spread = _spread(runs)
    low, high = _difference_interval(spread)
    n = sum(map(len, runs))
    return dataclasses.replace(nothing, value=spread.mean, low=low, high=high, p=_p(spread), test="seeds", n=n)


def _key(column: Column) -> tuple[str, str, str]:
    return column.measure.name, column.measure.part.value, column.group


def _together(tables: Sequence[Table]) -> list[list[Column]]:
    """The columns of the same measure and group in each table; a group that a table lacks is empty there."""
    by_key: list[Mapping[tuple[str, str, str], Column]] = [
        {_key(column): column for column in table} for table in tables
    ]
    every = {key: column for table in by_key for key, column in table.items()}
    return [
        [table.get(key, dataclasses.replace(column, values=())) for table in by_key] for key, column in every.items()
    ]
