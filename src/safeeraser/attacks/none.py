"""No attack: the measured questions to the model as it is, which every attack is compared with."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from safeeraser.attacks.base import HARMFUL, HARMLESS, KEPT, Arena, Attack, Variant


def _carry_out(arena: Arena, sweep: Sequence[str]) -> Generator[Variant, None, None]:
    for point in sweep:
        yield Variant(point, arena.unchanged(HARMFUL, HARMLESS, KEPT))


NO_ATTACK = Attack(
    name="none",
    kind="control",
    about="what the model does when it is left alone",
    protocol="the questions as they are",
    source="2502.12520",
    sides=(HARMFUL, HARMLESS, KEPT),
    sweep=("none",),
    carry_out=_carry_out,
    served=True,
)
