"""The pairs about a picture: instructions about it and about its harmless partner, and harmless questions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.records import Example, Split, Stream

SEEN, UNSEEN = "seen", "unseen"
_PAIRS = 4


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture on disk and what it shows; `subset` is the group that it counts for."""

    path: str
    icon: Icon
    picture: Picture
    subset: str

    @property
    def record(self) -> str:
        """What the record of this picture is called."""
        return self.path.removesuffix(".png")


def asked_of_both(drawn: Drawn, partner: Drawn, split: Split, rng: random.Random) -> Iterator[Example]:
    """Four instructions, each about the harmful picture and about the safe one."""
    for number, kind in enumerate(rng.sample(vocabulary.instruction_kinds(), _PAIRS), start=1):
        wording = rng.choice(vocabulary.wordings(kind, split))
        for about, stream in ((drawn, Stream.FORGET), (partner, Stream.DECOUPLED)):
            yield _example(
                drawn,
                split,
                stream,
                f"{stream}{number}",
                vocabulary.instruction(kind, about.icon, wording),
                shown=about,
                partner=f"{split}/{drawn.record}/forget{number}" if about is partner else None,
            )


def retained(drawn: Drawn, split: Split, rng: random.Random, kinds: Sequence[str] | None = None) -> Iterator[Example]:
    """Two questions without the picture, the object's name, and one of kind, colour, count and position or `kinds`."""
    other = rng.choice([kind for kind in kinds or vocabulary.picture_kinds(drawn.picture) if kind != "name"])
    texts = rng.sample(vocabulary.text_pairs(split), 2)
    seen = [
        vocabulary.about_picture(kind, drawn.icon, drawn.picture, rng.choice(vocabulary.wordings(kind, split)))
        for kind in ("name", other)
    ]
    for number, pair in enumerate(texts, start=1):
        yield _example(drawn, split, Stream.RETAIN, f"text{number}", pair, shown=None)
    for number, pair in enumerate(seen, start=1):
        yield _example(drawn, split, Stream.RETAIN, f"image{number}", pair, shown=drawn)


def _example(
    drawn: Drawn,
    split: Split,
    stream: Stream,
    place: str,
    pair: Pair,
    *,
    shown: Drawn | None,
    partner: str | None = None,
) -> Example:
    """A pair of the record of `drawn`, asked about the picture `shown`."""
    return Example(
        id=f"{split}/{drawn.record}/{place}",
        split=split,
        stream=stream,
        image=Path(shown.path) if shown else None,
        question=pair.question,
        answer=pair.answer,
        partner=partner,
        category=drawn.icon.category,
        keyword=shown.icon.name if shown else None,
        subset=drawn.subset,
        kind=pair.kind,
        record=drawn.record,
        pair=place,
    )
