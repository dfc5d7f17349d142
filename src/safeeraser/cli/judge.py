"""`judge`: verdicts on answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.complete import complete_judge
from safeeraser.cli.options import Data, Format, Overrides, stage_settings
from safeeraser.cli.output import say
from safeeraser.errors import UserError

if TYPE_CHECKING:
    from safeeraser.runs import RunSettings


JudgeName = Annotated[
    str | None,
    typer.Option(
        "--judge", help="The judge (rules if not given); `safeeraser judges` lists them.", autocompletion=complete_judge
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="A run's configuration, to take its judge or judges from.")
]


def judge(
    data: Data,
    generations: Annotated[Path, typer.Option("--generations", help="Answers, as `generate` writes them.")],
    output: Annotated[Path, typer.Option("--output", help="File for the verdicts, one line of JSON each.")],
    given: Overrides = None,
    layout: Format = "released",
    judge: JudgeName = None,
    config: Config = None,
    failure_limit: Annotated[
        float, typer.Option("--failure-limit", min=0, max=1, help="The share of verdicts that may be missing.")
    ] = 0.02,
) -> None:
    """Judge answers: refusals, nonsense, harmful compliance, facts.

    KEY=VALUE are the keys of `judge` in a run's configuration. Answers that have their verdicts already are not judged
    again, unless they have changed; what could not be scored is tried again by the same command, and the exit code is 3
    while too much of it is left. Started by torchrun, every process judges its share with a model on this machine. A
    server's key is read from the environment, OPENAI_API_KEY if not told otherwise.

    \b
    Examples:
      safeeraser judge --data data/icons --generations po.jsonl --output verdicts.jsonl
      safeeraser judge --data data/icons --generations po.jsonl --output verdicts.jsonl --judge endpoint \\
        url=http://localhost:8000/v1 model=Qwen/Qwen2.5-7B-Instruct cache=judge-replies.jsonl
      safeeraser judge --data data/icons --generations po.jsonl --output verdicts.jsonl --judge llama-guard \\
        model=meta-llama/Llama-Guard-3-8B
    """
    from safeeraser.benchmarks import read
    from safeeraser.judges.run import check_failures, describe_failures, judge_file
    from safeeraser.judges.table import maker
    from safeeraser.models.processes import on_main, together
    from safeeraser.records import Generation, read_jsonl

    chosen = judge_settings(judge, given, config).all_judges
    make = maker(chosen, output.with_name(f"{output.name}.replies.jsonl"))
    benchmark = read(data, layout)
    by = make(benchmark.refusals)
    answers = read_jsonl(generations, Generation)
    if not answers:
        raise UserError(f"{generations}: no answers in it")
    with together() as state:
        tally = on_main(lambda: judge_file(by, benchmark.examples, answers, output))
    if not state.is_main_process:
        return
    say(f"{tally.judged_now} of {tally.answers} answers judged now: {output}")
    check_failures({str(output): tally}, failure_limit)
    if tally.failures:
        say(describe_failures(tally))


def judge_settings(judge: str | None, given: list[str] | None, config: Path | None) -> RunSettings:
    """Settings that say who judges: from a run's configuration, or from a name and KEY=VALUE."""
    from safeeraser.cli.names import names
    from safeeraser.runs import load

    if config is not None:
        if judge is not None or given:
            raise UserError("--config says who judges: leave out --judge and KEY=VALUE")
        return load(config, names=names())
    return stage_settings("judge", given, {"judge.name": judge or "rules"})
