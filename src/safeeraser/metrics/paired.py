"""Two models on the same questions: the mean difference of paired answers, its interval and its p-value."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from safeeraser.metrics.intervals import Interval, clustered_difference, newcombe
from safeeraser.metrics.measures import Measure
from safeeraser.metrics.score import Column
from safeeraser.metrics.significance import holm, mcnemar, sign_flip

Table = Sequence[Column]
"""A model's columns, as `metrics.measured` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far a model is from a baseline on one measure and group: `value` is model minus baseline, in -1..1.

    `n` pairs of answers were scored in both models; `unscored` pairs lack an answer or its score in one of them, and
    are left out. `p` is two-sided; `adjusted` is Holm's over every p-value shown together. `test` is "mcnemar",
    "sign-flip" or "seeds". Without pairs everything is None.
    """

    model: str
    baseline: str
    name: str
    part: str
    group: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    adjusted: float | None
    test: str | None
    n: int
    unscored: int


class Pair(NamedTuple):
    """One answer's share in the baseline and in the model, with what the two belong to."""

    cluster: Hashable
    baseline: float
    model: float


def compare(tables: Mapping[str, Table], baseline: str, *, groups: bool = False, seed: int = 0) -> list[Difference]:
    """Every other model against the baseline, on the measures and questions that either was asked.

    Only the group "all" is compared, unless `groups`. Where each picture has one answer that is right or wrong,
    McNemar's exact test is used and Newcombe's interval; otherwise the signs of whole pictures are flipped, and whole
    pictures drawn with replacement. Raises KeyError where the baseline has no table.
    """
    base = {(column.measure.name, column.measure.part, column.group): column for column in tables[baseline]}
    found = []
    for model in (name for name in tables if name != baseline):
        for column in tables[model]:
            other = base.get((column.measure.name, column.measure.part, column.group))
            if other is not None and (groups or column.group == "all"):
                found.append(_difference(model, baseline, other, column, seed))
    return adjust(found)


def against(baseline: str, tables: Mapping[str, Table]) -> list[Difference]:
    """The same where there may be no baseline: nothing is compared then."""
    return compare(tables, baseline) if baseline in tables else []


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


def adjust(differences: Iterable[Difference]) -> list[Difference]:
    """The same with Holm's correction over all of them."""
    found = list(differences)
    corrected = iter(holm([item.p for item in found if item.p is not None]))
    return [item if item.p is None else dataclasses.replace(item, adjusted=next(corrected)) for item in found]


def unpaired(model: str, baseline: str, measure: Measure, group: str, unscored: int) -> Difference:
    """A difference of which nothing is known."""
    return Difference(
        model=model,
        baseline=baseline,
        name=measure.name,
        part=measure.part.value,
        group=group,
        value=None,
        low=None,
        high=None,
        p=None,
        adjusted=None,
        test=None,
        n=0,
        unscored=unscored,
    )


def _difference(model: str, baseline: str, before: Column, after: Column, seed: int) -> Difference:
    found, unscored = pairs(before, after)
    nothing = unpaired(model, baseline, after.measure, after.group, unscored)
    if not found:
        return nothing
    label = f"{after.measure.name}/{after.measure.part}/{after.group}"
    rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
    test, p, (low, high) = _counted(found) if _are_counts(after.measure, found) else _clustered(found, rng)
    mean = sum(pair.model - pair.baseline for pair in found) / len(found)
    return dataclasses.replace(nothing, value=mean, low=low, high=high, p=p, test=test, n=len(found))


def _are_counts(measure: Measure, found: Sequence[Pair]) -> bool:
    """Whether each pair is of two answers that are right or wrong, about a picture of its own."""
    binary = all({pair.baseline, pair.model} <= {0.0, 1.0} for pair in found)
    return measure.rate and binary and len({pair.cluster for pair in found}) == len(found)


def _counted(found: Sequence[Pair]) -> tuple[str, float, Interval]:
    before, after = [pair.baseline for pair in found], [pair.model for pair in found]
    return "mcnemar", mcnemar(before, after), newcombe(before, after)


def _clustered(found: Sequence[Pair], rng: np.random.Generator) -> tuple[str, float, Interval]:
    differences, clusters = [pair.model - pair.baseline for pair in found], [pair.cluster for pair in found]
    p = sign_flip(differences, clusters, rng)
    return "sign-flip", p, clustered_difference(differences, clusters, rng)
