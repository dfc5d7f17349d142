"""`sweep`: hyper-parameters of each method, chosen on the selection part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Limit, Overrides, PrintConfig, RunOutput, Seed, run_options
from safeeraser.cli.output import print_table, say, stdout


def sweep(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A run's settings with `sweep`.")],
    given: Overrides = None,
    output: RunOutput = None,
    seed: Seed = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Trials of each method.")] = None,
    limit: Limit = None,
    print_config: PrintConfig = False,
) -> None:
    """Choose the hyper-parameters of each method by trials on the selection part.

    What is tried stands in the configuration under `sweep`; each method has the same number of trials. The best go into
    choice.yaml, and only `run` on that asks the validation part. The same command goes on where it was stopped; given
    in several terminals, the processes share the trials.

    \b
    Examples:
      safeeraser sweep configs/sweep.yaml
      safeeraser sweep configs/sweep.yaml --trials 5 --limit 24 --output runs/look methods=[vanilla,po+pd]
      safeeraser run runs/sweep/choice.yaml
    """
    say("loading libraries")
    from safeeraser import runs

    options = run_options(seed=seed, limit=limit, output=output) | {"sweep.trials": trials}
    from safeeraser.cli.names import names
    from safeeraser.runs.distributions import check_overrides
    from safeeraser.runs.kit import Kit

    settings = runs.parse(runs.read_text(config), str(config), given or [], names(), options)
    check_overrides(settings, given or [])
    if print_config:
        stdout.print(runs.as_yaml(settings), end="", markup=False, soft_wrap=True)
        return
    from safeeraser.runs import sweep_report
    from safeeraser.runs.sweep import Sweep
    from safeeraser.runs.sweep_folder import CHOICE, validation_asked

    found = Sweep.begin(settings, Kit.of(settings), say)
    if (found.root / CHOICE).exists():
        more = "" if validation_asked(found.root) else ". Remove it to try more before you ask the validation part"
        say(f"{found.root / CHOICE} is written: nothing is tried any more{more}")
    else:
        count = len(found.kit.methods)
        say(f"{count} methods x {found.trials} trials = {count * found.trials} trainings at most")
        say(f"{found.left()} of them to be begun; {found.root} has them")
        found.work()
    choice = found.choose()
    if choice is None:
        say("other processes are at work on the last trials: the last one, or this command again, writes the choice")
        return
    best = [each for method in found.kit.methods if (each := found.best(method))]
    page = sweep_report.write(found, best)
    rows = sweep_report.rows(found, best)
    print_table([row[:-2] for row in rows])
    for method, *_, drawn, ended in rows[2:]:
        stdout.print(f"{method}: {drawn} ({ended})", markup=False, soft_wrap=True)
    for method in found.kit.methods:
        if not found.best(method):
            say(f"warning: {found.failure(method)}; it is not in {choice}")
    for each in best:
        if not each.figures["objective"]:
            say(f"warning: {each.method}: the objective was 0 in every trial, which chose between none; docs/tuning.md")
    say(f"chosen on the selection part; every answer: {page}; as Markdown with plots: {found.root / 'report.md'}")
    say(f"validation: safeeraser run {choice}")
