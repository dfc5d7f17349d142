"""Metrics as rows and cells, the same for terminal and Markdown, and text of models made safe to show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import MEASURES, Difference, Measure
from safeeraser.records import Estimate, Metric

Cell = TypeVar("Cell", Metric, Difference)

ALL = "all"
PARTS = {
    Part.EFFICACY: ("Efficacy", "harmful questions, training pictures"),
    Part.GENERALITY: ("Generality", "harmful questions, validation pictures"),
    Part.DECOUPLED: ("Over-refusal", "harmless look-alikes of harmful questions"),
    Part.RETAIN: ("Retain", "harmless questions"),
}
"""Name of each part and what is asked in it, in the order of a report."""
_EXACT = 1e-9  # what a whole number may have lost in floating point
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
    return [row for row in made if any(cell and _is_shown(cell, row.measure) for cell in row.cells)]


def _is_shown(cell: Metric | Difference, measure: Measure) -> bool:
    return bool(cell.value) if measure.rare else cell.n + cell.unscored > 0


def groups(metrics: Iterable[Metric], part: str) -> list[str]:
    """The groups that narrow a part: categories, subsets, kinds of question."""
    return sorted({item.group for item in metrics if item.part == part} - {ALL})


def value(metric: Estimate | None) -> str:
    """A percentage with its interval, "97.5% [94.3-98.9]", or why there is none; unscored answers are counted."""
    if metric is None:
        return "not measured"
    note = f" ({metric.unscored} unscored)" if metric.unscored else ""
    if metric.value is None or metric.low is None or metric.high is None:
        return f"not scored{note}"
    return f"{percent(metric.value)}% [{percent(metric.low)}–{percent(metric.high)}]{note}"


def short_value(metric: Estimate | None) -> str:
    """The same in as few characters as a terminal has, "97.5 [94-99]": the ends of the interval rounded outwards."""
    if metric is None:
        return "not measured"
    if metric.value is None or metric.low is None or metric.high is None:
        return "not scored"
    low, high = math.floor(100 * metric.low + _EXACT), math.ceil(100 * metric.high - _EXACT)
    return f"{percent(metric.value)} [{low}–{high}]"


def short_change(difference: Difference | None) -> str:
    """A difference in as few characters: "-12.5 [-19 -6]"; nothing where it has no figure."""
    if difference is None or difference.value is None or difference.low is None or difference.high is None:
        return ""
    low, high = math.floor(100 * difference.low + _EXACT), math.ceil(100 * difference.high - _EXACT)
    return f"{points(difference.value)} [{low:+d} {high:+d}]".replace("+0", "0")


def change(difference: Difference | None) -> str:
    """Percentage points with corrected interval and p, "-12.5 [-19.0, -6.2] p 0.003; found from 9.1", or why not."""
    if difference is None:
        return "not measured"
    note = f" ({difference.unscored} unscored)" if difference.unscored else ""
    if difference.value is None or difference.low is None or difference.high is None or difference.adjusted is None:
        return f"not scored{note}"
    interval = f"[{points(difference.low)}, {points(difference.high)}]"
    return f"{points(difference.value)} {interval} {p_value(difference.adjusted)}; {found_from(difference)}{note}"


def found_from(difference: Difference) -> str:
    """The smallest difference that would have been found."""
    return "none could be found" if difference.detectable is None else f"found from {100 * difference.detectable:.1f}"


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
