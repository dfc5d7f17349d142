"""`pretrain`: the embedded model trained again from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.output import stdout


def pretrain(
    output: Annotated[Path, typer.Option("--output", help="Folder for the weights; a new one.")],
    never_knew: Annotated[
        bool, typer.Option("--never-knew", help="Teach no instruction about the things that attacks are measured on.")
    ] = False,
) -> None:
    """Train the embedded model again from nothing.

    The projector and the adapter that come with the package, from the pretrained parts; about half an hour on two
    cores with AMX. Nothing is written before its end: stopped, it begins anew. The folder can be named as a --model,
    and as the --control of `attack`.

    \b
    Examples:
      safeeraser pretrain --output out/weights
      safeeraser pretrain --never-knew --output out/never-knew
    """
    from safeeraser.models.pretrain import pretrain as train

    stdout.print(str(train(output, never_knew=never_knew)), markup=False, soft_wrap=True)
