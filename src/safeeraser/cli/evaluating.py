"""`evaluate`: a benchmark's questions to a model before and after unlearning, judged, scored and side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.options import Adapters, Data, Dtype, Format, Limit, Model, Overrides, Parts, Seed, chosen, named
from safeeraser.cli.output import say, stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeeraser.metrics import Column
    from safeeraser.runs.folder import RunFolder


def evaluate(
    data: Data,
    output: Annotated[Path, typer.Option("--output", help="Folder for answers, verdicts and metrics.json.")],
    given: Overrides = None,
    layout: Format = "released",
    adapter: Adapters = None,
    model: Model = "tiny",
    dtype: Dtype = "auto",
    part: Parts = None,
    limit: Limit = None,
    seed: Seed = None,
    judge: Annotated[str, typer.Option("--judge", help="The judge; `safeeraser judges` lists them.")] = "rules",
) -> None:
    """Ask a model a benchmark's questions, before and after unlearning, and score the answers side by side.

    Nothing is trained: this is for adapters that are there, on data that they were not made for, such as XSTest and
    MOSSBench. KEY=VALUE are the keys of `generate` and `judge` in a run's configuration, as in generate.batch_size=8.
    What is finished is not done again; the exit code is 3 while too many verdicts are missing.

    \b
    Examples:
      safeeraser evaluate --data XSTest --format xstest --adapter out/po/adapter --adapter out/po+pd/adapter \\
        --output out/xstest
      safeeraser evaluate --data MOSSBench --format mossbench --model llava-hf/llava-1.5-7b-hf \\
        --adapter out/llava/adapter --output out/mossbench generate.max_new_tokens=128
    """
    from safeeraser.cli import wiring
    from safeeraser.generation.run import generate
    from safeeraser.judges.run import check_failures, judge_file
    from safeeraser.metrics import measured
    from safeeraser.records import Generation, Verdict, read_jsonl
    from safeeraser.runs import parse
    from safeeraser.runs.folder import RunFolder

    options = {"model": model, "dtype": dtype, "judge.name": judge, **({} if seed is None else {"seed": seed})}
    overrides = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    settings = parse("", "options", [*overrides, *(given or [])], wiring.names())
    folder, benchmark = RunFolder(output), wiring.read(data, layout)
    kit = wiring.kit(settings, folder)
    examples = chosen(benchmark.examples, part, limit, settings.seed)
    judging = kit.judge(benchmark.refusals)
    judging.check()
    tables: dict[str, list[Column]] = {}
    tallies = {}
    for name, path in named(adapter).items():
        generate(kit.load(path), examples, settings.generate, folder.generations(name))
        answers = read_jsonl(folder.generations(name), Generation)
        tallies[str(folder.verdicts(name))] = judge_file(judging, examples, answers, folder.verdicts(name))
        verdicts = [each for each in read_jsonl(folder.verdicts(name), Verdict) if each.judge == judging.name]
        tables[name] = measured(examples, answers, verdicts)
    _show(tables, folder)
    check_failures(tallies, settings.failure_limit)


def _show(tables: Mapping[str, list[Column]], folder: RunFolder) -> None:
    """The metrics of every model, also written, and the differences from the model before."""
    from safeeraser.metrics import summarise, usual
    from safeeraser.runs import pipeline
    from safeeraser.runs.report import print_table

    metrics = [summarise(name, column) for name, columns in tables.items() for column in columns]
    asked = {metric.part for metric in metrics if metric.n or metric.unscored}
    metrics = [metric for metric in metrics if metric.part in asked]
    pipeline.write_metrics(folder.metrics, metrics)
    changes = [each for each in usual(tables) if each.part in asked]
    print_table(metrics, list(tables), stdout, differences=changes)
    say(f"answers, verdicts and metrics: {folder.root}")
