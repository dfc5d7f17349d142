"""Likelihood metrics as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics.likelihood import MEASURES, LikelihoodMeasure
from safeeraser.records import Metric


def as_table(metrics: Iterable[Metric]) -> Table:
    """A row for each part that was asked, over all its examples, and a column for each measure."""
    found = {(metric.part, metric.name): metric for metric in metrics if metric.group == "all"}
    table = Table("", *(measure.title for measure in MEASURES), box=None)
    for part in Part:
        cells = [found[part, measure.name] for measure in MEASURES]
        if any(cell.n or cell.unscored for cell in cells):
            table.add_row(part, *(_cell(cell, measure) for cell, measure in zip(cells, MEASURES, strict=True)))
    return table


def _cell(metric: Metric, measure: LikelihoodMeasure) -> str:
    if metric.value is None:
        return f"not scored ({metric.unscored})"
    figures = [metric.value] if metric.low is None or metric.high is None else [metric.value, metric.low, metric.high]
    value, *ends = (f"{100 * each:.1f}%" if measure.share else f"{each:.2f}" for each in figures)
    interval = f" [{'–'.join(end.removesuffix('%') for end in ends)}]" if ends else ""
    unscored = f" ({metric.unscored} unscored)" if metric.unscored else ""
    return f"{value}{interval} n={metric.n}{unscored}"
