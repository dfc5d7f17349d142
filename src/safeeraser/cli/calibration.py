"""`calibrate`: draw answers for people to label, and see what the labels say about judges and rates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.options import Format
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError

if TYPE_CHECKING:
    from safeeraser.judges.agreement.sample import Answered
    from safeeraser.records import Example, Generation, Verdict

app = typer.Typer(
    help="""Hold judges against labels by people, and correct rates for their errors.

    \b
    Examples:
      safeeraser calibrate draw --run runs/demo --count 120 --output labels.html
      safeeraser calibrate figures labels.jsonl --run runs/demo
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)

Runs = Annotated[Path | None, typer.Option("--run", help="A run's folder: all its models' answers and verdicts.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="The benchmark, where there is no --run.")]
Generations = Annotated[
    list[Path] | None, typer.Option("--generations", help="A model's answers; may be given several times.")
]
Verdicts = Annotated[
    list[Path] | None, typer.Option("--verdicts", help="The verdicts on them; as often, in the same order.")
]
JudgeName = Annotated[
    str | None, typer.Option("--judge", help="Whose verdicts count, where there are several judges'.")
]
_Source = tuple[str, "list[Example]", "list[Generation]", "list[Verdict]"]


@app.command()
def draw(
    output: Annotated[Path, typer.Option("--output", help="What to fill in: a table (.csv) or a page (.html).")],
    run: Runs = None,
    data: DataFolder = None,
    layout: Format = "released",
    generations: Generations = None,
    verdicts: Verdicts = None,
    judge: JudgeName = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many answers.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draw.")] = 0,
) -> None:
    """Draw answers to label, balanced over what the judge says of them (which is not shown).

    In a table, put 1 where the axis holds of the answer and 0 where it does not; "-" is not asked. A page is opened in
    a browser and saves its labels as a file.

    \b
    Examples:
      safeeraser calibrate draw --run runs/demo --count 120 --output labels.html
      safeeraser calibrate draw --data data/icons --generations po.jsonl --verdicts verdicts.jsonl --output labels.csv
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


@app.command()
def figures(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Answers that somebody labelled (.jsonl or .csv).")],
    run: Runs = None,
    data: DataFolder = None,
    layout: Format = "released",
    generations: Generations = None,
    verdicts: Verdicts = None,
    judge: JudgeName = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the intervals' draws.")] = 0,
) -> None:
    """Show each judge's TPR, TNR and kappa on the labels, and every model's rates corrected for the judge's errors.

    Where the verdicts are of several judges, also how far they agree. docs/judging.md says how this is computed.

    \b
    Examples:
      safeeraser calibrate figures labels.csv --run runs/demo
      safeeraser calibrate figures labels.csv --data data/icons --generations po.jsonl --verdicts verdicts.jsonl
    """
    from safeeraser.judges.agreement.labels import read_labels
    from safeeraser.judges.agreement.rates import agree, calibrate, changed, to_markdown, unlabelled

    labelled = read_labels(labels)
    populations = _populations(list(_sources(run, data, layout, generations, verdicts)), judge)
    if stale := max(changed(population, labelled) for population in populations.values()):
        raise UserError(f"{labels}: {stale} labels are on other answers than those given")
    found = [calibrate(name, population, labelled, seed=seed) for name, population in populations.items()]
    if not any(each.accuracies for each in found):
        raise UserError(f"{labels}: no label is on any of these answers")
    if len(populations) == 1 and (left := unlabelled(next(iter(populations.values())), labelled)):
        say(f"warning: {left} answers are of kinds of verdict without any label; the figures say nothing about them")
    stdout.print(to_markdown(found, agree(populations, seed=seed)), markup=False, soft_wrap=True)


def _sources(
    run: Path | None,
    data: Path | None,
    layout: str,
    generations: list[Path] | None,
    verdicts: list[Path] | None,
) -> Iterator[_Source]:
    """Each model's name (its file's), with the examples, its answers and all verdicts on them."""
    from safeeraser.cli import wiring
    from safeeraser.records import Generation, Verdict, read_jsonl
    from safeeraser.runs.folder import RunFolder

    if run is not None:
        if data or generations or verdicts:
            raise UserError("--run says where everything is: leave out --data, --generations and --verdicts")
        folder = RunFolder(run)
        if not folder.config.exists():
            raise UserError(f"{run}: not a run's folder (it has no {folder.config.name})")
        settings = wiring.stored(folder)
        benchmark = wiring.read(settings.data.folder, settings.data.benchmark)
        files = [(folder.generations(name), folder.verdicts(name)) for name in settings.methods]
    else:
        if data is None or not generations or len(generations) != len(verdicts or []):
            raise UserError("give --run, or --data with a --generations and a --verdicts for each model")
        benchmark = wiring.read(data, layout)
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
