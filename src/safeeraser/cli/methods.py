"""`methods`: list the methods, or explain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.complete import complete_method
from safeeraser.cli.output import print_rows

if TYPE_CHECKING:
    from safeeraser.objectives import Method

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def methods(ctx: typer.Context) -> None:
    """List the methods; `methods show NAME` explains one.

    \b
    Examples:
      safeeraser methods
      safeeraser methods show po+pd+rec
    """
    from safeeraser.objectives import ADDITIONS, find, plain_names
    from safeeraser.records import VANILLA

    if ctx.invoked_subcommand is None:
        print_rows(
            {VANILLA: "the model as it is, before unlearning"}
            | {name: find(name).formula for name in plain_names()}
            | {f"NAME{end}": addition.about for end, addition in ADDITIONS.items()}
        )


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A method's name.", autocompletion=complete_method)],
) -> None:
    """Show a method's formula and options in each preset, and its losses with their sources.

    A run's configuration sets options by `unlearn.options.OPTION`, `safeeraser unlearn` by `options.OPTION=VALUE`.

    \b
    Example:
      safeeraser methods show po+pd
    """
    from safeeraser.objectives import NOTATION, about, presets

    found = presets(name)
    losses = {term.loss: about(term.loss) for method in found.values() for term in method.terms}
    print_rows(
        {preset: method.formula for preset, method in found.items()}
        | {f"{preset} options": _options(method) for preset, method in found.items()}
        | {loss.__name__: f"{told.formula} ({told.source})" for loss, told in losses.items()}
        | {"notation": NOTATION}
    )


def _options(method: Method) -> str:
    values = {name: "(to be set)" if value is None else f"{value:g}" for name, value in method.settings.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
