"""Attacks that put the question otherwise: one or several ways to ask it, of both sides alike."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

from safeeraser.attacks.base import HARMFUL, HARMLESS, Arena, Attack, Variant, attempt
from safeeraser.benchmarks.selection import Part
from safeeraser.generation.settings import Request
from safeeraser.metrics.attacked import Pool
from safeeraser.records import Example

Wordings = Callable[[Arena, Example, str], Sequence[str]]
"""How a question is asked at a point of the sweep: one wording, or several attempts."""


def asking(
    name: str,
    wordings: Wordings,
    *,
    about: str,
    protocol: str,
    source: str,
    sweep: tuple[str, ...],
    sides: tuple[Part, ...] = (HARMFUL, HARMLESS),
    pools: Mapping[str, Pool] | None = None,
    temperature: float = 0.0,
    trains: bool = False,
) -> Attack:
    """An attack on the words of the question. With a `temperature` every attempt is drawn."""

    def carry_out(arena: Arena, points: Sequence[str]) -> Generator[Variant, None, None]:
        settings = arena.settings.changed(temperature=temperature, top_p=1.0) if temperature else None
        for point in points:
            requests = [
                Request(each, 0)
                for example in arena.side(*sides)
                for each in _asked(wordings(arena, example, point), example)
            ]
            yield Variant(point, tuple(requests), settings)

    return Attack(
        name=name,
        kind="prompt",
        about=about,
        protocol=protocol,
        source=source,
        sides=sides,
        sweep=sweep,
        carry_out=carry_out,
        pools=pools or {"": max},
        trains=trains,
        served=True,
    )


def _asked(wordings: Sequence[str], example: Example) -> list[Example]:
    if len(wordings) == 1:
        return [replace(example, question=wordings[0])]
    return [attempt(replace(example, question=words), number) for number, words in enumerate(wordings)]
