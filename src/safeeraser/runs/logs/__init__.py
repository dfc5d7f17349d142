"""Logs people can open: a finished run as lm-evaluation-harness writes its results, or as an Inspect log.

docs/logs.md says which of our figures stands under which of their names.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from safeeraser.errors import UserError, unknown
from safeeraser.runs.logs import answers, harness
from safeeraser.runs.logs.pictures import Pictures
from safeeraser.runs.results import FinishedRun

FORMATS = ("lm-eval", "inspect")
INSTALL = "pip install 'safeeraser[inspect]'"

__all__ = ["FORMATS", "INSTALL", "Pictures", "require", "write"]


def require(to: str) -> None:
    """Raises UserError where there is no such format, and where the library that it needs is not installed."""
    if to not in FORMATS:
        raise UserError(f"--to: {unknown('format', to, FORMATS)}")
    if to == "inspect" and find_spec("inspect_ai") is None:
        raise UserError(f"--to inspect needs inspect-ai, which is not installed: {INSTALL}")


def write(
    run: FinishedRun,
    to: str,
    output: Path,
    *,
    pictures: Pictures = Pictures.THUMBNAILS,
) -> list[Path]:
    """Write a run's logs into the folder `output`, and return what was written for each of its models.

    `to` is one of FORMATS; `pictures` is about Inspect logs alone.

    Raises UserError as `require` does and for a run that is not finished; ScoreError where a run's files do not belong
    together.
    """
    require(to)
    logs = [answers.read(run, model) for model in run.settings.methods]
    if to == "lm-eval":
        return [harness.write(log, output) for log in logs]
    from safeeraser.runs.logs import inspect_log  # noqa: PLC0415 - needs the extra

    return [inspect_log.write(log, output, pictures) for log in logs]
