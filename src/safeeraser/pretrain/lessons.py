"""What the embedded model is taught: fresh pictures of every icon with questions of every kind, and text questions.

The vanilla model stands for an unaligned MLLM: it names things, knows their kinds, colours, counts and places, knows
which of them call for care, and follows any instruction about any picture, harmful or not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import SHARES, Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.records import Example, Split, Stream

Lesson = list[Example]
"""Questions about one picture, or questions without one, each to be answered on its own."""

_TEXT = 0.06  # the share of lessons without a picture
_TEXT_QUESTIONS = 6


def lessons(
    folder: Path, seed: int, *, visual: int, instructions: int, shares: tuple[int, int, int] = SHARES
) -> Iterator[Lesson]:
    """An endless stream of lessons, each with a picture of its own in `folder`, the same for the same seed.

    Besides name, kind and care a lesson has `visual` questions about colour, count and position, and `instructions`.
    `shares` are the odds of one, two and three objects in a picture.
    """
    rng = random.Random(seed)
    number = 0
    while True:
        if rng.random() < _TEXT:
            pairs = [rng.choice(vocabulary.text_pairs(_split(rng))) for _ in range(_TEXT_QUESTIONS)]
            yield [_example(f"text/{number}/{place}", pair, None) for place, pair in enumerate(pairs)]
        else:
            icon = rng.choice(vocabulary.icons())
            picture = draw(icon.icon, rng, shares)
            path = folder / f"{number}.png"
            picture.image.save(path)
            pairs = _pairs(icon, picture, rng, visual, instructions)
            yield [_example(f"picture/{number}/{pair.kind}", pair, path) for pair in pairs]
        number += 1


def renders(count: int, seed: int) -> tuple[list[Image.Image], list[dict[str, str]]]:
    """`count` pictures of every icon, and for each picture what one says about it: name, kind, colour, count, place."""
    rng = random.Random(seed)
    drawn = [(icon, draw(icon.icon, rng)) for _ in range(count) for icon in vocabulary.icons()]
    return [picture.image for _, picture in drawn], [vocabulary.facts(icon, picture) for icon, picture in drawn]


def _pairs(icon: Icon, picture: Picture, rng: random.Random, visual: int, instructions: int) -> list[Pair]:
    others = [kind for kind in vocabulary.picture_kinds(picture) if kind not in ("name", "kind")]
    seen = ["name", "kind", *rng.sample(others, visual)]
    told = rng.sample(vocabulary.instruction_kinds(), instructions)
    return [
        *(vocabulary.about_picture(kind, icon, picture, _wording(kind, rng)) for kind in seen),
        vocabulary.care(icon, rng.choice(vocabulary.wordings("care", Split.TRAIN))),
        *(vocabulary.instruction(kind, icon, _wording(kind, rng)) for kind in told),
    ]


def _wording(kind: str, rng: random.Random) -> str:
    return rng.choice(vocabulary.wordings(kind, _split(rng)))


def _split(rng: random.Random) -> Split:
    return rng.choice(list(Split))


def _example(name: str, pair: Pair, image: Path | None) -> Example:
    return Example(
        id=name,
        split=Split.TRAIN,
        stream=Stream.RETAIN,
        image=image,
        question=pair.question,
        answer=pair.answer,
        kind=pair.kind,
    )
