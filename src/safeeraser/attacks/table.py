"""The table of attacks: a file and a line here make one; other packages add theirs by entry points."""

from __future__ import annotations

from safeeraser.attacks.base import Attack
from safeeraser.attacks.corruptions import CORRUPTIONS
from safeeraser.attacks.prefill import PREFILL
from safeeraser.attacks.quantise import QUANTISE
from safeeraser.attacks.relearn import RELEARNING
from safeeraser.registry import Table

_OWN = (PREFILL, *CORRUPTIONS, QUANTISE, *RELEARNING)

ATTACKS = Table(
    "attack",
    "safeeraser.attacks",
    {attack.name: attack for attack in _OWN},
    lambda found: isinstance(found, Attack),
)
"""Every attack by its name, in the order of tables; a name that does not exist raises UserError with near matches."""
