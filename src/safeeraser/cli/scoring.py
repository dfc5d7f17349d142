"""`score`: verdicts, finished runs and the authors' answer files become metrics, comparisons and means over seeds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeeraser.cli.complete import complete_format, complete_judge, one_of
from safeeraser.cli.judging import judge_settings
from safeeraser.cli.output import alone, say, stdout
from safeeraser.errors import UserError, unknown
from safeeraser.files import write_json
from safeeraser.records import Split

if TYPE_CHECKING:
    from safeeraser.benchmarks.benchmark import Benchmark
    from safeeraser.judges.run import Tally
    from safeeraser.metrics import Combined, Difference, Protocol
    from safeeraser.runs import RunSettings
    from safeeraser.runs.results import FinishedRun, Judged, Reader

Compare = Annotated[
    tuple[str, str] | None,
    typer.Option("--compare", metavar="A B", help="B minus A: two run folders, or two models of the one RUN."),
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
    runs_or_keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|KEY=VALUE]...", help="Folders of finished runs; with --answers, settings of the judge."
        ),
    ] = None,
    compare: Compare = None,
    seeds: Annotated[bool, typer.Option("--seeds", help="Put RUNs that differ only in their seed together.")] = False,
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
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", help="strict, or paper: as the authors compute.", autocompletion=one_of("strict", "paper")
        ),
    ] = "strict",
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the model in the table; a RUN names its own.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="File for the figures, as JSON.")] = None,
) -> None:
    """Turn verdicts into metrics with 95% intervals; compare models, put seeds together.

    The models of a RUN stand side by side, with their differences from vanilla. An answer file in the authors' layout
    is judged first, by --judge with its KEY=VALUE as for `safeeraser judge`, or by the judge of a --config; its
    verdicts are kept where --verdicts names a file. Of --generations only questions with an answer count as asked.
    docs/metrics.md explains the figures.

    \b
    Examples:
      safeeraser score --data data/icons --generations po.jsonl --verdicts verdicts.jsonl --name po --output po.json
      safeeraser score runs/demo
      safeeraser score runs/demo --compare po po+pd
      safeeraser score --compare runs/one runs/other
      safeeraser score --seeds runs/seed-1 runs/seed-2 runs/seed-3
      safeeraser score --answers all_val.json --data SafeEraser --protocol paper
      safeeraser score --answers all_val.json --data SafeEraser --judge endpoint url=http://localhost:8000/v1 model=m
    """
    from safeeraser.cli import wiring

    alone()
    keys = [each for each in runs_or_keys or [] if answers and "=" in each]
    runs = [Path(each) for each in runs_or_keys or [] if each not in keys]
    _one_of({"--seeds": seeds, "--compare": compare, "--answers": answers, "--generations": generations}, runs)
    for_answers = {"--split": split, "--config": config}
    if runs or seeds or compare is not None:
        _refuse({"--format": layout, "--name": name, "--verdicts": verdicts, **for_answers}, "run folders")
    elif generations is not None:
        _refuse(for_answers, "--generations")
    counting = _protocol(protocol)
    if seeds:
        content = _seeds(_reader(data, judge), runs, counting)
    elif compare is not None:
        content = _compare(_reader(data, judge), runs, compare, counting)
    elif runs:
        content = _run(_reader(data, judge), runs, counting)
    elif answers is not None:
        judging = judge_settings(judge, keys, config)
        benchmark = wiring.read(_needed("--data", data), layout or "released")
        own = split or Split.VALIDATION
        judged, tally = _answers(answers, benchmark, own, judging, verdicts, as_the_authors=counting.scores_own_answers)
        kept = judged if counting.scores_own_answers else _without_own(judged)
        content = _show(kept, name or "model", counting)
    else:
        files = (_needed("--data", data), _needed("--generations", generations), _needed("--verdicts", verdicts))
        content = _show(_from_files(*files, layout or "released", judge), name or "model", counting)
    if output is not None:
        write_json(output, content)
    if answers is not None:
        from safeeraser.judges.run import check_failures

        check_failures({str(answers): tally}, judging.failure_limit)


def _one_of(given: dict[str, Any], runs: Sequence[Path]) -> None:
    """What is scored comes from one place."""
    options = [name for name, value in given.items() if value]
    if len(options) > 1:
        raise UserError(f"{' and '.join(options)}: choose one")
    if runs and options and options[0] not in ("--seeds", "--compare"):
        raise UserError(f"{options[0]} does not go with a run folder ({runs[0]})")


def _refuse(given: dict[str, Any], place: str) -> None:
    """Options that would change nothing about what is scored."""
    idle = [option for option, value in given.items() if value is not None]
    if idle:
        raise UserError(f"{' and '.join(idle)}: not with {place}")


def _protocol(name: str) -> Protocol:
    from safeeraser.metrics import PROTOCOLS

    if name not in PROTOCOLS:
        raise UserError(f"--protocol: {unknown('protocol', name, PROTOCOLS)}")
    return PROTOCOLS[name]


def _needed(option: str, path: Path | None) -> Path:
    if path is None:
        raise UserError(f"{option} is needed; or give a run folder, --answers, --compare or --seeds")
    return path


def _reader(data: Path | None, judge: str | None) -> Reader:
    from safeeraser.cli import wiring
    from safeeraser.runs.results import Reader

    return Reader(benchmark=wiring.read, data=data, judge=judge)


def _run(reader: Reader, roots: Sequence[Path], protocol: Protocol) -> Any:
    from safeeraser.metrics import summarise, usual
    from safeeraser.runs.report import print_table

    if len(roots) > 1:
        raise UserError("several run folders: put them together with --seeds, or compare two with --compare A B")
    (run,) = reader.read(roots)
    judged = {model: run.judged(model) for model in run.settings.methods}
    tables = {model: each.columns(protocol) for model, each in judged.items()}
    metrics = [summarise(model, column) for model, columns in tables.items() for column in columns]
    print_table(metrics, list(tables), stdout, measures=protocol.measures, differences=usual(tables))
    _explain(protocol, judged.values())
    return [dataclasses.asdict(metric) for metric in metrics]


def _compare(reader: Reader, roots: Sequence[Path], names: tuple[str, str], protocol: Protocol) -> Any:
    from safeeraser.runs.report import print_differences

    if len(roots) > 1:
        raise UserError("--compare A B: give two run folders, or one RUN and two of its models")
    compare = _compare_models if roots else _compare_runs
    differences = compare(reader.read(roots or [Path(name) for name in names]), names, protocol)
    of_runs = "" if roots else f" of {names[1]} minus that of {names[0]}"
    print_differences(differences, stdout, measures=protocol.measures, of_runs=of_runs)
    return [dataclasses.asdict(each) for each in differences]


def _compare_models(runs: Sequence[FinishedRun], names: tuple[str, str], protocol: Protocol) -> list[Difference]:
    from safeeraser import metrics as statistics

    if names[0] == names[1]:
        raise UserError(f"--compare: {names[0]} with itself")
    judged = {name: runs[0].judged(name) for name in names}
    _explain(protocol, judged.values())
    return statistics.compare({name: each.columns(protocol) for name, each in judged.items()}, names[0])


def _compare_runs(runs: Sequence[FinishedRun], names: tuple[str, str], protocol: Protocol) -> list[Difference]:
    """Each model that both runs have: the second run's minus the first's."""
    from safeeraser import metrics as statistics

    both = [model for model in runs[1].settings.methods if model in runs[0].settings.methods]
    if not both:
        raise UserError(f"{names[0]} and {names[1]} have no model in common")
    judged = [{model: run.judged(model) for model in both} for run in runs]
    _explain(protocol, [each for run in judged for each in run.values()])
    first, second = ({model: each.columns(protocol) for model, each in run.items()} for run in judged)
    return statistics.compare_runs(first, second)


def _seeds(reader: Reader, roots: Sequence[Path], protocol: Protocol) -> Any:
    from safeeraser import metrics as statistics
    from safeeraser.runs.results import same_but_for_the_seed

    if len(roots) < 2:
        raise UserError("--seeds: at least two run folders are needed")
    runs = reader.read(roots)
    same_but_for_the_seed(runs)
    judged = {model: [run.judged(model) for run in runs] for model in runs[0].settings.methods}
    tables = {model: [each.columns(protocol) for each in seeds] for model, seeds in judged.items()}
    combined = [each for model, columns in tables.items() for each in statistics.combine(model, columns)]
    differences = statistics.compare_seeds(tables)
    seeds = [run.settings.seed for run in runs]
    _show_seeds(combined, list(tables), seeds, protocol, differences)
    _explain(protocol, [each for found in judged.values() for each in found])
    return {
        "seeds": seeds,
        "metrics": [dataclasses.asdict(each.metric) | {"by_seed": each.by_seed} for each in combined],
        "differences": [dataclasses.asdict(each) for each in differences],
    }


def _show_seeds(
    combined: Sequence[Combined],
    models: Sequence[str],
    seeds: Sequence[int],
    protocol: Protocol,
    differences: Sequence[Difference],
) -> None:
    from safeeraser.runs.report import print_table
    from safeeraser.runs.report.table import percent

    details = {
        each.metric: " / ".join("-" if value is None else percent(value) for value in each.by_seed) for each in combined
    }
    listed = ", ".join(map(str, seeds))
    stdout.print(
        f"Means over {len(seeds)} seeds ({listed}); the intervals cover seeds and questions.\n"
        "Below each mean the value of every seed; n counts the answers of all seeds.",
        markup=False,
        soft_wrap=True,
    )
    metrics = [each.metric for each in combined]
    print_table(metrics, models, stdout, measures=protocol.measures, differences=differences, details=details)


def _from_files(data: Path, generations: Path, verdicts: Path, layout: str, judge: str | None) -> Judged:
    from safeeraser.cli import wiring
    from safeeraser.records import Generation, Verdict, read_jsonl
    from safeeraser.runs.results import Judged, by_one_judge, choose_judge, same_answers

    answers, every = read_jsonl(generations, Generation), read_jsonl(verdicts, Verdict)
    answered = {answer.example_id for answer in answers}
    examples = [example for example in wiring.read(data, layout).examples if example.id in answered]
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


def _show(judged: Judged, name: str, protocol: Protocol) -> Any:
    from safeeraser.metrics import summarise
    from safeeraser.runs.report import print_table

    metrics = [summarise(name, column) for column in judged.columns(protocol)]
    print_table(metrics, [name], stdout, measures=protocol.measures)
    _explain(protocol, [judged])
    return [dataclasses.asdict(metric) for metric in metrics]


def _explain(protocol: Protocol, judged: Iterable[Judged]) -> None:
    """What a protocol does otherwise than `strict`, and to how many answers."""
    counts = sum((each.touched(protocol) for each in judged), Counter[str]()) if protocol.deviations else Counter()
    if protocol.deviations:
        stdout.print(f"Protocol {protocol.name}: for comparison with published figures only (docs/metrics.md).")
    for deviation in protocol.deviations:
        touched = "all answers" if deviation.touches is None else f"{counts[deviation.name]} answers"
        stdout.print(f"  {deviation.name} ({touched}): {deviation.says}", markup=False, soft_wrap=True)
