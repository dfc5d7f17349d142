"""`attacks`: list the attacks, or explain one."""

from __future__ import annotations

from typing import Annotated

import typer

from safeeraser.cli.complete import complete_attack
from safeeraser.cli.output import print_rows

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="List attacks, or explain one.")


@app.command("list")
def list_attacks() -> None:
    """List the attacks.

    \b
    Example:
      safeeraser attacks list
    """
    from safeeraser.attacks.table import ATTACKS

    print_rows({name: f"{each.kind}: tells {each.about}" for name, each in ATTACKS.items()})


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An attack's name.", autocompletion=complete_attack)],
) -> None:
    """Show an attack's protocol, budget and source.

    \b
    Example:
      safeeraser attacks show prefill
    """
    from safeeraser.attacks.table import ATTACKS

    attack = ATTACKS[name]
    sides = {"generality": "harmful questions", "decoupled": "their harmless partners", "retain": "harmless questions"}
    told = {"source": f"arXiv {attack.source}", "sides": ", ".join(sides[each] for each in attack.sides)}
    print_rows({**attack.described, **told, "quick": ", ".join(attack.quick) or "-"})
