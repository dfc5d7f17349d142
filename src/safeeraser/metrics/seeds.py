"""Several runs that differ in their seed, put together: the mean over seeds, and how sure it is.

Two things vary: the seed (another training) and the questions (another sample of pictures). The interval covers both;
`intervals.spread` says how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safeeraser.metrics.paired import Difference, Table, differences, pair_up, together, usual_pairs
from safeeraser.metrics.score import summarise
from safeeraser.records import Metric


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
    return [
        Combined(summarise(model, *columns), tuple(summarise(model, column).value for column in columns))
        for columns in together(tables)
    ]


def compare_seeds(tables: Mapping[str, Sequence[Table]]) -> list[Difference]:
    """What a run's report compares (`paired.usual`), over two or more seeds.

    `tables` holds each model's columns of every seed, the seeds in the same order. Answers are paired within a seed;
    p is of Student's t.
    """
    return differences(
        each
        for model, baseline in usual_pairs(tables)
        for each in pair_up(model, baseline, tables[baseline], tables[model])
    )
