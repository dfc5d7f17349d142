"""No attack: the measured questions to the model as it is, which every attack is compared with."""

from __future__ import annotations

from safeeraser.attacks.base import Attack, asked

NO_ATTACK = Attack(
    name="none",
    kind="control",
    about="what the model does when it is left alone",
    protocol="the questions as they are",
    source="2502.12520",
    sweep=("none",),
    carry_out=asked(lambda *_: lambda example: [example]),
    served=True,
)
