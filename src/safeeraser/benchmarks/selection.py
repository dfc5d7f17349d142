"""Which examples are asked: the four parts of an evaluation, and a balanced choice where a limit is set."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from safeeraser.records import Example, Split, Stream


class Part(StrEnum):
    """What is measured (arXiv 2502.12520): efficacy on training pictures, the other three on validation pictures."""

    EFFICACY = "efficacy"
    GENERALITY = "generality"
    DECOUPLED = "decoupled"
    RETAIN = "retain"


HELD_OUT = (Part.GENERALITY, Part.DECOUPLED, Part.RETAIN)
"""The parts about pictures that nothing is trained on."""
_SOURCE = {
    Part.EFFICACY: (Split.TRAIN, Stream.FORGET),
    Part.GENERALITY: (Split.VALIDATION, Stream.FORGET),
    Part.DECOUPLED: (Split.VALIDATION, Stream.DECOUPLED),
    Part.RETAIN: (Split.VALIDATION, Stream.RETAIN),
}
# What a choice is balanced over, the most important first.
_FORGET = ("subset", "category", "keyword", "kind")
_RETAIN = ("kind", "subset", "category", "keyword")


def part_of(example: Example) -> Part | None:
    """The part that an example belongs to; None for one that nothing is reported on."""
    return next((part for part, source in _SOURCE.items() if source == (example.split, example.stream)), None)


def choose(examples: Sequence[Example], part: Part, limit: int | None = None, seed: int = 233) -> list[Example]:
    """The examples of one part, at most `limit` of them.

    The choice depends on the examples and the seed, not on their order, and a smaller limit takes a part of what a
    larger one takes. Seen and unseen keywords, categories and keywords come equally often, as far as there are enough;
    for retain, kinds of question come first. Decoupled examples follow their partners: with equal limits, generality
    and decoupled ask the same questions, once about a harmful and once about a harmless picture.
    """
    pool = [item for item in examples if (item.split, item.stream) == _SOURCE[part]]
    if part is Part.DECOUPLED:
        forget = choose(examples, Part.GENERALITY, seed=seed)
        return _follow(forget, pool, random.Random(f"{seed}/{part}"))[:limit]
    return _rotate(pool, _RETAIN if part is Part.RETAIN else _FORGET, random.Random(f"{seed}/{part}"))[:limit]


def rehearsal(examples: Iterable[Example]) -> list[Example]:
    """The selection part in the place of validation: what is measured on it is measured as it will be reported.

    Validation is not among them.
    """
    return [
        replace(each, split=Split.VALIDATION) if each.split is Split.SELECTION else each
        for each in examples
        if each.split is not Split.VALIDATION
    ]


def _follow(forget: Iterable[Example], decoupled: Sequence[Example], draw: random.Random) -> list[Example]:
    """Decoupled examples in the order of their partners; those without one come last, balanced among themselves."""
    place = {example.id: number for number, example in enumerate(forget)}
    partnered = [(place[item.partner], item) for item in decoupled if item.partner in place]
    alone = [item for item in decoupled if item.partner not in place]
    ordered = sorted(partnered, key=lambda found: (found[0], found[1].id))
    return [*(item for _, item in ordered), *_rotate(alone, _FORGET, draw)]


def _rotate(examples: Iterable[Example], fields: tuple[str, ...], draw: random.Random) -> list[Example]:
    """Order examples so that every start of the list holds equal shares of each field, the first field first."""
    if not fields:
        ordered = sorted(examples, key=lambda item: item.id)
        draw.shuffle(ordered)
        return ordered
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[str(getattr(example, fields[0]))].append(example)
    names = sorted(groups)
    draw.shuffle(names)
    queues = [_rotate(groups[name], fields[1:], draw) for name in names]
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
