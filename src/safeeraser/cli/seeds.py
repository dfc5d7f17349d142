"""`seeds`: runs that differ only in their seed, put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.options import RunData, RunJudge
from safeeraser.cli.output import stdout
from safeeraser.cli.score import Counting, Figures, counting, explain, keep_runs, write_page
from safeeraser.errors import UserError
from safeeraser.files import write_json

if TYPE_CHECKING:
    from safeeraser.metrics import Combined, Difference, Protocol


def seeds(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN", help="Runs that differ only in their seed.")],
    data: RunData = None,
    judge: RunJudge = None,
    protocol: Counting = "strict",
    output: Figures = None,
) -> None:
    """Put runs together that differ only in their seed.

    Means are shown, with intervals that cover seeds and questions, and every seed's value. Runs that differ in
    anything else are refused. docs/metrics.md explains the figures.

    \b
    Example:
      safeeraser seeds runs/seed-1 runs/seed-2 runs/seed-3
    """
    from safeeraser import metrics
    from safeeraser.runs.results import Reader, same_but_for_the_seed

    if len(folders) < 2:
        raise UserError("at least two run folders are needed")
    how = counting(protocol)
    keep_runs(output, folders)
    runs = Reader(data, judge).read(folders)
    same_but_for_the_seed(runs)
    judged = {model: [run.judged(model) for run in runs] for model in runs[0].settings.methods}
    tables = {model: [each.columns(how) for each in found] for model, found in judged.items()}
    combined = [each for model, columns in tables.items() for each in metrics.combine(model, columns)]
    differences = metrics.compare_seeds(tables)
    numbers = [run.settings.seed for run in runs]
    _show(combined, list(tables), numbers, how, differences)
    explain(how, [each for found in judged.values() for each in found])
    if output is not None:
        found = [dataclasses.asdict(each.metric) | {"by_seed": each.by_seed} for each in combined]
        changes = [dataclasses.asdict(each) for each in differences]
        write_json(output, {"seeds": numbers, "metrics": found, "differences": changes})
        write_page(runs, output)


def _show(
    combined: Sequence[Combined],
    models: Sequence[str],
    numbers: Sequence[int],
    protocol: Protocol,
    differences: Sequence[Difference],
) -> None:
    from safeeraser.runs.report import print_table
    from safeeraser.runs.report.table import percent

    details = {
        each.metric: " / ".join("-" if value is None else percent(value) for value in each.by_seed) for each in combined
    }
    stdout.print(
        f"Means over {len(numbers)} seeds ({', '.join(map(str, numbers))}); the intervals cover seeds and questions.\n"
        "Below each mean the value of every seed; n counts the answers of all seeds.",
        markup=False,
        soft_wrap=True,
    )
    metrics = [each.metric for each in combined]
    print_table(metrics, models, stdout, measures=protocol.measures, differences=differences, details=details)
