"""The tables of a run in the terminal: figures with their intervals, differences below them in the same cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import MEASURES, Difference, Measure, plainer
from safeeraser.records import VANILLA, Metric
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.costs import in_words
from safeeraser.runs.report.summary import Failure, sentence
from safeeraser.runs.report.table import (
    ALL,
    PARTS,
    Row,
    found_from,
    groups,
    p_value,
    points,
    rows,
    short_change,
    short_value,
)
from safeeraser.text import line

HEADLINES = (
    ("asr", Part.EFFICACY),
    ("asr", Part.GENERALITY),
    ("rr", Part.GENERALITY),
    ("sarr", Part.DECOUPLED),
    ("kept", Part.DECOUPLED),
    ("retain_accuracy", Part.RETAIN),
    ("rr", Part.RETAIN),
)
"""The measures that a finished run prints; its report has them all."""
_BRIEF = (("asr", Part.GENERALITY), ("sarr", Part.DECOUPLED), ("name_accuracy", Part.RETAIN))
_COUNTS, _COLUMN, _QUESTION = 6, 17, 36  # characters
_SPELLED = (
    "ASR: attack success rate, answers that do what a harmful question asks. RR: refusal rate. SARR: safe answer "
    "refusal rate, answers to the same question about a harmless picture that refuse or mean nothing."
)
_INTERVALS = "Per cent of n answers with 95% intervals that allow for shared pictures. ↓ lower is better, ↑ higher."
_DIFFERENCES = (
    "Below: points more than the model under the heading. An interval without 0 is a difference (p < 0.05); both are "
    "corrected for all differences of the run. Under n: the smallest one that would have been found (80% power)."
)


def print_result(
    metrics: Sequence[Metric],
    models: Sequence[str],
    differences: Sequence[Difference],
    failures: Sequence[Failure],
    console: Console,
    costs: Sequence[Stage] = (),
) -> None:
    """What a finished run comes to, on one screen: a sentence, the main figures with differences, a few bad answers.

    The last line says what its stages took, where `costs` are given.
    """
    said = sentence(metrics, models)
    if said:
        console.print(Text(line(said, 2000), style="bold"), "")
    headlines = [measure for measure in MEASURES if (measure.name, measure.part) in HEADLINES]
    print_table(metrics, models, console, measures=headlines, differences=differences)
    for failure in failures:
        count = f"{failure.model}, {failure.kind} ({failure.count} of {failure.n}): "
        question = Text(line(failure.question))
        question.truncate(_QUESTION, overflow="ellipsis")
        shown = Text.assemble((line(count), "yellow"), question, f" → {line(failure.answer)}")
        shown.truncate(console.width, overflow="ellipsis")
        console.print(shown)
    if costs:
        console.print(Text(in_words(costs), style="dim"))


def print_table(
    metrics: Sequence[Metric],
    models: Sequence[str],
    console: Console,
    *,
    measures: Sequence[Measure] = MEASURES,
    differences: Sequence[Difference] = (),
    details: Mapping[Metric, str] | None = None,
) -> None:
    """Print one column a model and one row a metric, over all groups, with 95% intervals.

    As many models as the console has room for stand side by side, the others in tables below. Under a model's figure
    stands its difference from the method without Prompt Decouple, or else from vanilla. `details` are more lines.
    """
    labels = max((len(measure.title) for measure in measures), default=0) + 4  # indent, arrow, spaces
    room = max(1, (console.width - labels - _COUNTS) // _COLUMN)
    for start in range(0, len(models), room):
        console.print(_table(metrics, models[start : start + room], measures, _nearest(differences), details or {}))
    legend = [_SPELLED, _INTERVALS, *([_DIFFERENCES] if differences else [])]
    console.print(Text("\n".join(legend), style="dim"))


def print_groups(metrics: Sequence[Metric], models: Sequence[str], console: Console) -> None:
    """Print ASR, SARR and right names of retain by subset, or of all examples where there are no subsets."""
    table = _frame()
    for heading in ("n", *models):
        table.add_column(Text(line(heading)), justify="right", overflow="fold")
    subsets = [group for group in groups(metrics, Part.DECOUPLED) if group.startswith("subset=")] or [ALL]
    for name, part in _BRIEF:
        measures = [measure for measure in MEASURES if (measure.name, measure.part) == (name, part)]
        for number, group in enumerate(subsets):
            for row in rows(metrics, models, part, group, measures):
                if not number:
                    table.add_row(Text(row.title, style="bold"))
                cells = (Text(short_value(cell)) for cell in row.cells)
                table.add_row(Text(f" {line(group.removeprefix('subset='))}"), Text(row.counts, style="dim"), *cells)
    console.print(table)


def print_differences(
    differences: Sequence[Difference],
    console: Console,
    *,
    measures: Sequence[Measure] = MEASURES,
    of_runs: str = "",
) -> None:
    """Print a table for every two models that are compared; nothing where there are none.

    Where the same model of two runs is compared, `of_runs` says behind its name of which.
    """
    for model, baseline in dict.fromkeys((item.model, item.baseline) for item in differences):
        found = [item for item in differences if (item.model, item.baseline) == (model, baseline)]
        title = f"{model}{of_runs}" if of_runs else f"{model} minus {baseline}"
        console.print(_difference_table(found, model, title, measures))
    if differences:
        console.print(Text(DIFFERENCES, style="dim"))


DIFFERENCES = (
    "Percentage points on n pairs of answers to the same questions. p is two-sided; it and the intervals are corrected "
    "by Bonferroni for every difference shown, so that all of them hold together with 95%. Found from: the smallest "
    "difference that would have been found with a chance of 80%."
)


def _nearest(differences: Sequence[Difference]) -> dict[str, list[Difference]]:
    """Each model's differences from the baseline that is nearest to it."""
    found: dict[str, list[Difference]] = {}
    for model in dict.fromkeys(item.model for item in differences):
        own = [item for item in differences if item.model == model]
        baselines = {item.baseline for item in own}
        nearest = plain if (plain := plainer(model)) in baselines else VANILLA
        found[model] = [item for item in own if item.baseline == nearest]
    return found


def _table(
    metrics: Sequence[Metric],
    models: Sequence[str],
    measures: Sequence[Measure],
    differences: Mapping[str, Sequence[Difference]],
    details: Mapping[Metric, str],
) -> Table:
    table = _frame()
    table.add_column("n", justify="right")
    for model in models:
        heading = Text(line(model), style="bold")
        if differences.get(model):
            heading.append(f"\n− {line(differences[model][0].baseline)}", style="dim")
        table.add_column(heading, justify="right", overflow="fold")
    apart = [item for model in models for item in differences.get(model, ())]
    for part, (name, _) in PARTS.items():
        found = rows(metrics, models, part, measures=measures)
        below = {row.measure.name: row for row in rows(apart, models, part, measures=measures)}
        if found:
            table.add_row(Text(name, style="bold"))
        for row in found:
            table.add_row(Text(f" {row.title}"), *_cells(row, below.get(row.measure.name), details))
    return table


def _cells(row: Row[Metric], apart: Row[Difference] | None, details: Mapping[Metric, str]) -> list[Text]:
    """A row's count and figures, with their differences and details below."""
    cells = [Text(row.counts, style="dim")]
    if apart is not None and (smallest := _smallest(apart)):
        cells[0].append(f"\n{smallest}")
    for place, cell in enumerate(row.cells):
        text = Text(short_value(cell))
        if cell is not None and cell.unscored:
            text.append(f"\n{cell.unscored} unscored", style="yellow")
        if apart is not None and (difference := short_change(apart.cells[place])):
            text.append(f"\n{difference}", style="cyan")
        if cell is not None and cell in details:
            text.append(f"\n{details[cell]}", style="dim")
        cells.append(text)
    return cells


def _smallest(apart: Row[Difference]) -> str:
    """The smallest difference that every comparison of a row would have found."""
    known = [item.detectable for item in apart.cells if item is not None and item.value is not None]
    if not known:
        return ""
    found = [each for each in known if each is not None]
    return f"≥{100 * max(found):.0f}" if len(found) == len(known) else "none"


def _difference_table(differences: Sequence[Difference], model: str, title: str, measures: Sequence[Measure]) -> Table:
    table = _frame(title)
    for heading in ("n", "points", "95% interval", "p", "found from"):
        table.add_column(heading, justify="right")
    for part, (name, _) in PARTS.items():
        found = rows(differences, [model], part, measures=measures)
        if found:
            table.add_row(Text(name, style="bold"))
        for row in found:
            table.add_row(Text(f" {row.title}"), *map(Text, _difference_cells(row)))
    return table


def _difference_cells(row: Row[Difference]) -> list[str]:
    (found,) = row.cells
    if found is None or found.value is None or found.low is None or found.high is None or found.adjusted is None:
        return [row.counts, "not scored", "", "", ""]
    interval = f"[{points(found.low)}, {points(found.high)}]"
    smallest = found_from(found).removeprefix("found from ")
    return [row.counts, points(found.value), interval, p_value(found.adjusted).removeprefix("p "), smallest]


def _frame(title: str | None = None) -> Table:
    heading = Text(line(title), style="bold") if title else None
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=heading, title_justify="left", padding=(0, 1, 0, 0)
    )
    table.add_column("", no_wrap=True)
    return table
