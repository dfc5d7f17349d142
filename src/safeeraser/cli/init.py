"""`init`: a run's configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.output import say
from safeeraser.errors import UserError


def init(
    config: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it; a new file.")] = Path("run.yaml"),
) -> None:
    """Write a run's configuration to begin with.

    It is the demo's, for the embedded model, with what each key means. Change model and data to your own.

    \b
    Examples:
      safeeraser init
      safeeraser init llava.yaml
      safeeraser run llava.yaml --print-config
    """
    from safeeraser.files import write_text
    from safeeraser.runs.starter import starter

    if config.exists():
        raise UserError(f"{config} exists already; name another file")
    write_text(config, starter(config))
    say(f"{config}: `safeeraser run {config}` does it")
