"""`data`: build, check, fix, show and export benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from safeeraser.cli.complete import one_of
from safeeraser.cli.keys import of_building, takes
from safeeraser.cli.options import AnyFolder, Format, Overrides, seed_option
from safeeraser.cli.output import FINDINGS, print_counts, progress, say, stdout
from safeeraser.errors import UserError, unknown
from safeeraser.records import Split
from safeeraser.text import plain

if TYPE_CHECKING:
    from safeeraser.benchmarks.reading.reading import Reading
    from safeeraser.benchmarks.tools.check import Findings
    from safeeraser.curation.estimate import Estimate
    from safeeraser.curation.findings import Gate
    from safeeraser.curation.settings import BuildSettings
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

Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes to use; all cores if not given.")]
SHOWN = 3
_SHIPPED = ("--benchmark", "--scale", "--seed")  # what a benchmark that comes with the package takes


@app.command(cls=takes(of_building))
def build(
    output: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it; a new folder.")],
    changes: Overrides = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Make one from these pictures: a folder of categories, or a list.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="Make one as this YAML file says.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Where every stage keeps what it made; FOLDER.work if not given.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="One that comes with the package; icons if nothing is given.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Its size as a share of the paper's, above 0 to 1; 1 if not given.")
    ] = None,
    seed: Annotated[int | None, seed_option("The same seed gives the same bytes; 233 if not given.")] = None,
) -> None:
    """Write a benchmark that comes with the package, or make one from pictures of your own (docs/building.md).

    \b
    Examples:
      safeeraser data build data/icons
      safeeraser data build data/small --scale 0.05
      safeeraser data build data/mine --images pictures safe.pictures=kites
      safeeraser data build data/mine --settings build.yaml --estimate
    """
    if not (changes or images or settings or work or estimate):
        _build_shipped(output, benchmark or "icons", 1.0 if scale is None else scale, 233 if seed is None else seed)
        return
    if changes and not (images or settings or any(each.startswith("images") for each in changes)):
        raise UserError(
            f"{' '.join(changes)}: a benchmark that comes with the package takes no KEY=VALUE, and one made from "
            f"pictures needs --images or --settings; {unknown('option', changes[0].partition('=')[0], _SHIPPED)}"
        )
    for name, value in (("--benchmark", benchmark), ("--scale", scale)):
        if value is not None:
            raise UserError(f"{name} is for benchmarks that come with the package, not for pictures of your own")
    _build_own(output, _settings(settings, images, seed, changes or []), work, only_estimate=estimate)


@app.command()
def prompts(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write them.")],
) -> None:
    """Write out the prompts, question templates and lists that `data build` uses, to be changed.

    \b
    Examples:
      safeeraser data prompts my-prompts
      safeeraser data build data/mine --images pictures safe.pictures=kites prompts=my-prompts
    """
    from safeeraser.curation.prompts import write_out

    for path in write_out(folder):
        say(str(path))


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
    from safeeraser.judges.rules import is_refusal

    found = _scan(folder, layout)
    prepare = _prepare(model) if model is not None else None
    with progress("check") as move:
        findings = check_reading(found, is_refusal=is_refusal, prepare=prepare, progress=move, workers=workers)
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
    from safeeraser.judges.rules import is_refusal

    found = _scan(folder, layout)
    with progress("fix") as move:
        left_out = fixes.fix(found, output, is_refusal=is_refusal, also=also or (), progress=move, workers=workers)
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
    from safeeraser.benchmarks import read
    from safeeraser.benchmarks.tools import show as shows
    from safeeraser.benchmarks.tools.cards import cards
    from safeeraser.benchmarks.tools.sheet import contact_sheet

    benchmark = read(folder, layout)
    found = cards(benchmark, split=split, category=category)
    if sheet is None:
        shows.show(found[:limit], stdout)
    else:
        say(f"{contact_sheet(benchmark.name, found, sheet)} records: {sheet}")


@app.command()
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
    from safeeraser.benchmarks import source as kind
    from safeeraser.benchmarks.tools.export import export as write

    source = kind(layout)
    with progress("export") as move:
        write(source.read(folder), output, to, licence=licence or source.licence, progress=move)
    say(f"{to}: {output}")


def _scan(folder: Path, layout: str) -> Reading:
    from safeeraser.benchmarks import source

    found = source(layout).scan(folder)
    if not found.root.is_dir():
        raise UserError(f"{folder}: no such folder")
    return found


def _prepare(model: str) -> Callable[[Example], object]:
    """What makes of an example what the model is given, and raises UserError for one that it refuses."""
    from safeeraser.models.chat import ChatTokenizer
    from safeeraser.models.load import load_processor
    from safeeraser.models.prepare import prepare

    chat = ChatTokenizer.configured(*load_processor(model))
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


def _build_shipped(output: Path, benchmark: str, scale: float, seed: int) -> None:
    from safeeraser.benchmarks import SOURCES

    embedded = [name for name, source in SOURCES.items() if source.embedded]
    if benchmark not in embedded:
        raise UserError(unknown("benchmark to build", benchmark, embedded))
    source = SOURCES[benchmark]
    if not 0 < scale <= 1:
        raise UserError(f"--scale must be above 0 and at most 1, not {scale:g}")
    source.build(output, scale=scale, seed=seed)
    print_counts({f"{split}/{stream}": n for (split, stream), n in source.read(output).counts().items()})


def _build_own(output: Path, settings: BuildSettings, work: Path | None, *, only_estimate: bool) -> None:
    from safeeraser.curation import build as building
    from safeeraser.curation import estimate, release
    from safeeraser.curation.kit import Kit
    from safeeraser.files import require_named

    require_named(output)
    place = building.Work(work or output.with_name(f"{output.name}.work"))
    kit = Kit.of(settings, place.replies, say)
    if only_estimate:
        _print_estimate(estimate.estimate(settings, kit, place))
        return
    counts, gate = building.build(settings, kit, place, output)
    print_counts(counts)
    _print_gate(gate)
    say(f"for review: {output / release.SAMPLE}; what was left out: {output / release.FINDINGS}")


def _settings(file: Path | None, images: Path | None, seed: int | None, changes: Sequence[str]) -> BuildSettings:
    from safeeraser.cli.names import names
    from safeeraser.curation.settings import BuildSettings
    from safeeraser.runs import read_text, validated

    text, source = (read_text(file), str(file)) if file else ("", "options")
    return validated(BuildSettings, text, source, changes, names(), {"images": images, "seed": seed})


def _print_estimate(found: Estimate) -> None:
    table = Table("still to do", "about", show_edge=False)
    table.add_row("requests to the writer", f"{found.requests:,}")
    table.add_row("tokens sent", f"{found.input_tokens:,}")
    table.add_row("tokens written", f"{found.output_tokens:,}")
    table.add_row("cost", "no prices given" if found.cost is None else f"{found.cost:.4f}")
    table.add_row("cost at the most tokens allowed", "no prices given" if found.most is None else f"{found.most:.4f}")
    table.add_row("safe pictures to paint", f"{found.safe_pictures:,}")
    table.add_row("answers in all, of the model to be unlearned", f"{found.answers:,}")
    stdout.print(table)


def _print_gate(gate: Gate) -> None:
    table = Table("rule", "found", "left out", show_edge=False)
    for rule, costs in gate.counts().items():
        cost = ", ".join(f"{count} x {what}" for what, count in costs.items() if what != "nothing")
        table.add_row(rule, f"{costs.total():,}", cost or "nothing")
    stdout.print(table)
