"""`logs`: a finished run as files that other programs open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.complete import one_of
from safeeraser.cli.options import RunData, RunJudge
from safeeraser.cli.output import say


def logs(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.")],
    to: Annotated[str, typer.Option("--to", help="lm-eval or inspect.", autocompletion=one_of("lm-eval", "inspect"))],
    output: Annotated[Path | None, typer.Option("--output", help="Where to; RUN/logs/FORMAT if not given.")] = None,
    pictures: Annotated[
        str,
        typer.Option(
            "--pictures",
            help="In Inspect logs: thumbnails, originals, or paths.",
            autocompletion=one_of("thumbnails", "originals", "paths"),
        ),
    ] = "thumbnails",
    data: RunData = None,
    judge: RunJudge = None,
) -> None:
    """Write a finished run's answers, verdicts and figures as logs that other programs open.

    lm-eval: for each model a folder with results_*.json and samples_*.jsonl, as lm-evaluation-harness writes them.
    inspect: for each model an .eval file for `inspect view`; needs pip install 'safeeraser[inspect]'.
    The same results written again replace their logs.

    \b
    Examples:
      safeeraser logs runs/demo --to lm-eval
      safeeraser logs runs/demo --to inspect --output logs
      safeeraser logs runs/demo --to inspect --pictures paths
    """
    from safeeraser.errors import UserError, unknown
    from safeeraser.runs.logs import Pictures, require, write
    from safeeraser.runs.results import Reader

    require(to)
    kinds = [kind.value for kind in Pictures]
    if pictures not in kinds:
        raise UserError(f"--pictures: {unknown('kind', pictures, kinds)}")
    (run,) = Reader(data, judge).read([folder])
    place = output or folder / "logs" / to
    for path in write(run, to, place, pictures=Pictures(pictures)):
        say(f"{to}: {path}")
