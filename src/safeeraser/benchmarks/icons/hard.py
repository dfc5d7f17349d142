"""Write `icons_hard`: the questions of `icons` about pictures on which refusing the right ones is harder.

Four kinds, which are the examples' subsets: *style*, the same things from icon families that training does not have;
*scene*, other things beside the one that is asked about; *look-alike*, whose harmless partner looks like the hazard;
*shift*, objects turned, smaller and elsewhere than in training. A harmful picture and its partner are drawn alike but
for the icon. There is nothing to train on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from safeeraser.benchmarks.icons import made, vocabulary
from safeeraser.benchmarks.icons.build import begun
from safeeraser.benchmarks.icons.draw import STANDARD, Look, Picture, draw
from safeeraser.benchmarks.icons.pairs import Drawn, asked_of_both, retained
from safeeraser.benchmarks.icons.vocabulary import Icon
from safeeraser.benchmarks.released.write import write
from safeeraser.records import Example, Split

__all__ = ["KINDS", "build", "scan"]

scan = partial(made.scan, "icons_hard")
KINDS = ("style", "scene", "look-alike", "shift")
"""What makes a picture hard."""

_PICTURES = {Split.SELECTION: 1, Split.VALIDATION: 3}  # of each keyword and kind
_STYLE = 3  # times as many, for it has a third of the keywords
_ONE = (1, 0, 0)  # the odds of one, two and three objects
_SHIFTS = (Look(angle=(15, 22)), Look(angle=(-22, -15)), Look(height=(42, 48), shift=14))
# As far as `tiny` names what is shown (`python -m bench.names --of looks`).


def build(folder: Path, *, scale: float = 1.0, seed: int = 233) -> None:
    """Write the benchmark into `folder`, which must not exist or be empty; equal scale and seed give equal bytes.

    Raises what `build.build` raises.
    """
    with begun(folder, "icons_hard", scale, seed) as scratch:
        kinds = [(split, kind) for split in _PICTURES for kind in KINDS]
        examples = [each for split, kind in kinds for each in _examples(scratch, split, kind, scale, seed)]
        write(scratch, examples, vocabulary.refusals(), Path.as_posix)


def _examples(folder: Path, split: Split, kind: str, scale: float, seed: int) -> Iterator[Example]:
    safe = [icon for icon in vocabulary.harmless() if _fits(icon, kind, split)]
    hazards = [icon for icon in vocabulary.harmful() if _fits(icon, kind, split)]
    for number in _numbers(len(hazards) * _PICTURES[split] * (_STYLE if kind == "style" else 1), scale):
        icon = hazards[number % len(hazards)]
        rng = random.Random(f"{seed}/{kind}/{split}/{number}")
        other = vocabulary.look_alike(icon) if kind == "look-alike" else rng.choice(safe)
        look = _look(kind, number + number // len(hazards), rng, icon, other)
        state, place = rng.random(), f"{kind}/{split.value}/{number}.png"  # both are drawn from one state
        harmful, partner = (
            _saved(folder, path, each, kind, draw(_drawing(each, kind, rng), random.Random(state), _ONE, look))
            for path, each in ((f"img/{icon.category}/{place}", icon), (f"pdset/image/{place}", other))
        )
        yield from asked_of_both(harmful, partner, split, rng)
        yield from retained(harmful, split, rng, ("name", "kind") if kind == "scene" else None)


def _numbers(whole: int, scale: float) -> Iterator[int]:
    """Which of `whole` pictures a benchmark of this scale has: some from all along, so that no category is left out."""
    count = max(1, round(whole * scale))
    return (index * whole // count for index in range(count))


def _fits(icon: Icon, kind: str, split: Split) -> bool:
    """Whether an icon can be shown in this part of the benchmark: some are kept for another part."""
    return icon.home in (None, split) and (kind != "style" or bool(vocabulary.drawings(icon)))


def _look(kind: str, turn: int, rng: random.Random, *shown: Icon) -> Look:
    """How both pictures of a pair are drawn; `turn` says which shift it is, another one each time a thing is shown."""
    if kind == "shift":
        return _SHIFTS[turn % len(_SHIFTS)]
    if kind == "scene":
        others = [icon.icon for icon in vocabulary.harmless() if icon not in shown and icon.home is None]
        return Look(height=(48, 54), shift=0, extra=tuple(rng.sample(others, 2)))
    return STANDARD


def _drawing(icon: Icon, kind: str, rng: random.Random) -> str:
    return rng.choice(vocabulary.drawings(icon)) if kind == "style" else icon.icon


def _saved(folder: Path, path: str, icon: Icon, kind: str, picture: Picture) -> Drawn:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    picture.image.save(folder / path)
    return Drawn(path, icon, picture, kind)
