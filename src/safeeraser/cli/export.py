"""Benchmarks for others: `data export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.complete import one_of
from safeeraser.cli.options import AnyFolder, Format
from safeeraser.cli.output import progress, say


def export(
    folder: AnyFolder,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="released, or parquet (for `datasets`).", autocompletion=one_of("released", "parquet")
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Where to write it; a new folder.")],
    layout: Format = "released",
    licence: Annotated[
        str | None,
        typer.Option("--licence", help="Its identifier on the Hub, for the card; the source's if not given."),
    ] = None,
) -> None:
    """Write a benchmark for others, with a dataset card.

    Reading it back gives the same examples, pictures and refusals; equal benchmarks give equal files.

    \b
    Examples:
      safeeraser data export data/icons --to parquet --output out/icons-parquet --licence apache-2.0
      safeeraser data export VLGuard --format vlguard --to parquet --output out/vlguard
    """
    from safeeraser.benchmarks.tools.export import export as write
    from safeeraser.cli import wiring

    source = wiring.source(layout)
    with progress("export") as move:
        write(source.read(folder), output, to, licence=licence or source.licence, progress=move)
    say(f"{to}: {output}")
