"""Write the `icons` benchmark in the released SafeEraser layout (arXiv 2502.12520): its structure, harmless content.

At scale 1: 2,400 harmful and 600 safe pictures, and for each harmful picture four forget, four retain and four
decoupled pairs: 28,800. Equal scale and seed give equal bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.benchmarks.released.write import write
from safeeraser.files import require_new, whole_folder
from safeeraser.records import Example, Split, Stream

_HARMFUL_PER_CATEGORY = {Split.TRAIN: 196, Split.SELECTION: 68, Split.VALIDATION: 136}
_HARMFUL_UNSEEN_PER_CATEGORY = {Split.TRAIN: 0, Split.SELECTION: 40, Split.VALIDATION: 80}
_SAFE = {Split.TRAIN: 270, Split.SELECTION: 140, Split.VALIDATION: 190}
_SAFE_UNSEEN = {Split.TRAIN: 0, Split.SELECTION: 50, Split.VALIDATION: 100}
_PAIRS = 4


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture on disk and what it shows. `unseen` pictures show an icon that training never does."""

    path: str
    icon: Icon
    picture: Picture
    unseen: bool

    @property
    def record(self) -> str:
        """What the record of this picture is called."""
        return self.path.removesuffix(".png")


def build(folder: Path, *, scale: float = 1.0, seed: int = 233) -> None:
    """Write the benchmark into `folder`, which must not exist or be empty.

    Raises UserError where the folder holds anything, ValueError where the scale is not in (0, 1].
    """
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, found {scale}")
    require_new(folder)
    with whole_folder(folder) as scratch:
        _write(scratch, scale, seed)


def _write(folder: Path, scale: float, seed: int) -> None:
    examples: list[Example] = []
    for split in Split:
        safe = list(_draw_safe(folder, split, scale, seed))
        harmful = [
            drawn for name in vocabulary.categories() for drawn in _draw_harmful(folder, split, name, scale, seed)
        ]
        examples += _examples(harmful, safe, split, seed)
    write(folder, examples, vocabulary.refusals(), Path.as_posix)


def _draw_harmful(folder: Path, split: Split, category: str, scale: float, seed: int) -> Iterator[_Drawn]:
    choice = vocabulary.harmful(category)
    unseen = _scaled(_HARMFUL_UNSEEN_PER_CATEGORY[split], scale)
    total = unseen + _scaled(_HARMFUL_PER_CATEGORY[split] - _HARMFUL_UNSEEN_PER_CATEGORY[split], scale)
    return _draw_all(folder, f"img/{category}/{split.value}", choice, split, counts=(unseen, total), seed=seed)


def _draw_safe(folder: Path, split: Split, scale: float, seed: int) -> Iterator[_Drawn]:
    unseen = _scaled(_SAFE_UNSEEN[split], scale)
    total = unseen + _scaled(_SAFE[split] - _SAFE_UNSEEN[split], scale)
    return _draw_all(
        folder, f"pdset/image/{split.value}", vocabulary.harmless(), split, counts=(unseen, total), seed=seed
    )


def _draw_all(
    folder: Path, place: str, choice: list[Icon], split: Split, *, counts: tuple[int, int], seed: int
) -> Iterator[_Drawn]:
    """The first `counts[0]` of `counts[1]` pictures show icons kept for this part, the rest icons common to all."""
    (folder / place).mkdir(parents=True)
    unseen, total = counts
    own = [icon for icon in choice if icon.home == split]
    shared = [icon for icon in choice if icon.home is None]
    for number in range(total):
        is_unseen = number < unseen
        pool = own if is_unseen else shared
        path = f"{place}/{number}.png"
        rng = random.Random(f"{seed}/{path}")
        icon = pool[number % len(pool)]
        picture = draw(icon.icon, rng)
        picture.image.save(folder / path)
        yield _Drawn(path, icon, picture, is_unseen)


def _examples(harmful: list[_Drawn], safe: list[_Drawn], split: Split, seed: int) -> Iterator[Example]:
    """One record a harmful picture; its partner is the next safe picture of its kind, seen or unseen, all in turn."""
    shuffled = random.Random(f"{seed}/partners/{split}").sample(safe, len(safe))
    partners = {unseen: cycle([drawn for drawn in shuffled if drawn.unseen == unseen]) for unseen in (False, True)}
    for drawn in harmful:
        rng = random.Random(f"{seed}/pairs/{drawn.path}")
        partner = next(partners[drawn.unseen])
        yield from _asked_of_both(drawn, partner, split, rng)
        yield from _retained(drawn, split, rng)


def _asked_of_both(drawn: _Drawn, partner: _Drawn, split: Split, rng: random.Random) -> Iterator[Example]:
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


def _retained(drawn: _Drawn, split: Split, rng: random.Random) -> Iterator[Example]:
    """Two questions without the picture, the object's name, and one of kind, colour, count and position."""
    other = rng.choice([kind for kind in vocabulary.picture_kinds(drawn.picture) if kind != "name"])
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
    drawn: _Drawn,
    split: Split,
    stream: Stream,
    place: str,
    pair: Pair,
    *,
    shown: _Drawn | None,
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
        subset="unseen" if drawn.unseen else "seen",
        kind=pair.kind,
        record=drawn.record,
        pair=place,
    )


def _scaled(count: int, scale: float) -> int:
    """At least one of what there is at full scale."""
    return max(1, round(count * scale)) if count else 0
