"""The scores of several models on several tasks in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safeeraser.metrics import Difference
from safeeraser.runs.report.table import change as shown_change
from safeeraser.runs.report.table import percent
from safeeraser.specificity.changes import differences
from safeeraser.specificity.scores import Score, overall
from safeeraser.text import line

_LEGEND = (
    "Shares of the best possible score, with 95% intervals over documents. Below each: percentage points to the first "
    "column, on the same documents. Intervals and p are corrected by Bonferroni for a model's tasks; found from: the "
    "smallest difference that would have been found with a chance of 80%."
)


def print_scores(found: Mapping[str, Sequence[Score]], console: Console) -> None:
    """One column a model and one row a task; below, the mean over tasks, which the paper calls specificity."""
    models = list(found)
    changes = {model: {each.name: each for each in differences(found[models[0]], found[model])} for model in models[1:]}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    table.add_column("n", justify="right", style="dim")
    for model in models:
        table.add_column(Text(line(model)), justify="right")
    for row, first in enumerate(found[models[0]]):
        cells = [_cell(found[model][row], changes.get(model, {}).get(first.task)) for model in models]
        counts = _counts([found[model][row] for model in models])
        table.add_row(Text(f"{line(first.task)} ({line(first.metric)}) ↑"), counts, *map(Text, cells))
    table.add_section()
    table.add_row("mean over tasks ↑", "", *(_mean(found[model]) for model in models))
    console.print(table)
    console.print(Text(_LEGEND, style="dim"))


def _counts(scored: Sequence[Score]) -> str:
    """How many documents each model's score is over; one number where all agree."""
    counts = [str(score.n) for score in scored]
    return counts[0] if len(set(counts)) == 1 else "/".join(counts)


def _cell(score: Score, change: Difference | None) -> str:
    shown = _shown(score) + (f" ({score.unscored} unscored)" if score.unscored else "")
    if change is None:
        return shown
    return f"{shown}\n{shown_change(change)}"


def _shown(score: Score) -> str:
    """A share as per cent; a score whose best is not known, as it is."""
    if score.value is None:
        return "not scored"
    number, unit = (percent, "%") if score.share else ("{:.4g}".format, "")
    interval = "" if score.low is None or score.high is None else f" [{number(score.low)}–{number(score.high)}]"
    return f"{number(score.value)}{unit}{interval}"


def _mean(found: Sequence[Score]) -> str:
    mean = overall(found)
    return "-" if mean is None else f"{percent(mean)}%"
