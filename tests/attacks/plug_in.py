"""An attack as another package would bring it."""

from __future__ import annotations

from safeeraser.attacks.base import HARMFUL, HARMLESS, Attack, worded

ECHO = Attack(
    name="echo",
    kind="prompt",
    about="whether twice is more than once",
    protocol="the question, twice",
    source="2502.12520",
    sweep=("twice",),
    carry_out=worded(lambda _, example, __: [f"{example.question} {example.question}"]),
    sides=(HARMFUL, HARMLESS),
    served=True,
)
