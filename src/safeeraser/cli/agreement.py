"""`agreement`: how far judges agree with people and with each other, and what that makes of the rates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from safeeraser.cli.judge import Config, judge_settings
from safeeraser.cli.keys import of_judges, takes
from safeeraser.cli.options import Format, Overrides, RunJudge, seed_option
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError

if TYPE_CHECKING:
    from safeeraser.judges.agreement.labels import Labelled
    from safeeraser.judges.agreement.sample import Answered
    from safeeraser.records import Example, Generation, Verdict
    from safeeraser.runs import RunSettings


class _Agreement(TyperGroup):
    """A file of labels in the place of a command is answered with the command that takes it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the subcommand. Raises UserError for a file of labels."""
        if args and Path(args[0]).suffix in (".jsonl", ".csv"):
            raise UserError(f"say what to do with the labels: safeeraser agreement figures {' '.join(args)}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Agreement,
    help="""Hold judges against labels by people and against each other, and correct rates for their errors.

    \b
    Examples:
      safeeraser agreement draw --run runs/demo --count 120 --output labels.html
      safeeraser agreement figures labels.jsonl --run runs/demo
      safeeraser agreement figures labels/tiny.jsonl --judge rules
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)

Runs = Annotated[Path | None, typer.Option("--run", help="A run's folder: all its models' answers and verdicts.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="The benchmark; for a --run whose data were moved too.")
]
Generations = Annotated[
    list[Path] | None, typer.Option("--generations", help="A model's answers; may be given several times.")
]
Verdicts = Annotated[
    list[Path] | None, typer.Option("--verdicts", help="The verdicts on them; as often, in the same order.")
]
_SHOWN = 400  # characters of an answer, and of a reason
_Source = tuple[str, "list[Example]", "list[Generation]", "list[Verdict]"]


@app.command()
def draw(
    output: Annotated[Path, typer.Option("--output", help="What to fill in: a table (.csv) or a page (.html).")],
    run: Runs = None,
    data: DataFolder = None,
    layout: Format = "released",
    generations: Generations = None,
    verdicts: Verdicts = None,
    judge: RunJudge = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many answers.")] = 200,
    seed: Annotated[int, seed_option("Seed of the draw.")] = 0,
) -> None:
    """Draw answers to label, balanced over what the judge says of them (which is not shown).

    In a table, put 1 where the axis holds of the answer and 0 where it does not; "-" is not asked. A page is opened in
    a browser and saves its labels as a file.

    \b
    Examples:
      safeeraser agreement draw --run runs/demo --count 120 --output labels.html
      safeeraser agreement draw --data data/icons --generations po.jsonl --verdicts verdicts.jsonl --output labels.csv
    """
    from safeeraser.judges.agreement.sample import draw as choose
    from safeeraser.judges.agreement.sheet import write_sheet

    populations = _populations(list(_sources(run, data, layout, generations, verdicts)), judge)
    if len(populations) > 1:
        raise UserError(f"verdicts of several judges: {', '.join(populations)}; choose one with --judge")
    (population,) = populations.values()
    drawn = choose(population, count, seed)
    write_sheet(output, drawn)
    say(f"{len(drawn)} of {len(population)} answers to label: {output}")


@app.command(cls=takes(of_judges))
def figures(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Answers that somebody labelled: .jsonl or a table.")
    ],
    given: Overrides = None,
    run: Runs = None,
    data: DataFolder = None,
    layout: Format = "released",
    generations: Generations = None,
    verdicts: Verdicts = None,
    judge: RunJudge = None,
    config: Config = None,
    seed: Annotated[int, seed_option("Seed of the intervals' draws.")] = 0,
) -> None:
    """Show each judge's TPR, TNR and kappa on the labels, and how far several judges agree with each other.

    With --run, or with answers and verdicts, the verdicts there are looked at, and every model's rates are corrected
    for the judge's errors. Without, the labelled answers are judged now: --judge (rules if not given) with the keys of
    `judge` in a run's configuration as KEY=VALUE, or --config; every answer on which judge and people differ is shown.

    \b
    Examples:
      safeeraser agreement figures labels.csv --run runs/demo
      safeeraser agreement figures labels.csv --data data/icons --generations po.jsonl --verdicts verdicts.jsonl
      safeeraser agreement figures labels/tiny.jsonl
      safeeraser agreement figures labels/tiny.jsonl --judge local model=Qwen/Qwen2.5-7B-Instruct
    """
    from safeeraser.judges.agreement.labels import read_labels

    labelled = read_labels(labels)
    if run or data or generations or verdicts:
        if given or config:
            raise UserError("KEY=VALUE and --config say who judges now: leave them out where there are verdicts")
        sources = list(_sources(run, data, layout, generations, verdicts))
        _print_verdicts(labels, labelled, _populations(sources, judge), seed)
    else:
        _print_judged(labelled, judge_settings(judge, given, config), seed)


def _print_verdicts(labels: Path, labelled: list[Labelled], populations: dict[str, list[Answered]], seed: int) -> None:
    from safeeraser.judges.agreement.rates import agree, calibrate, changed, to_markdown, unlabelled

    if stale := max(changed(population, labelled) for population in populations.values()):
        raise UserError(f"{labels}: {stale} labels are on other answers than those given")
    found = [calibrate(name, population, labelled, seed=seed) for name, population in populations.items()]
    if not any(each.accuracies for each in found):
        raise UserError(f"{labels}: no label is on any of these answers")
    if len(populations) == 1 and (left := unlabelled(next(iter(populations.values())), labelled)):
        say(f"warning: {left} answers are of kinds of verdict without any label; the figures say nothing about them")
    stdout.print(to_markdown(found, agree(populations, seed=seed)), markup=False, soft_wrap=True)


def _print_judged(labelled: list[Labelled], settings: RunSettings, seed: int) -> None:
    from safeeraser.judges.agreement import agreement as compare
    from safeeraser.judges.table import maker
    from safeeraser.text import line

    found = compare.agreement(maker(settings.all_judges)(()), labelled, seed=seed)
    stdout.print(compare.to_markdown(found), markup=False, soft_wrap=True)
    for read, verdict in (pair for each in found for pair in each.differences):
        answer, why = line(read.generation.answer, _SHOWN), line(verdict.reason or "no reason", _SHOWN)
        opinions = f"judge {verdict.value:g}, people {read.labels[verdict.axis]}"
        stdout.print(f"{verdict.axis}: {opinions}: '{answer}' ({why})", markup=False, soft_wrap=True)


def calibrate(context: typer.Context) -> None:
    """Say how the command is called now."""
    raise UserError(f"`calibrate` is part of `agreement` now: safeeraser agreement {' '.join(context.args)}".rstrip())


def _sources(
    run: Path | None,
    data: Path | None,
    layout: str,
    generations: list[Path] | None,
    verdicts: list[Path] | None,
) -> Iterator[_Source]:
    """Each model's name (its file's), with the examples, its answers and all verdicts on them."""
    from safeeraser.benchmarks import read
    from safeeraser.records import Generation, Verdict, read_jsonl
    from safeeraser.runs.folder import RunFolder

    if run is not None:
        if generations or verdicts:
            raise UserError("--run says where answers and verdicts are: leave out --generations and --verdicts")
        folder = RunFolder(run)
        settings = folder.settings()
        benchmark = read(folder.data(settings.data, data), settings.data.benchmark)
        files = [(folder.generations(name), folder.verdicts(name)) for name in settings.methods]
    else:
        if data is None or not generations or len(generations) != len(verdicts or []):
            raise UserError("give --run, or --data with a --generations and a --verdicts for each model")
        benchmark = read(data, layout)
        files = list(zip(generations, verdicts or [], strict=True))
    for answers, said in files:
        yield answers.stem, list(benchmark.examples), read_jsonl(answers, Generation), read_jsonl(said, Verdict)


def _populations(sources: list[_Source], judge: str | None) -> dict[str, list[Answered]]:
    """The answers with each judge's verdicts on them, by the judge's full name."""
    from safeeraser.judges.agreement.sample import answered

    judges = sorted({verdict.judge for _, _, _, verdicts in sources for verdict in verdicts})
    chosen = [name for name in judges if judge in (None, name, name.rpartition("@")[0])]
    if not chosen:
        raise UserError(f"no verdicts of {judge}" if judge else "no verdicts")
    return {
        name: [
            each
            for model, examples, answers, verdicts in sources
            for each in answered(model, examples, answers, [one for one in verdicts if one.judge == name])
        ]
        for name in chosen
    }
