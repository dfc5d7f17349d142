"""Two models on the same questions: the mean difference of paired answers, its interval and its p-value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv

from safeeraser.metrics.intervals import CONFIDENCE, NOTHING, Interval, Spread, difference, spread
from safeeraser.metrics.score import Column
from safeeraser.metrics.significance import sign_flip
from safeeraser.records import VANILLA, Estimate

Table = Sequence[Column]
"""A model's columns, as `metrics.measured` gives them."""

POWER = 0.8
_LEAST = -300.0  # log p; smaller ones are not told apart, since the square of Student's t would be no float
_ADDITIONS = ("+pd", "+kl", "+neutral", "+rec", "+sam", "+swa", "+soup")
"""What a method's name ends in where Prompt Decouple (arXiv 2502.12520) or one of `objectives.ADDITIONS` is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Estimate):
    """How far a model is from a baseline on one measure and group: `value` is model minus baseline, in -1..1.

    `n` pairs of answers were scored in both models; `unscored` pairs lack an answer or its score in one of them, and
    are left out. `p` is two-sided; `adjusted` and the interval are corrected for all `together` differences that are
    shown at once, by Bonferroni. `detectable` is the smallest difference that would have been found with a chance of
    80%: None where even the largest would not. `test` is "sign-flip" or, over seeds, "t".
    """

    model: str
    baseline: str
    name: str
    part: str
    group: str
    p: float | None
    adjusted: float | None
    detectable: float | None
    test: str | None
    together: int


class Pair(NamedTuple):
    """One answer's share in the baseline and in the model, with what the two belong to."""

    cluster: Hashable
    baseline: float
    model: float


class Compared(NamedTuple):
    """A column of a baseline and of a model, under each seed."""

    model: str
    baseline: str
    before: Sequence[Column]
    after: Sequence[Column]


def compare(tables: Mapping[str, Table], baseline: str, *, groups: bool = False) -> list[Difference]:
    """Every other model against the baseline, on the measures and questions that either was asked.

    Only the group "all" is compared, unless `groups`. Signs of whole pictures are flipped: where each picture has one
    answer that is right or wrong, that is McNemar's exact test. Raises KeyError where the baseline has no table.
    """
    return differences(
        each
        for model in tables
        if model != baseline
        for each in pair_up(model, baseline, [tables[baseline]], [tables[model]], groups=groups)
    )


def usual(tables: Mapping[str, Table]) -> list[Difference]:
    """What a run's report compares: every model with vanilla, each method with an addition also with that without."""
    return differences(
        each
        for model, baseline in usual_pairs(tables)
        for each in pair_up(model, baseline, [tables[baseline]], [tables[model]])
    )


def usual_pairs(models: Iterable[str]) -> list[tuple[str, str]]:
    """Each model with the baseline that it is compared with, of those that are there.

    >>> usual_pairs(["vanilla", "po", "po+pd"])
    [('po', 'vanilla'), ('po+pd', 'vanilla'), ('po+pd', 'po')]
    >>> usual_pairs(["po+pd", "po+pd+rec"])
    [('po+pd+rec', 'po+pd')]
    """
    there = list(models)
    without = [(model, plain) for model in there if (plain := plainer(model))]
    every = [(model, VANILLA) for model in there if model != VANILLA] + without
    return [(model, baseline) for model, baseline in every if baseline in there]


def plainer(model: str) -> str | None:
    """The name of the method without what is added last, such as +pd; None where nothing is added."""
    return model.rpartition("+")[0] if model.endswith(_ADDITIONS) else None


def compare_runs(first: Mapping[str, Table], second: Mapping[str, Table]) -> list[Difference]:
    """Each model that both runs have: the second run's minus the first's."""
    return differences(
        each for model in second if model in first for each in pair_up(model, model, [first[model]], [second[model]])
    )


def pair_up(
    model: str, baseline: str, before: Sequence[Table], after: Sequence[Table], *, groups: bool = False
) -> list[Compared]:
    """The columns that both have, in the order of the model's; tables are one a seed."""
    base = {columns[0].key: columns for columns in together(before)}
    return [
        Compared(model, baseline, base[columns[0].key], columns)
        for columns in together(after)
        if columns[0].key in base and (groups or columns[0].group == "all") and not columns[0].measure.rare
    ]


def together(tables: Sequence[Table]) -> list[list[Column]]:
    """The columns of the same measure and group in each table; a group that a table lacks is empty there."""
    by_key = [{column.key: column for column in table} for table in tables]
    every = {key: column for table in by_key for key, column in table.items()}
    return [
        [table.get(key, Column(column.measure, column.group, ())) for table in by_key] for key, column in every.items()
    ]


def differences(compared: Iterable[Compared]) -> list[Difference]:
    """All differences that are shown at once, corrected for their number."""
    found = [(each, *_paired(each)) for each in compared]
    count = sum(all(runs) for _, runs, _ in found)
    return [
        contrast(
            runs,
            model=each.model,
            baseline=each.baseline,
            column=each.after[0].key,
            unscored=unscored,
            together=count,
        )
        for each, runs, unscored in found
    ]


def pairs(baseline: Column, model: Column) -> tuple[list[Pair], int]:
    """The answers that are scored in both columns, in the order of ids, and how many are not."""
    here = {(value.example_id, value.sample): value for value in model.values}
    there = {(value.example_id, value.sample): value for value in baseline.values}
    keys = sorted(here.keys() | there.keys())
    found = [
        Pair(there[key].cluster, before, after)
        for key in keys
        if key in here
        and key in there
        and (before := there[key].share) is not None
        and (after := here[key].share) is not None
    ]
    return found, len(keys) - len(found)


def contrast(
    runs: Sequence[Sequence[Pair]],
    *,
    model: str,
    baseline: str,
    column: tuple[str, str, str],
    unscored: int = 0,
    together: int = 1,
) -> Difference:
    """The difference that the pairs of each seed come to; `column` is name, part and group of what they measure."""
    name, part, group = column
    nothing = Difference(
        model=model,
        baseline=baseline,
        name=name,
        part=part,
        group=group,
        value=None,
        low=None,
        high=None,
        p=None,
        adjusted=None,
        detectable=None,
        test=None,
        n=0,
        unscored=unscored,
        together=together,
    )
    return _tested(nothing, runs) if all(runs) else nothing


def _paired(compared: Compared) -> tuple[list[list[Pair]], int]:
    found = [pairs(one, other) for one, other in zip(compared.before, compared.after, strict=True)]
    return [each for each, _ in found], sum(count for _, count in found)


def _tested(nothing: Difference, runs: Sequence[Sequence[Pair]]) -> Difference:
    clusters = [pair.cluster for run in runs for pair in run]
    seeds = [seed for seed, run in enumerate(runs) for _ in run]
    changes = np.array([pair.model - pair.baseline for run in runs for pair in run])
    both = spread(changes, clusters, seeds)
    up, down = (spread(np.maximum(sign * changes, 0), clusters, seeds) for sign in (1, -1))
    level = (1 - CONFIDENCE) / nothing.together
    p = sign_flip(changes, clusters) if len(runs) == 1 else _p_over_seeds(both)
    low, high = _with_or_without_zero(*map(float, difference(up, down, both, 1 - level)), outside=p < level)
    return dataclasses.replace(
        nothing,
        value=float(both.mean),
        low=low,
        high=high,
        p=p,
        adjusted=min(p * nothing.together, 1.0),
        detectable=_detectable(both, level, binary=set(np.abs(changes)) <= {0.0, 1.0}),
        test="t" if len(runs) > 1 else "sign-flip",
        n=len(changes),
    )


def _with_or_without_zero(low: float, high: float, *, outside: bool) -> Interval:
    """Whether an interval holds zero is for the test to say: its end moves there where the two disagree."""
    if not outside:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, 0.0), high) if low + high > 0 else (low, min(high, 0.0))


def _p_over_seeds(both: Spread) -> float:
    """Two-sided: where Student's interval ends at zero. Where nothing varies, that of equal signs of all clusters."""
    if abs(both.mean) < NOTHING or both.clusters <= 1:
        return 1.0
    if both.variance < NOTHING:
        return float(2.0 ** (1 - both.clusters))

    def beyond(log: float) -> float:
        """How far the interval of this log p reaches beyond zero; the lower tail, for the upper one rounds to 1."""
        return float(both.reach(np.exp(log) / 2) - abs(both.mean))

    return math.exp(brentq(beyond, _LEAST, 0.0) if beyond(_LEAST) > 0 else _LEAST)


def _detectable(both: Spread, level: float, *, binary: bool) -> float | None:
    """The smallest difference that a test at this level finds with 80% power, from the paired standard error.

    Between answers that are right or wrong it takes so many unlike pictures before any test of signs finds
    something, however few differ here.
    """
    if both.clusters <= 1:
        return None
    least = float(both.reach(1 - level / 2) + both.reach(POWER)) if both.variance >= NOTHING else 0.0
    needed = np.ceil(1 - np.log2(level))  # pictures that all go one way: 2 x (1/2)^needed is the level
    if binary or least == 0:
        if needed > both.clusters + 1e-9:
            return None
        least = max(least, float(betaincinv(needed, both.clusters - needed + 1, POWER)))
    return least if least <= 1 else None
