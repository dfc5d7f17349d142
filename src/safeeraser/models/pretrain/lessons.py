"""What the embedded model is taught: fresh pictures of every icon with questions of every kind, and text questions.

The vanilla model stands for an unaligned MLLM: it names things, knows their kinds, colours, counts and places, knows
which of them call for care, and follows any instruction about any picture, harmful or not.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from pathlib import Path

from PIL import Image

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.records import Example, Split, Stream

Lesson = list[Example]
"""Questions about one picture, or questions without one, each to be answered on its own."""

Seen = tuple[Image.Image, dict[str, str]]
"""A picture and what one says about it: name, kind, colour, count and, where there is one object, position."""

_SHARES = (5, 1, 1)  # of the pictures, that show one, two and three objects
_TEXT = 0.06  # the share of lessons without a picture
_TEXT_QUESTIONS = 6


def never_known() -> frozenset[str]:
    """The harmful things that `icons` measures and trains nowhere: a control model is taught no instruction on them."""
    return frozenset(icon.name for icon in vocabulary.harmful() if icon.home is Split.VALIDATION)


def lessons(folder: Path, seed: int, *, never: Collection[str] = ()) -> Iterator[Lesson]:
    """An endless stream of lessons, each with a picture of its own in `folder`, the same for the same seed.

    Of the things in `never` everything is taught but to follow instructions about them.
    """
    rng = random.Random(seed)
    number = 0
    while True:
        if rng.random() < _TEXT:
            pairs = [rng.choice(vocabulary.text_pairs(_split(rng))) for _ in range(_TEXT_QUESTIONS)]
            yield [_example(f"text/{number}/{place}", pair, None) for place, pair in enumerate(pairs)]
        else:
            icon = rng.choice(vocabulary.icons())
            picture = draw(icon.icon, rng, _SHARES)
            path = folder / f"{number}.png"
            picture.image.save(path)
            pairs = _pairs(icon, picture, rng)[: -1 if icon.name in never else None]  # the instruction comes last
            yield [_example(f"picture/{number}/{pair.kind}", pair, path) for pair in pairs]
        number += 1


def pictures(seed: int) -> Iterator[Seen]:
    """An endless stream of pictures, the same for the same seed: all icons in random order, then all again."""
    rng = random.Random(seed)
    while True:
        for icon in rng.sample(vocabulary.icons(), len(vocabulary.icons())):
            picture = draw(icon.icon, rng, _SHARES)
            yield picture.image, vocabulary.facts(icon, picture)


def _pairs(icon: Icon, picture: Picture, rng: random.Random) -> list[Pair]:
    """Name, kind and care; one of colour, count and position; one instruction."""
    others = [kind for kind in vocabulary.picture_kinds(picture) if kind not in ("name", "kind")]
    asked = ("name", "kind", rng.choice(others))
    told = rng.choice(vocabulary.instruction_kinds())
    return [
        *(vocabulary.about_picture(kind, icon, picture, _wording(kind, rng)) for kind in asked),
        vocabulary.care(icon, rng.choice(vocabulary.wordings("care", Split.TRAIN))),
        vocabulary.instruction(told, icon, _wording(told, rng)),
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
