"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safeeraser.records import Metric
from safeeraser.report.table import PARTS, rows, value, visible

_LABELS, _COLUMN = 28, 17  # characters


def print_table(metrics: Sequence[Metric], models: Sequence[str], console: Console) -> None:
    """Print one column a model and one row a metric, over all groups, with 95% intervals.

    As many models as the console has room for stand side by side, the others in tables below.
    """
    room = max(1, (console.width - _LABELS) // _COLUMN)
    for start in range(0, len(models), room):
        console.print(_table(metrics, models[start : start + room]))
    legend = [f"{name}: {asked}." for name, asked in PARTS.values()]
    legend.append("Shares of n answers with 95% intervals. ↓ lower is better, ↑ higher is better.")
    console.print(Text(" ".join(legend), style="dim"))


def _table(metrics: Sequence[Metric], models: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("n", justify="right", style="dim")
    for model in models:
        table.add_column(Text(visible(model)), justify="right")
    for part, (name, _) in PARTS.items():
        found = rows(metrics, models, part)
        if found:
            table.add_row(Text(name, style="bold"))
        for row in found:
            table.add_row(Text(f"  {row.title}"), Text(row.counts), *(Text(value(cell)) for cell in row.cells))
        if found:
            table.add_section()
    return table
