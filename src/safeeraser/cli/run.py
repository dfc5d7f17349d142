"""`run`: everything that a configuration asks for, from data to report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeeraser.cli.attack import show_attacks
from safeeraser.cli.options import Limit, Overrides, PrintConfig, RunOutput, Seed, run_options
from safeeraser.cli.output import alone, say, stdout

if TYPE_CHECKING:
    from safeeraser.runs import RunSettings


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="The run's settings.")],
    given: Overrides = None,
    output: RunOutput = None,
    seed: Seed = None,
    limit: Limit = None,
    print_config: PrintConfig = False,
) -> None:
    """Do a run from its configuration, or go on with it.

    Its stages: data, unlearning, answers, verdicts, metrics, report. What is finished is not done again, so the same
    command goes on with a run that was stopped. Started by torchrun, `accelerate launch` or srun, the processes share
    every stage.

    \b
    Examples:
      safeeraser run run.yaml
      safeeraser run run.yaml unlearn.steps=60 --print-config
      safeeraser run run.yaml --seed 1 unlearn.steps=60 methods_settings.po+pd.steps=90
      safeeraser run run.yaml model=llava-hf/llava-1.5-7b-hf data.benchmark=released data.path=SafeEraser
      torchrun --nproc-per-node 8 -m safeeraser run run.yaml
    """
    from safeeraser.runs import read_text

    options = run_options(seed=seed, limit=limit, output=output)
    carry_out(read_text(config), str(config), given, options, only_print=print_config)


def carry_out(text: str, source: str, given: list[str] | None, options: Mapping[str, Any], *, only_print: bool) -> None:
    """Do the run of a configuration, with overrides and options, and print what it comes to; or print its settings."""
    say("loading libraries")
    from safeeraser import runs as config
    from safeeraser.cli.names import names
    from safeeraser.models.processes import on_main
    from safeeraser.runs import attacks, pipeline
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.kit import Kit

    if only_print:
        alone()
    settings = on_main(lambda: config.parse(text, source, given or [], names(), options))
    chosen = attacks.choose_attacks(settings.attacks)
    if only_print:
        stdout.print(config.as_yaml(settings), end="", markup=False, soft_wrap=True)
        return
    kit = Kit.of(settings, RunFolder(settings.folder))
    finish(lambda: pipeline.run(settings, kit, say), settings, settings.folder)
    for data in settings.also:
        stdout.print(f"\nThe same models on {data.benchmark}", style="bold", markup=False)
        also = settings.asking(data)
        finish(partial(pipeline.run_also, settings, data, say), also, also.folder, brief=True)
    if chosen:
        stdout.print("\nDoes it last?", style="bold")
        models = settings.attack_models or settings.methods
        asked = attacks.of_run(settings, kit, RunFolder(settings.folder), chosen, models)
        show_attacks(asked, settings.folder)


def finish(work: Callable[[], object], settings: RunSettings, folder: Path, *, brief: bool = False) -> None:
    """Do the work and print what it comes to; where too many verdicts are missing, the table comes first."""
    from safeeraser import launched
    from safeeraser.judges.run import FailureLimitError

    try:
        work()
    except FailureLimitError:
        _show(settings, folder, brief=brief)
        raise
    if launched.is_main():
        _show(settings, folder, brief=brief)


def _show(settings: RunSettings, folder: Path, *, brief: bool) -> None:
    from safeeraser.runs.report import print_groups, print_result, read

    result = read(folder)
    if brief:
        print_groups(result.metrics, settings.methods, stdout)
    else:
        print_result(result.metrics, settings.methods, result.differences, result.failures, stdout, result.costs)
    say(f"every answer and figure: {folder / 'report.html'}; as Markdown: {folder / 'report.md'}")
