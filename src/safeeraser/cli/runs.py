"""Whole runs: `demo`, `run`, `report`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.attack import show_attacks
from safeeraser.cli.options import Limit, Overrides, Seed, overrides
from safeeraser.cli.output import alone, say, stdout
from safeeraser.errors import UserError

if TYPE_CHECKING:
    from safeeraser.runs import RunSettings

Output = Annotated[Path | None, typer.Option("--output", help="The run's folder.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print every setting as YAML, and do nothing.")]


def demo(
    given: Overrides = None,
    output: Output = None,
    seed: Seed = None,
    limit: Limit = None,
    print_config: PrintConfig = False,
) -> None:
    """Unlearn the embedded model, before and after.

    With po and with po+pd (Prompt Decouple): all three are measured and printed side by side. This is a run of the
    configuration that comes with the package, in runs/demo unless told otherwise.

    \b
    Examples:
      safeeraser demo
      safeeraser demo --limit 24 --output runs/quick
      safeeraser demo --seed 1 --output runs/seed-1 methods=[vanilla,po+pd]
    """
    text = files("safeeraser").joinpath("configs/demo.yaml").read_text(encoding="utf-8")
    _run(text, "demo.yaml", overrides(given, seed=seed, limit=limit, output=output), print_config)


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="The run's settings.")],
    given: Overrides = None,
    output: Output = None,
    seed: Seed = None,
    limit: Limit = None,
    print_config: PrintConfig = False,
) -> None:
    """Do a run from its configuration, or go on with it.

    Its stages: data, unlearning, answers, verdicts, metrics, report. What is finished is not done again, so the same
    command goes on with a run that was stopped.

    \b
    Examples:
      safeeraser run run.yaml
      safeeraser run run.yaml unlearn.steps=60 --print-config
      safeeraser run run.yaml --seed 1 unlearn.steps=60 methods_settings.po+pd.steps=90
      safeeraser run run.yaml model=llava-hf/llava-1.5-7b-hf data.benchmark=released data.path=SafeEraser
    """
    from safeeraser.runs import read_text

    _run(read_text(config), str(config), overrides(given, seed=seed, limit=limit, output=output), print_config)


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    data: Annotated[Path | None, typer.Option("--data", help="The benchmark, where it was moved.")] = None,
) -> None:
    """Judge, score and report a finished run again.

    No model is loaded: the answers are used as they are.

    \b
    Example:
      safeeraser report runs/demo
    """
    from safeeraser.cli import wiring
    from safeeraser.runs import pipeline
    from safeeraser.runs.folder import RunFolder

    alone()
    place = RunFolder(folder)
    settings = place.settings()
    moved = settings.data.model_copy(update={"path": place.data(settings.data, data)})
    settings = settings.model_copy(update={"data": moved})
    finish(lambda: pipeline.report_again(settings, wiring.kit(settings, place), place, say), settings, folder)


def _run(text: str, source: str, given: list[str], only_print: bool) -> None:
    say("loading libraries")
    from safeeraser import runs as config
    from safeeraser.cli import wiring

    settings = config.parse(text, source, given, wiring.names())
    if only_print:
        stdout.print(config.as_yaml(settings), end="", markup=False, soft_wrap=True)
        return
    from safeeraser.models.processes import processes
    from safeeraser.runs import attacks, pipeline
    from safeeraser.runs.folder import RunFolder

    if processes().num_processes > 1:
        raise UserError(
            "a run is one process, and several were started; `safeeraser unlearn` and `generate` share their work "
            "among several, then `judge` and `score` follow in one"
        )
    chosen = attacks.choose_attacks(settings.attacks)
    kit = wiring.kit(settings, RunFolder(settings.folder))
    finish(lambda: pipeline.run(settings, kit, say), settings, settings.folder)
    if chosen:
        stdout.print("\nDoes it last?", style="bold")
        show_attacks(attacks.of_run(settings, kit, RunFolder(settings.folder), chosen))


def finish(work: Callable[[], object], settings: RunSettings, folder: Path) -> None:
    """Do the work and print what it comes to; where too many verdicts are missing, the table comes first."""
    from safeeraser.judges.run import FailureLimitError

    try:
        work()
    except FailureLimitError:
        _show(settings, folder)
        raise
    _show(settings, folder)


def _show(settings: RunSettings, folder: Path) -> None:
    from safeeraser.runs.report import print_result, read

    result = read(folder)
    print_result(result.metrics, settings.methods, result.differences, result.failures, stdout)
    say(f"every answer and figure: {folder / 'report.html'}; as Markdown: {folder / 'report.md'}")
