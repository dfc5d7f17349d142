"""Pairs of questions with the same words, harmful and harmless: whose hidden states are compared."""

from __future__ import annotations

from safeeraser.attacks.base import Arena, Target
from safeeraser.attacks.parts import Parts, lacking
from safeeraser.records import Example, Stream


def unpaired(_: Target, parts: Parts, __: str) -> str | None:
    """Why `pairs` would be nothing to learn from; None where they are something."""
    harmful, harmless = map(len, _sides(parts))
    return lacking(harmful, 2, "harmful questions") or lacking(harmless, 2, "harmless partners of them")


def _sides(parts: Parts) -> list[list[Example]]:
    return [[each for each in parts.attacker if each.stream is stream] for stream in (Stream.FORGET, Stream.DECOUPLED)]


def pairs(arena: Arena, limit: int | None = None) -> tuple[list[Example], list[Example]]:
    """Harmful questions of the attacker's part and those with the same words about harmless pictures, drawn."""
    pools = _sides(arena.parts)
    for examples in pools:
        arena.rng("pairs").shuffle(examples)
    harmful, harmless = (examples[:limit] for examples in pools)
    return harmful, harmless
