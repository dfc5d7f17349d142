"""`score`: verdicts, a finished run, or the authors' answer files become metrics."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeeraser.cli.complete import complete_format, complete_judge, one_of
from safeeraser.cli.judge import judge_settings
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError, unknown
from safeeraser.files import real, write_json
from safeeraser.records import Split

if TYPE_CHECKING:
    from safeeraser.benchmarks.benchmark import Benchmark
    from safeeraser.judges.run import Tally
    from safeeraser.metrics import Protocol
    from safeeraser.runs import RunSettings
    from safeeraser.runs.results import FinishedRun, Judged


def _figures_file(given: str) -> Path:
    """A file for figures that leaves room for the page beside it."""
    path = Path(given)
    if given.endswith(("/", "..")) or path.is_dir():
        raise typer.BadParameter(f"{given}: a folder; name the figures' file, such as {path / 'figures.json'}")
    if path.exists() and not path.is_file():  # as /dev/null
        raise typer.BadParameter(f"{given}: not a file that could be written anew; name another")
    if path.suffix.lower() == ".html":
        raise typer.BadParameter(f"{given}: the answers' page is named so; name a file such as {path.stem}.json")
    return path


def _page(figures: Path) -> Path:
    """The page beside a file of figures, each of its own: only .json gives way to .html."""
    return figures.with_name(f"{figures.name.removesuffix('.json')}.html")


Counting = Annotated[
    str,
    typer.Option(
        "--protocol", help="strict, or paper: as the authors compute.", autocompletion=one_of("strict", "paper")
    ),
]
Figures = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        parser=_figures_file,
        help="File for the figures, as JSON; the answers are put beside it, in a page (.html).",
    ),
]
JudgeName = Annotated[
    str | None,
    typer.Option(
        "--judge",
        help="Who judges the answer file (rules if not given); else whose verdicts count.",
        autocompletion=complete_judge,
    ),
]


def score(
    run_or_keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [KEY=VALUE]...", help="A finished run's folder; with --answers, settings of the judge."
        ),
    ] = None,
    answers: Annotated[Path | None, typer.Option("--answers", help="Answers in the authors' layout.")] = None,
    generations: Annotated[Path | None, typer.Option("--generations", help="Answers, as `generate` writes.")] = None,
    verdicts: Annotated[Path | None, typer.Option("--verdicts", help="Verdicts, as `judge` writes them.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The benchmark; a run's own if not given.")] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="The layout of --data, released if not given; a RUN knows its own.",
            autocompletion=complete_format,
        ),
    ] = None,
    split: Annotated[
        Split | None, typer.Option("--split", help="Of which split the answer file is; validation if not given.")
    ] = None,
    judge: JudgeName = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A run's configuration: its judge judges the answer file.")
    ] = None,
    protocol: Counting = "strict",
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the model in the table; a RUN names its own.")
    ] = None,
    output: Figures = None,
    old_compare: Annotated[tuple[str, str] | None, typer.Option("--compare", hidden=True)] = None,
    old_seeds: Annotated[bool, typer.Option("--seeds", hidden=True)] = False,
) -> None:
    """Turn verdicts into metrics with 95% intervals.

    The models of a RUN stand side by side, with their differences from vanilla. An answer file in the authors' layout
    is judged first, by --judge with its KEY=VALUE as for `safeeraser judge`, or by the judge of a --config; its
    verdicts are kept where --verdicts names a file. Of --generations only questions with an answer count as asked.
    docs/metrics.md explains the figures.

    \b
    Examples:
      safeeraser score runs/demo
      safeeraser score --data data/icons --generations po.jsonl --verdicts verdicts.jsonl --name po --output po.json
      safeeraser score --answers all_val.json --data SafeEraser --protocol paper
      safeeraser score --answers all_val.json --data SafeEraser --judge endpoint url=http://localhost:8000/v1 model=m
    """
    from safeeraser.benchmarks import read
    from safeeraser.runs.results import Reader

    given = run_or_keys or []
    _refuse_old_spellings(given, old_compare, seeds=old_seeds)
    keys = [each for each in given if answers and "=" in each]
    runs = [Path(each) for each in given if each not in keys]
    for_answers = {"--split": split, "--config": config}
    if runs:
        others = {"--answers": answers, "--generations": generations, "--verdicts": verdicts}
        _refuse({**others, "--format": layout, "--name": name, **for_answers}, "a run folder")
    elif answers is not None:
        _refuse({"--generations": generations}, "--answers")
    else:
        _refuse(for_answers, "--generations")
    _keep_inputs(output, answers, generations, verdicts, config)
    how = counting(protocol)
    if runs:
        if len(runs) > 1:
            raise UserError("several run folders: `safeeraser seeds` puts them together, `compare` holds two apart")
        keep_runs(output, runs)
        (run,) = Reader(data, judge).read(runs)
        content = _show_run(run, how)
        if output is not None:
            write_page([run], output)
    elif answers is not None:
        judging = judge_settings(judge, keys, config)
        benchmark = read(_needed("--data", data), layout or "released")
        own = split or Split.VALIDATION
        judged, tally = _answers(answers, benchmark, own, judging, verdicts, as_the_authors=how.scores_own_answers)
        kept = judged if how.scores_own_answers else _without_own(judged)
        content = _show(kept, name or "model", how, output)
    else:
        files = (_needed("--data", data), _needed("--generations", generations), _needed("--verdicts", verdicts))
        content = _show(_from_files(*files, layout or "released", judge), name or "model", how, output)
    if output is not None:
        write_json(output, content)
    if answers is not None:
        from safeeraser.judges.run import check_failures

        check_failures({str(answers): tally}, judging.failure_limit)


def counting(name: str) -> Protocol:
    """The protocol of this name."""
    from safeeraser.metrics import PROTOCOLS

    if name not in PROTOCOLS:
        raise UserError(f"--protocol: {unknown('protocol', name, PROTOCOLS)}")
    return PROTOCOLS[name]


def explain(protocol: Protocol, judged: Iterable[Judged]) -> None:
    """Print what a protocol does otherwise than `strict`, and to how many answers."""
    counts = sum((each.touched(protocol) for each in judged), Counter[str]()) if protocol.deviations else Counter()
    if protocol.deviations:
        stdout.print(f"Protocol {protocol.name}: for comparison with published figures only (docs/metrics.md).")
    for deviation in protocol.deviations:
        touched = "all answers" if deviation.touches is None else f"{counts[deviation.name]} answers"
        stdout.print(f"  {deviation.name} ({touched}): {deviation.says}", markup=False, soft_wrap=True)


def _refuse_old_spellings(given: list[str], compare: tuple[str, str] | None, *, seeds: bool) -> None:
    if compare is not None:
        raise UserError(f"`score --compare` is a command now: safeeraser compare {' '.join([*given[:1], *compare])}")
    if seeds:
        raise UserError(f"`score --seeds` is a command now: safeeraser seeds {' '.join(given) or 'RUN RUN'}")


def _refuse(given: dict[str, Any], place: str) -> None:
    """Options that would change nothing about what is scored."""
    idle = [option for option, value in given.items() if value is not None]
    if idle:
        raise UserError(f"{' and '.join(idle)}: not with {place}")


def _keep_inputs(output: Path | None, *inputs: Path | None) -> None:
    """Raise UserError where figures or page would take the place of what is read, or of the verdicts."""
    written = [] if output is None else [real(output), real(_page(output))]
    for path in inputs:
        if path is not None and real(path) in written:
            raise UserError(f"--output {output}: {path} would be overwritten; name another file")


def keep_runs(output: Path | None, runs: Iterable[Path]) -> None:
    """Raise UserError where figures or page would take the place of a run's own files, which are read again."""
    from safeeraser.runs.report import PAGE, REPORT

    own = ("config.yaml", "manifest.json", "metrics.json", "costs.json", REPORT, PAGE)
    _keep_inputs(output, *(run / name for run in runs for name in own))


def _needed(option: str, path: Path | None) -> Path:
    if path is None:
        raise UserError(f"{option} is needed; or give a run folder, or --answers")
    return path


def _show_run(run: FinishedRun, protocol: Protocol) -> Any:
    from safeeraser.metrics import summarise, usual
    from safeeraser.runs.report import print_table

    judged = {model: run.judged(model) for model in run.settings.methods}
    tables = {model: each.columns(protocol) for model, each in judged.items()}
    metrics = [summarise(model, column) for model, columns in tables.items() for column in columns]
    print_table(metrics, list(tables), stdout, measures=protocol.measures, differences=usual(tables))
    explain(protocol, judged.values())
    return [dataclasses.asdict(metric) for metric in metrics]


def _from_files(data: Path, generations: Path, verdicts: Path, layout: str, judge: str | None) -> Judged:
    from safeeraser.benchmarks import read
    from safeeraser.records import Generation, Verdict, read_jsonl
    from safeeraser.runs.results import Judged, by_one_judge, choose_judge, same_answers

    answers, every = read_jsonl(generations, Generation), read_jsonl(verdicts, Verdict)
    if not answers:
        raise UserError(f"{generations}: no answers in it")
    answered = {answer.example_id for answer in answers}
    examples = [example for example in read(data, layout).examples if example.id in answered]
    counted = by_one_judge(every, choose_judge(every, judge, str(verdicts))) if every else []
    same_answers(answers, counted, verdicts)
    return Judged(examples, answers, counted)


def _answers(
    file: Path,
    benchmark: Benchmark,
    split: Split,
    judging: RunSettings,
    verdicts: Path | None,
    *,
    as_the_authors: bool,
) -> tuple[Judged, Tally]:
    """The authors' answers with their verdicts; answers without one are counted in the tally."""
    from safeeraser.benchmarks.released.answers import read_answers
    from safeeraser.judges.table import maker
    from safeeraser.runs.results import asked_in, judge_answers

    found = read_answers(file, benchmark, split, as_the_authors=as_the_authors)
    for problem in found.problems:
        say(f"warning: {problem}")
    examples = asked_in(benchmark, found.generations, split)
    return judge_answers(maker(judging.all_judges)(benchmark.refusals), examples, found.generations, verdicts)


def _without_own(judged: Judged) -> Judged:
    """Answers that the model never gave are unscored, and said to be."""
    from safeeraser.runs.results import without_own_answers

    kept = without_own_answers(judged)
    if left := len(judged.answers) - len(kept.answers):
        say(f"warning: {left} answers are the benchmark's own, left in place for want of a picture: not scored")
    return kept


def write_page(runs: Sequence[FinishedRun], figures: Path) -> None:
    """Write the answers of runs into a page beside a file of figures."""
    from safeeraser.runs import pages

    say(f"every answer: {pages.write(runs, _page(figures))}")


def _show(judged: Judged, name: str, protocol: Protocol, output: Path | None) -> Any:
    from safeeraser.metrics import summarise
    from safeeraser.runs import pages
    from safeeraser.runs.report import print_table

    metrics = [summarise(name, column) for column in judged.columns(protocol)]
    print_table(metrics, [name], stdout, measures=protocol.measures)
    explain(protocol, [judged])
    if output is not None:
        say(f"every answer: {pages.write_judged(name, judged, metrics, _page(output))}")
    return [dataclasses.asdict(metric) for metric in metrics]
