"""Benchmarks on disk: `data check`, `data fix`, `data show`; beside it stand `building` and `export`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from safeeraser.cli import building
from safeeraser.cli.export import export
from safeeraser.cli.keys import of_building, takes
from safeeraser.cli.options import AnyFolder, Format
from safeeraser.cli.output import FINDINGS, print_counts, progress, say, stdout
from safeeraser.errors import UserError
from safeeraser.records import Split
from safeeraser.text import plain

if TYPE_CHECKING:
    from safeeraser.benchmarks.reading.reading import Reading
    from safeeraser.benchmarks.tools.check import Findings
    from safeeraser.records import Example

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
app.command(cls=takes(of_building))(building.build)
app.command()(building.prompts)

Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes to use; all cores if not given.")]
SHOWN = 3


@app.command()
def check(
    folder: AnyFolder,
    layout: Format = "released",
    as_json: Annotated[bool, typer.Option("--json", help="Print findings and counts as JSON.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Run this model's tokenizer and processor over every question and picture, too."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every problem, not three of each rule.")] = False,
    workers: Workers = None,
) -> None:
    """Look at every record and every picture.

    Three problems of each rule are printed, and how many there are. The exit code is 1 where there are errors.

    \b
    Examples:
      safeeraser data check data/icons
      safeeraser data check SafeEraser --json > findings.json
      safeeraser data check VLGuard --format vlguard --model llava-hf/llava-1.5-7b-hf
    """
    from safeeraser.benchmarks.tools.check import check as check_reading
    from safeeraser.cli import wiring

    found = _scan(folder, layout)
    prepare = _prepare(model) if model is not None else None
    with progress("check") as move:
        findings = check_reading(found, is_refusal=wiring.is_refusal, prepare=prepare, progress=move, workers=workers)
    if as_json:
        problems = [problem.to_dict() for problem in findings.problems]
        typer.echo(json.dumps({"counts": findings.counts, "problems": problems}, indent=2, ensure_ascii=False))
    else:
        _print_problems(findings, None if everything else SHOWN)
        print_counts(findings.counts)
        say(f"{len(findings.errors)} errors, {len(findings.warnings)} warnings")
    if findings.errors:
        raise typer.Exit(FINDINGS)


@app.command()
def fix(
    folder: AnyFolder,
    output: Annotated[Path, typer.Argument(metavar="COPY", help="Where to write the clean copy; a new folder.")],
    layout: Format = "released",
    also: Annotated[list[str] | None, typer.Option("--also", help="A rule whose warnings are left out too.")] = None,
    workers: Workers = None,
) -> None:
    """Write a copy without the errors.

    What was left out is listed in the copy. The original is never changed. The released layout stays what it is; other
    data become Parquet, to be read with --format parquet.

    \b
    Examples:
      safeeraser data fix SafeEraser SafeEraser-clean
      safeeraser data fix SafeEraser SafeEraser-clean --also refusal --also duplicate
      safeeraser data fix VLGuard VLGuard-clean --format vlguard
    """
    from safeeraser.benchmarks.tools import fix as fixes
    from safeeraser.cli import wiring

    found = _scan(folder, layout)
    with progress("fix") as move:
        left_out = fixes.fix(
            found, output, is_refusal=wiring.is_refusal, also=also or (), progress=move, workers=workers
        )
    lost = sum(len(one.examples) for one in left_out)
    say(f"left out for {len(left_out)} problems: {lost} examples, listed in {output / fixes.LEFT_OUT}")


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


def _scan(folder: Path, layout: str) -> Reading:
    from safeeraser.cli import wiring

    found = wiring.source(layout).scan(folder)
    if not found.root.is_dir():
        raise UserError(f"{folder}: no such folder")
    return found


def _prepare(model: str) -> Callable[[Example], object]:
    """What makes of an example what the model is given, and raises UserError for one that it refuses."""
    from safeeraser.models.chat import ChatTokenizer
    from safeeraser.models.load import load
    from safeeraser.models.prepare import prepare

    chat = ChatTokenizer.of(load(model))
    return lambda example: prepare(chat, example)


def _print_problems(findings: Findings, shown: int | None) -> None:
    """The problems of each rule in a table of their own, the first few of them."""
    from safeeraser.benchmarks.reading.problems import RULES
    from safeeraser.benchmarks.tools.fix import ALSO

    for (severity, rule), found in findings.by_rule().items():
        stdout.print(Text.assemble((f"{severity} {rule}", "bold"), f" ({len(found):,}): {RULES[rule]}"))
        for problem in found[:shown]:
            stdout.print(Text(f"  {plain(str(problem))}", overflow="fold"), soft_wrap=True)
        more = len(found) - len(found[:shown])
        hints = [f"{more:,} more: --all prints them"] if more else []
        hints += [f"data fix --also {rule} leaves them out"] if severity == "warning" and rule in ALSO else []
        if hints:
            stdout.print(Text(f"  ... {'; '.join(hints)}", "dim"))


app.command()(export)
