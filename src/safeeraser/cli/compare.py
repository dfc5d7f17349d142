"""`compare`: what changed from one model to another, or from one run to another, on the same questions."""

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
    from safeeraser.metrics import Difference, Protocol
    from safeeraser.runs.results import FinishedRun


def compare(
    places: Annotated[
        list[str], typer.Argument(metavar="RUN RUN | RUN MODEL MODEL", help="Two runs, or a run and two of its models.")
    ],
    data: RunData = None,
    judge: RunJudge = None,
    protocol: Counting = "strict",
    output: Figures = None,
) -> None:
    """Show what changed from one model or run to another.

    The second minus the first, on the same questions, with 95% intervals and p-values. Of two runs, every model that
    both have is compared with itself. docs/metrics.md explains the figures.

    \b
    Examples:
      safeeraser compare runs/one runs/other
      safeeraser compare runs/demo po po+pd
    """
    from safeeraser.runs.report import print_differences
    from safeeraser.runs.results import Reader

    if len(places) not in (2, 3):
        raise UserError("give two run folders, or one RUN and two of its models")
    *folders, first, second = places
    how = counting(protocol)
    roots = [Path(each) for each in folders or places]
    keep_runs(output, roots)
    runs = Reader(data, judge).read(roots)
    of_models = len(places) == 3
    differences = _models(runs[0], (first, second), how) if of_models else _runs(runs, (first, second), how)
    of_runs = "" if of_models else f" of {second} minus that of {first}"
    print_differences(differences, stdout, measures=how.measures, of_runs=of_runs)
    if output is not None:
        write_json(output, [dataclasses.asdict(each) for each in differences])
        write_page(runs, output)


def _models(run: FinishedRun, names: tuple[str, str], protocol: Protocol) -> list[Difference]:
    from safeeraser import metrics

    if names[0] == names[1]:
        raise UserError(f"{names[0]} cannot be compared with itself")
    judged = {name: run.judged(name) for name in names}
    explain(protocol, judged.values())
    return metrics.compare({name: each.columns(protocol) for name, each in judged.items()}, names[0])


def _runs(runs: Sequence[FinishedRun], names: tuple[str, str], protocol: Protocol) -> list[Difference]:
    from safeeraser import metrics

    both = [model for model in runs[1].settings.methods if model in runs[0].settings.methods]
    if not both:
        raise UserError(f"{names[0]} and {names[1]} have no model in common")
    judged = [{model: run.judged(model) for model in both} for run in runs]
    explain(protocol, [each for run in judged for each in run.values()])
    first, second = ({model: each.columns(protocol) for model, each in run.items()} for run in judged)
    return metrics.compare_runs(first, second)
