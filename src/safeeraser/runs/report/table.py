"""Metrics as rows and cells, the same for terminal and Markdown, and text of models made safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import MEASURES, Difference, Measure
from safeeraser.records import Metric

Cell = TypeVar("Cell", Metric, Difference)

ALL = "all"
PARTS = {
    Part.EFFICACY: ("Efficacy", "harmful questions, training pictures"),
    Part.GENERALITY: ("Generality", "harmful questions, validation pictures"),
    Part.DECOUPLED: ("Over-refusal", "harmless look-alikes of harmful questions"),
    Part.RETAIN: ("Retain", "harmless questions"),
}
"""Name of each part and what is asked in it, in the order of a report."""
_ARROWS = {"low": "↓", "high": "↑"}


@dataclass(frozen=True)
class Row(Generic[Cell]):
    """One metric on one group: a cell a model, None where it was not measured."""

    measure: Measure
    group: str
    cells: tuple[Cell | None, ...]

    @property
    def title(self) -> str:
        """The metric's title and which way is better."""
        return f"{self.measure.title} {_ARROWS[self.measure.better]}"

    @property
    def counts(self) -> str:
        """How many answers (or pairs) each model's figure is over; one number where all agree."""
        found = [str(cell.n) if cell else "-" for cell in self.cells]
        return found[0] if len(set(found)) == 1 else "/".join(found)


def rows(
    cells: Iterable[Cell],
    models: Sequence[str],
    part: str,
    group: str = ALL,
    measures: Sequence[Measure] = MEASURES,
) -> list[Row[Cell]]:
    """The rows of one part in the order of the measures; those that no model was asked anything for are left out."""
    found = {(item.model, item.name): item for item in cells if (item.part, item.group) == (part, group)}
    made = [
        Row(measure, group, tuple(found.get((model, measure.name)) for model in models))
        for measure in measures
        if measure.part == part
    ]
    return [row for row in made if any(cell and cell.n + cell.unscored for cell in row.cells)]


def groups(metrics: Iterable[Metric], part: str) -> list[str]:
    """The groups that narrow a part: categories, subsets, kinds of question."""
    return sorted({item.group for item in metrics if item.part == part} - {ALL})


def value(metric: Metric | None) -> str:
    """A percentage with its interval, "97.5% [94.3-98.9]", or why there is none; unscored answers are counted."""
    if metric is None:
        return "not measured"
    note = f" ({metric.unscored} unscored)" if metric.unscored else ""
    if metric.value is None or metric.low is None or metric.high is None:
        return f"not scored{note}"
    return f"{percent(metric.value)}% [{percent(metric.low)}–{percent(metric.high)}]{note}"


def change(difference: Difference | None) -> str:
    """Percentage points with interval and corrected p, "-12.5 [-19.0, -6.2] p 0.003", or why there is no figure."""
    if difference is None:
        return "not measured"
    note = f" ({difference.unscored} unscored)" if difference.unscored else ""
    if difference.value is None or difference.low is None or difference.high is None or difference.adjusted is None:
        return f"not scored{note}"
    interval = f"[{points(difference.low)}, {points(difference.high)}]"
    return f"{points(difference.value)} {interval} {p_value(difference.adjusted)}{note}"


def p_value(p: float) -> str:
    """A p-value as it is shown.

    >>> p_value(0.0004), p_value(0.0304)
    ('p <0.001', 'p 0.030')
    """
    return "p <0.001" if p < 0.001 else f"p {p:.3f}"


def points(share: float) -> str:
    """A difference of shares as percentage points with their sign.

    >>> points(0.125), points(-0.9), points(-0.0001)
    ('+12.5', '-90.0', '0.0')
    """
    rounded = round(100 * share, 1) + 0.0
    return f"{rounded:+.1f}" if rounded else "0.0"


def percent(share: float) -> str:
    """A share as per cent with one decimal, without the sign.

    >>> percent(0.9746), percent(1.0), percent(-0.0)
    ('97.5', '100.0', '0.0')
    """
    return f"{100 * share + 0.0:.1f}"
