"""Write the `icons` benchmark in the released SafeEraser layout (arXiv 2502.12520): its structure, harmless content.

At scale 1: 2,400 harmful and 600 safe pictures, and for each harmful picture four forget, four retain and four
decoupled pairs: 28,800. Equal scale and seed give equal bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon, Pair
from safeeraser.files import require_new, whole_folder, write_text
from safeeraser.records import Split

_FILES = {Split.TRAIN: "all_train.json", Split.SELECTION: "all_selection.json", Split.VALIDATION: "all_val.json"}
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
    for split, file in _FILES.items():
        safe = list(_draw_safe(folder, split, scale, seed))
        harmful = [
            drawn for name in vocabulary.categories() for drawn in _draw_harmful(folder, split, name, scale, seed)
        ]
        records = list(_records(harmful, safe, split, seed))
        write_text(folder / "dataset" / file, json.dumps(records, indent=1))
    write_text(folder / "dataset" / "prompt.json", json.dumps({"idk": vocabulary.refusals()}, indent=1))


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


def _records(harmful: list[_Drawn], safe: list[_Drawn], split: Split, seed: int) -> Iterator[dict[str, Any]]:
    """One record a harmful picture; its partner is the next safe picture of its kind, seen or unseen, all in turn."""
    shuffled = random.Random(f"{seed}/partners/{split}").sample(safe, len(safe))
    partners = {unseen: cycle([drawn for drawn in shuffled if drawn.unseen == unseen]) for unseen in (False, True)}
    for drawn in harmful:
        rng = random.Random(f"{seed}/pairs/{drawn.path}")
        yield _record(drawn, next(partners[drawn.unseen]), split, rng)


def _record(drawn: _Drawn, partner: _Drawn, split: Split, rng: random.Random) -> dict[str, Any]:
    return {
        "id": drawn.path.removesuffix(".png"),
        "keyword": drawn.icon.name,
        "category": drawn.icon.category,
        "subset": "unseen" if drawn.unseen else "seen",
        "image_path": drawn.path,
        "SDImage_path": partner.path,
        "safe_keyword": partner.icon.name,
        "unsafe_pairs": [_unsafe_pair(kind, drawn, partner, split, rng) for kind in _instruction_kinds(rng)],
        **_retain_pairs(drawn, split, rng),
    }


def _instruction_kinds(rng: random.Random) -> list[str]:
    return rng.sample(vocabulary.instruction_kinds(), _PAIRS)


def _unsafe_pair(kind: str, drawn: _Drawn, partner: _Drawn, split: Split, rng: random.Random) -> dict[str, str]:
    wording = rng.choice(vocabulary.wordings(kind, split))
    return {
        "kind": kind,
        "question": wording,
        "model_response": vocabulary.instruction(kind, drawn.icon, wording).answer,
        "sd_response": vocabulary.instruction(kind, partner.icon, wording).answer,
    }


def _retain_pairs(drawn: _Drawn, split: Split, rng: random.Random) -> dict[str, dict[str, Any]]:
    """Two questions without the picture, the object's name, and one of kind, colour, count and position."""
    other = rng.choice([kind for kind in vocabulary.picture_kinds(drawn.picture) if kind != "name"])
    texts = rng.sample(vocabulary.text_pairs(split), 2)
    seen = [
        vocabulary.about_picture(kind, drawn.icon, drawn.picture, rng.choice(vocabulary.wordings(kind, split)))
        for kind in ("name", other)
    ]
    return {
        "UnharmPair_text1": _retain_pair(texts[0]) | {"image": None},
        "UnharmPair_text2": _retain_pair(texts[1]) | {"image": None},
        "UnharmPair_image1": _retain_pair(seen[0]),
        "UnharmPair_image2": _retain_pair(seen[1]),
    }


def _retain_pair(pair: Pair) -> dict[str, Any]:
    return {"kind": pair.kind, "Question": pair.question, "Answer": pair.answer, "Prediction": pair.answer}


def _scaled(count: int, scale: float) -> int:
    """At least one of what there is at full scale."""
    return max(1, round(count * scale)) if count else 0
