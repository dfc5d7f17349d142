"""The command `safeeraser`: one file a command, named as it is typed; what several share is in `options`, `output`."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from typing import Annotated

import typer

from safeeraser import __version__, launched
from safeeraser.cli import (
    ablate,
    agreement,
    attack,
    attacks,
    benchmarks,
    chat,
    compare,
    data,
    demo,
    estimate,
    evaluate,
    generate,
    import_checkpoint,
    init,
    judge,
    judges,
    keys,
    likelihood,
    logs,
    merge,
    methods,
    models,
    pretrain,
    report,
    run,
    score,
    seeds,
    specificity,
    sweep,
    unlearn,
)
from safeeraser.cli.keys import takes
from safeeraser.cli.output import Commands, alone

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=takes(keys.of_run))(demo.demo)
app.command()(init.init)
app.command(cls=takes(keys.of_run))(run.run)
app.command(cls=takes(keys.of_run))(estimate.estimate)
app.command(cls=takes(keys.of_run))(sweep.sweep)
app.command(cls=takes(keys.of_unlearning))(unlearn.unlearn)
app.command(cls=takes(keys.of_answers))(generate.generate)
app.command()(likelihood.likelihood)
app.command(cls=takes(keys.of_judges))(judge.judge)
app.command(cls=takes(keys.of_judges))(score.score)
app.command()(compare.compare)
app.command()(seeds.seeds)
app.command()(report.report)
app.command()(logs.logs)
app.command(cls=takes(keys.of_evaluation))(evaluate.evaluate)
app.command()(chat.chat)
app.command(cls=takes(keys.of_evaluation))(attack.attack)
app.command()(specificity.specificity)
app.command()(ablate.ablate)
app.command()(merge.merge)
app.command()(import_checkpoint.import_checkpoint)
app.command()(pretrain.pretrain)
app.command()(models.models)
app.command()(benchmarks.benchmarks)
app.command()(judges.judges)
for group in (agreement, attacks, data, methods):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])
app.command("calibrate", hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    agreement.calibrate
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"safeeraser {__version__}")
        raise typer.Exit


_SHARED = ("run", "demo", "unlearn", "generate", "likelihood", "judge", "evaluate", "attack")
"""The commands whose work several processes share; of the others the main process does all."""


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  its callback prints it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make a multimodal LLM stop answering harmful image+text requests, without refusing everything, and prove it.

    \b
    Examples:
      safeeraser demo
      safeeraser run run.yaml --seed 1 unlearn.steps=60
      safeeraser unlearn --help
    """
    if context.invoked_subcommand not in _SHARED:
        alone()


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show an arrow must not end hours of work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt_out")
    if not launched.is_main():
        logging.disable(logging.WARNING)  # the main process says it
        warnings.simplefilter("ignore")
    app()
