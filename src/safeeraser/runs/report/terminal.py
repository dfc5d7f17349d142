"""The tables of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import MEASURES, Difference, Measure
from safeeraser.records import Metric
from safeeraser.runs.report.table import PARTS, Row, change, rows, value
from safeeraser.text import line

_LABELS, _COLUMN, _WIDE_COLUMN = 28, 17, 32  # characters


def print_table(
    metrics: Sequence[Metric],
    models: Sequence[str],
    console: Console,
    *,
    measures: Sequence[Measure] = MEASURES,
    details: Mapping[Metric, str] | None = None,
) -> None:
    """Print one column a model and one row a metric, over all groups, with 95% intervals.

    As many models as the console has room for stand side by side, the others in tables below. `details` are second
    lines under figures.
    """
    room = max(1, (console.width - _LABELS) // _COLUMN)
    for start in range(0, len(models), room):
        console.print(_table(metrics, models[start : start + room], measures, details or {}))
    legend = [f"{name}: {asked}." for name, asked in PARTS.values()]
    legend.append("Shares of n answers with 95% intervals. ↓ lower is better, ↑ higher is better.")
    console.print(Text(" ".join(legend), style="dim"))


def print_differences(
    differences: Sequence[Difference],
    title: str,
    console: Console,
    *,
    measures: Sequence[Measure] = MEASURES,
) -> None:
    """Print one column a model and one row a metric: percentage points, 95% interval and p of each difference.

    Nothing is printed where there are none. `title` says what is subtracted from what.
    """
    models = list(dict.fromkeys(item.model for item in differences))
    room = max(1, (console.width - _LABELS) // _WIDE_COLUMN)
    for start in range(0, len(models), room):
        console.print()
        console.print(_difference_table(differences, models[start : start + room], title, measures))
    if models:
        console.print(Text(DIFFERENCES, style="dim"))


DIFFERENCES = (
    "Percentage points on n pairs of answers to the same questions, with 95% intervals. p is two-sided, corrected by "
    "Holm over every difference shown."
)


def _table(
    metrics: Sequence[Metric], models: Sequence[str], measures: Sequence[Measure], details: Mapping[Metric, str]
) -> Table:
    def shown(cell: Metric | None) -> str:
        detail = details.get(cell) if cell else None
        return f"{value(cell)}\n{detail}" if detail else value(cell)

    table = _frame(models)
    for part in PARTS:
        found = rows(metrics, models, part, measures=measures)
        _section(table, part, [(row, [shown(cell) for cell in row.cells]) for row in found])
    return table


def _difference_table(
    differences: Sequence[Difference], models: Sequence[str], title: str, measures: Sequence[Measure]
) -> Table:
    table = _frame(models, title)
    for part in PARTS:
        found = rows(differences, models, part, measures=measures)
        _section(table, part, [(row, [change(cell) for cell in row.cells]) for row in found])
    return table


def _frame(models: Sequence[str], title: str | None = None) -> Table:
    heading = Text(line(title), style="bold") if title else None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=heading, title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("n", justify="right", style="dim")
    for model in models:
        table.add_column(Text(line(model)), justify="right")
    return table


def _section(
    table: Table, part: Part, lines: Sequence[tuple[Row[Metric], list[str]] | tuple[Row[Difference], list[str]]]
) -> None:
    if lines:
        table.add_row(Text(PARTS[part][0], style="bold"))
        for row, cells in lines:
            table.add_row(Text(f"  {row.title}"), Text(row.counts), *map(Text, cells))
        table.add_section()
