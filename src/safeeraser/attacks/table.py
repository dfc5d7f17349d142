"""The table of attacks: a file and a line here make one."""

from __future__ import annotations

from safeeraser.attacks.base import Attack
from safeeraser.attacks.corruptions import CORRUPTIONS
from safeeraser.attacks.prefill import PREFILL
from safeeraser.attacks.quantise import QUANTISE
from safeeraser.attacks.relearn import RELEARNING
from safeeraser.errors import UserError, unknown

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (PREFILL, *CORRUPTIONS, QUANTISE, *RELEARNING)}
"""Every attack by its name, in the order of tables."""


def find(name: str) -> Attack:
    """An attack of the table. Raises UserError with near matches for a name that is not in it."""
    if name not in ATTACKS:
        raise UserError(unknown("attack", name, ATTACKS))
    return ATTACKS[name]
