"""The command `safeeraser`. Names become objects in `wiring`; the commands only pass things on."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from safeeraser import __version__
from safeeraser.cli import (
    adapters,
    agreement,
    attack,
    chat,
    data,
    evaluating,
    generation,
    init,
    judging,
    keys,
    lists,
    logs,
    runs,
    scoring,
    specificity,
    stages,
)
from safeeraser.cli.keys import takes
from safeeraser.cli.output import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=takes(keys.of_run))(runs.demo)
app.command()(init.init)
app.command(cls=takes(keys.of_run))(runs.run)
app.command(cls=takes(keys.of_unlearning))(stages.unlearn)
app.command(cls=takes(keys.of_answers))(generation.generate)
app.command()(generation.likelihood)
app.command(cls=takes(keys.of_judges))(judging.judge)
app.command(cls=takes(keys.of_judges))(scoring.score)
app.command()(runs.report)
app.command()(logs.logs)
app.command(cls=takes(keys.of_evaluation))(evaluating.evaluate)
app.command()(chat.chat)
app.command(cls=takes(keys.of_evaluation))(attack.attack)
app.add_typer(attack.attacks_app, name="attacks")
app.command()(specificity.specificity)
app.add_typer(agreement.app, name="agreement")
app.command("calibrate", hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    agreement.calibrate
)
app.command()(adapters.merge)
app.command()(adapters.import_checkpoint)
app.command()(stages.pretrain)
app.add_typer(data.app, name="data")
app.add_typer(lists.methods_app, name="methods")
for listing in (lists.models, lists.benchmarks, lists.judges):
    app.command()(listing)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"safeeraser {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
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


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show an arrow must not end hours of work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt_out")
    app()
