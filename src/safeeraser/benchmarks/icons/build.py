"""Write the `icons` benchmark in the released SafeEraser layout (arXiv 2502.12520): its structure, harmless content.

At scale 1: 2,400 harmful and 600 safe pictures, and for each harmful picture four forget, four retain and four
decoupled pairs: 28,800. Equal scale and seed give equal bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import draw
from safeeraser.benchmarks.icons.made import note
from safeeraser.benchmarks.icons.pairs import SEEN, UNSEEN, Drawn, asked_of_both, retained
from safeeraser.benchmarks.icons.vocabulary import Icon
from safeeraser.benchmarks.released.write import write
from safeeraser.files import require_new, whole_folder
from safeeraser.records import Example, Split

_HARMFUL_PER_CATEGORY = {Split.TRAIN: 196, Split.SELECTION: 68, Split.VALIDATION: 136}
_HARMFUL_UNSEEN_PER_CATEGORY = {Split.TRAIN: 0, Split.SELECTION: 40, Split.VALIDATION: 80}
_SAFE = {Split.TRAIN: 270, Split.SELECTION: 140, Split.VALIDATION: 190}
_SAFE_UNSEEN = {Split.TRAIN: 0, Split.SELECTION: 50, Split.VALIDATION: 100}

Pools = Mapping[str, Sequence[Icon]]
"""Subset -> the icons that its pictures show in turn."""


def build(folder: Path, *, scale: float = 1.0, seed: int = 233) -> None:
    """Write the benchmark into `folder`, which must not exist or be empty.

    Raises UserError where the folder holds anything, ValueError where the scale is not in (0, 1].
    """
    with begun(folder, "icons", scale, seed) as scratch:
        write_parts(scratch, partial(_pools, vocabulary.harmless()), scale, seed)


@contextmanager
def begun(folder: Path, benchmark: str, scale: float, seed: int) -> Iterator[Path]:
    """A folder to write a benchmark into, which becomes `folder` once it is whole. Raises what `build` raises."""
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, found {scale}")
    require_new(folder)
    with whole_folder(folder) as scratch:
        yield scratch
        note(scratch, benchmark, scale, seed)


def write_parts(folder: Path, harmless: Callable[[Split], Pools], scale: float, seed: int) -> None:
    """Write every part of the benchmark; `harmless` says which harmless icons a part shows."""
    examples: list[Example] = []
    for split in Split:
        safe = list(_draw_safe(folder, split, harmless(split), scale, seed))
        harmful = [
            drawn for name in vocabulary.categories() for drawn in _draw_harmful(folder, split, name, scale, seed)
        ]
        examples += _examples(harmful, safe, split, seed)
    write(folder, examples, vocabulary.refusals(), Path.as_posix)


def _draw_harmful(folder: Path, split: Split, category: str, scale: float, seed: int) -> Iterator[Drawn]:
    pools = _pools(vocabulary.harmful(category), split)
    unseen = _scaled(_HARMFUL_UNSEEN_PER_CATEGORY[split], scale)
    total = unseen + _scaled(_HARMFUL_PER_CATEGORY[split] - _HARMFUL_UNSEEN_PER_CATEGORY[split], scale)
    return _draw_all(folder, f"img/{category}/{split.value}", pools, counts=(unseen, total), seed=seed)


def _draw_safe(folder: Path, split: Split, pools: Pools, scale: float, seed: int) -> Iterator[Drawn]:
    unseen = _scaled(_SAFE_UNSEEN[split], scale)
    total = unseen + _scaled(_SAFE[split] - _SAFE_UNSEEN[split], scale)
    return _draw_all(folder, f"pdset/image/{split.value}", pools, counts=(unseen, total), seed=seed)


def _pools(choice: Sequence[Icon], split: Split) -> Pools:
    """Unseen are icons kept for this part, seen those common to all."""
    return {UNSEEN: [each for each in choice if each.home == split], SEEN: [each for each in choice if not each.home]}


def _draw_all(folder: Path, place: str, pools: Pools, *, counts: tuple[int, int], seed: int) -> Iterator[Drawn]:
    """The first `counts[0]` of `counts[1]` pictures are unseen ones, the rest seen."""
    (folder / place).mkdir(parents=True)
    unseen, total = counts
    for number in range(total):
        subset = UNSEEN if number < unseen else SEEN
        path = f"{place}/{number}.png"
        rng = random.Random(f"{seed}/{path}")
        icon = pools[subset][number % len(pools[subset])]
        picture = draw(icon.icon, rng)
        picture.image.save(folder / path)
        yield Drawn(path, icon, picture, subset)


def _examples(harmful: list[Drawn], safe: list[Drawn], split: Split, seed: int) -> Iterator[Example]:
    """One record a harmful picture; its partner is the next safe picture of its kind, seen or unseen, all in turn."""
    shuffled = random.Random(f"{seed}/partners/{split}").sample(safe, len(safe))
    partners = {subset: cycle([drawn for drawn in shuffled if drawn.subset == subset]) for subset in (SEEN, UNSEEN)}
    for drawn in harmful:
        rng = random.Random(f"{seed}/pairs/{drawn.path}")
        partner = next(partners[drawn.subset])
        yield from asked_of_both(drawn, partner, split, rng)
        yield from retained(drawn, split, rng)


def _scaled(count: int, scale: float) -> int:
    """At least one of what there is at full scale."""
    return max(1, round(count * scale)) if count else 0
