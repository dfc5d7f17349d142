"""The table of attacks: a file and a line here make one; other packages add theirs by entry points."""

from __future__ import annotations

from safeeraser.attacks.adapter import ADAPTER
from safeeraser.attacks.base import Attack
from safeeraser.attacks.corruptions import CORRUPTIONS
from safeeraser.attacks.early_layers import EARLY_LAYERS
from safeeraser.attacks.many_shot import MANY_SHOT
from safeeraser.attacks.once_begun import ONCE_BEGUN
from safeeraser.attacks.one_word import ONE_WORD
from safeeraser.attacks.paraphrase import PARAPHRASE
from safeeraser.attacks.prefill import PREFILL
from safeeraser.attacks.probe import LINEAR_PROBE
from safeeraser.attacks.prune import PRUNE
from safeeraser.attacks.quantise import QUANTISE
from safeeraser.attacks.refusal_direction import REFUSAL_DIRECTION
from safeeraser.attacks.relearn import RELEARNING
from safeeraser.attacks.sampling import BEST_OF_N, PASS_AT_K
from safeeraser.attacks.scenes import SCENES
from safeeraser.attacks.soft_prompt import SOFT_PROMPT
from safeeraser.attacks.templates import TEMPLATES
from safeeraser.attacks.universal import UNIVERSAL
from safeeraser.registry import Table

_OWN = (
    PREFILL,
    ONE_WORD,
    TEMPLATES,
    PARAPHRASE,
    MANY_SHOT,
    BEST_OF_N,
    PASS_AT_K,
    *CORRUPTIONS,
    *SCENES,
    QUANTISE,
    PRUNE,
    *ADAPTER,
    REFUSAL_DIRECTION,
    *RELEARNING,
    UNIVERSAL,
    SOFT_PROMPT,
    ONCE_BEGUN,
    LINEAR_PROBE,
    EARLY_LAYERS,
)

ATTACKS = Table(
    "attack",
    "safeeraser.attacks",
    {attack.name: attack for attack in _OWN},
    lambda found: isinstance(found, Attack),
)
"""Every attack by its name, in the order of tables; a name that does not exist raises UserError with near matches."""
