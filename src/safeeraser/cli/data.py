"""Benchmarks on disk: `data check`, `data fix`, `data show`; beside it stand `building` and `export`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from safeeraser.benchmarks.reading.problems import Problem
from safeeraser.cli import building
from safeeraser.cli.export import export
from safeeraser.cli.options import AnyFolder, Format
from safeeraser.cli.output import FINDINGS, print_counts, progress, say, stdout
from safeeraser.errors import UserError
from safeeraser.records import Split

app = typer.Typer(
    help="""Build, check, clean and look at benchmarks.

    \b
    Examples:
      safeeraser data build data/icons
      safeeraser data check data/icons
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.command()(building.build)
app.command()(building.prompts)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A benchmark in the released layout.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes to use; all cores if not given.")]
SHOWN = 200


@app.command()
def check(
    folder: AnyFolder,
    layout: Format = "released",
    as_json: Annotated[bool, typer.Option("--json", help="Print findings and counts as JSON.")] = False,
    workers: Workers = None,
) -> None:
    """Look at every record and every picture.

    The exit code is 1 where there are errors.

    \b
    Examples:
      safeeraser data check data/icons
      safeeraser data check SafeEraser --json > findings.json
      safeeraser data check VLGuard --format vlguard
    """
    from safeeraser.benchmarks.tools import check as checks
    from safeeraser.cli import wiring

    source = wiring.source(layout)
    with progress("check") as move:
        if source.scan is None:
            _there(folder)
            findings = checks.check(folder, is_refusal=wiring.is_refusal, progress=move, workers=workers)
        else:
            found = source.scan(folder)
            _there(found.root)
            findings = checks.check_reading(found, is_refusal=wiring.is_refusal, progress=move, workers=workers)
    if as_json:
        problems = [problem.to_dict() for problem in findings.problems]
        typer.echo(json.dumps({"counts": findings.counts, "problems": problems}, indent=2, ensure_ascii=False))
    else:
        _print_problems(findings.problems)
        print_counts(findings.counts)
        say(f"{len(findings.errors)} errors, {len(findings.warnings)} warnings")
    if findings.errors:
        raise typer.Exit(FINDINGS)


@app.command()
def fix(
    folder: Folder,
    output: Annotated[Path, typer.Argument(metavar="COPY", help="Where to write the clean copy; a new folder.")],
    also: Annotated[list[str] | None, typer.Option("--also", help="A rule whose warnings are left out too.")] = None,
    workers: Workers = None,
) -> None:
    """Write a copy without the errors.

    What was left out is listed in the copy. The original is never changed.

    \b
    Examples:
      safeeraser data fix SafeEraser SafeEraser-clean
      safeeraser data fix SafeEraser SafeEraser-clean --also refusal --also duplicate
    """
    from safeeraser.benchmarks.tools import fix as fixes
    from safeeraser.cli import wiring

    with progress("fix") as move:
        left_out = fixes.fix(
            folder, output, is_refusal=wiring.is_refusal, also=also or (), progress=move, workers=workers
        )
    say(f"left out: {len(left_out)}, listed in {output / fixes.LEFT_OUT}")


@app.command()
def show(
    folder: AnyFolder,
    layout: Format = "released",
    split: Annotated[Split | None, typer.Option("--split", help="Only this split.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="Only this category.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Print at most so many records.")] = 3,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Write a contact sheet (one HTML file) instead.")
    ] = None,
) -> None:
    """Look at records.

    Their pictures are shown where the terminal has the colours.

    \b
    Examples:
      safeeraser data show data/icons --category Weapon
      safeeraser data show data/icons --sheet icons.html
      safeeraser data show Paul/XSTest --format xstest
    """
    from safeeraser.benchmarks.tools import show as shows
    from safeeraser.benchmarks.tools.cards import cards
    from safeeraser.benchmarks.tools.sheet import contact_sheet
    from safeeraser.cli import wiring

    benchmark = wiring.read(folder, layout)
    found = cards(benchmark, split=split, category=category)
    if sheet is None:
        shows.show(found[:limit], stdout)
    else:
        say(f"{contact_sheet(benchmark.name, found, sheet)} records: {sheet}")


def _there(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")


def _print_problems(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    table = Table("", "file", "record", "field", "what", show_edge=False)
    for problem in problems[:SHOWN]:
        cells = (problem.severity, str(problem.file), problem.record or "", problem.field or "", problem.message)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    stdout.print(table)
    if len(problems) > SHOWN:
        say(f"... and {len(problems) - SHOWN} more; --json prints them all")


app.command()(export)
