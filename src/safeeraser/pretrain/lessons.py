"""What the embedded model is taught: fresh pictures of every icon with questions of every kind, and text questions.

The vanilla model stands for an unaligned MLLM: it names things, knows their kinds, colours, counts and places, and
follows any instruction about any picture, harmful or not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.records import Example, Split, Stream

_TEXT, _INSTRUCTION, _NAME, _KIND = 0.06, 0.36, 0.20, 0.18  # shares; the rest asks for colour, count and position


def lessons(folder: Path, seed: int) -> Iterator[Example]:
    """An endless stream of examples, each with a picture of its own in `folder`, the same for the same seed."""
    rng = random.Random(seed)
    number = 0
    while True:
        split = rng.choice(list(Split))
        if rng.random() < _TEXT:
            yield _example(f"text/{number}", rng.choice(vocabulary.text_pairs(split)), None)
        else:
            icon = rng.choice(vocabulary.icons())
            picture = draw(icon.icon, rng)
            path = folder / f"{number}.png"
            picture.image.save(path)
            yield _example(f"picture/{number}", _pair(icon, picture, split, rng), path)
        number += 1


def renders(count: int, seed: int) -> tuple[list[Image.Image], list[dict[str, str]]]:
    """`count` pictures of every icon, and for each picture what one says about it: name, kind, colour, count, place."""
    rng = random.Random(seed)
    drawn = [(icon, draw(icon.icon, rng)) for _ in range(count) for icon in vocabulary.icons()]
    return [picture.image for _, picture in drawn], [vocabulary.facts(icon, picture) for icon, picture in drawn]


def _pair(icon: Icon, picture: Picture, split: Split, rng: random.Random) -> Pair:
    share = rng.random() * (1 - _TEXT)
    if share < _INSTRUCTION:
        kind = rng.choice(vocabulary.instruction_kinds())
        return vocabulary.instruction(kind, icon, rng.choice(vocabulary.wordings(kind, split)))
    others = [kind for kind in vocabulary.picture_kinds(picture) if kind not in ("name", "kind")]
    share -= _INSTRUCTION
    kind = "name" if share < _NAME else "kind" if share < _NAME + _KIND else rng.choice(others)
    return vocabulary.about_picture(kind, icon, picture, rng.choice(vocabulary.wordings(kind, split)))


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
