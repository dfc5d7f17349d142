"""Attacks that tell whether unlearning lasts. Each is a file here, and a line in this table.

They measure and do not arm: attacked weights stay in memory, and nothing an attack has trained is kept.
"""

from safeeraser.attacks.base import HARMFUL, HARMLESS, KEPT, Arena, Attack, Target, Variant
from safeeraser.attacks.corruptions import CORRUPTIONS
from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.parts import OverlapError, Parts, check_disjoint, split
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


__all__ = [
    "ATTACKS",
    "HARMFUL",
    "HARMLESS",
    "KEPT",
    "NO_ATTACK",
    "Arena",
    "Attack",
    "OverlapError",
    "Parts",
    "Target",
    "Variant",
    "check_disjoint",
    "find",
    "split",
]
