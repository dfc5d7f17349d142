"""`report`: a finished run judged, scored and reported again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import RunData
from safeeraser.cli.output import alone, say
from safeeraser.cli.run import finish


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    data: RunData = None,
) -> None:
    """Judge, score and report a finished run again.

    No model is loaded: the answers are used as they are.

    \b
    Example:
      safeeraser report runs/demo
    """
    from safeeraser.runs import pipeline
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.kit import Kit

    alone()
    place = RunFolder(folder)
    settings = place.settings()
    moved = settings.data.model_copy(update={"path": place.data(settings.data, data)})
    settings = settings.model_copy(update={"data": moved})
    finish(lambda: pipeline.report_again(settings, Kit.of(settings, place), place, say), settings, folder)
