"""`report`: a finished run judged, scored and reported again; several runs in one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import RunData, RunJudge
from safeeraser.cli.output import say
from safeeraser.cli.run import finish
from safeeraser.errors import UserError
from safeeraser.files import real


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")],
    data: RunData = None,
    judge: RunJudge = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The page; else RUN/report.html, or RUN+RUN.html here."),
    ] = None,
) -> None:
    """Judge, score and report a finished run again; put the answers of several into one page.

    No model is loaded: the answers are used as they are. Several runs, on the same data, are read as they are too, and
    their models stand side by side on the same questions, named run/model; nothing is written into their folders, nor
    into that of one run with --output.

    \b
    Examples:
      safeeraser report runs/demo
      safeeraser report runs/demo runs/seed-1 runs/seed-2 --output seeds.html
    """
    if output is not None and output.is_dir():
        raise UserError(f"--output {output}: a folder; name the page's file, such as {output / 'report.html'}")
    if len(folders) > 1 or output is not None:
        _as_they_are(folders, data, judge, output)
    elif judge is None:
        _again(folders[0], data)
    else:
        raise UserError("--judge: with several RUNs or --output; else a RUN is judged by its own judge")


def _as_they_are(folders: list[Path], data: Path | None, judge: str | None, output: Path | None) -> None:
    from safeeraser.runs import pages
    from safeeraser.runs.results import Reader

    pages.same_data(folders)
    runs = Reader(data, judge).read(folders)
    names = [real(folder).name for folder in folders]
    more = f"+{len(names) - 3}-more" if len(names) > 3 else ""
    page = pages.write(runs, output or Path("+".join(names[:3]) + f"{more}.html"))
    say(f"{len(runs)} runs side by side: {page}" if len(runs) > 1 else f"the page: {page}")


def _again(folder: Path, data: Path | None) -> None:
    from safeeraser.runs import pipeline
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.kit import Kit

    place = RunFolder(folder)
    settings = place.settings()
    moved = settings.data.model_copy(update={"path": place.data(settings.data, data)})
    settings = settings.model_copy(update={"data": moved})
    finish(lambda: pipeline.report_again(settings, Kit.of(settings, place), place, say), settings, folder)
