"""Split the harmful pictures into train, selection and validation, and give each a safe partner."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from safeeraser.curation.pictures import Picture
from safeeraser.curation.settings import SplitSettings
from safeeraser.errors import UserError
from safeeraser.records import Split


@dataclass(frozen=True, slots=True)
class Placed:
    """A harmful picture in its split. `subset` is "unseen" where training sees no picture of its keyword."""

    picture: Picture
    split: Split
    subset: str | None = None


def place(pictures: Sequence[Picture], settings: SplitSettings, seed: int) -> list[Placed]:
    """Share each category's pictures out; the same pictures, settings and seed give the same splits.

    With `unseen_keywords`, so many keywords of each category are kept for validation, and the shares hold for the rest.
    Raises UserError where a category has not enough keywords, or no picture is left to train on.
    """
    found: list[Placed] = []
    for category in dict.fromkeys(picture.category for picture in pictures):
        own = [picture for picture in pictures if picture.category == category]
        unseen = _unseen(category, own, settings.unseen_keywords, seed)
        subset = "seen" if unseen else None
        found += [Placed(one, Split.VALIDATION, "unseen") for one in own if one.keyword in unseen]
        found += [
            Placed(one, split, subset)
            for split, ones in _shared(_shuffled([one for one in own if one.keyword not in unseen], seed), settings)
            for one in ones
        ]
    if not any(one.split is Split.TRAIN for one in found):
        raise UserError(f"{len(pictures)} pictures: too few to have one to train on")
    return sorted(found, key=lambda one: one.picture.name)


def assign_partners(placed: Sequence[Placed], safe: Sequence[Picture], seed: int) -> dict[Picture, Picture]:
    """The safe partner of each harmful picture: no safe picture serves two splits, and all serve in turn.

    Raises UserError where there are fewer safe pictures than splits in use.
    """
    sizes = {split: sum(one.split is split for one in placed) for split in Split}
    used = {split: size for split, size in sizes.items() if size}
    if len(safe) < len(used):
        raise UserError(f"{len(safe)} safe pictures for {len(used)} splits: each split needs its own")
    shares, rest = _apportion(len(safe), used), _shuffled(safe, seed)
    partners: dict[Picture, Picture] = {}
    for split, share in shares.items():
        own, rest = rest[:share], rest[share:]
        harmful = _shuffled([one.picture for one in placed if one.split is split], seed)
        partners |= {picture: own[index % len(own)] for index, picture in enumerate(harmful)}
    return partners


def _unseen(category: str, pictures: Iterable[Picture], count: int, seed: int) -> set[str | None]:
    keywords = sorted({one.keyword for one in pictures if one.keyword})
    if not count:
        return set()
    if len(keywords) <= count:
        raise UserError(f"{category}: {len(keywords)} keywords, of which {count} cannot be kept from training")
    return set(sorted(keywords, key=lambda keyword: _draw(seed, category, keyword))[:count])


def _shared(pictures: Sequence[Picture], settings: SplitSettings) -> list[tuple[Split, Sequence[Picture]]]:
    """Cut a shuffled list at the shares' sums, rounded."""
    first = round(settings.train * len(pictures))
    second = round((settings.train + settings.selection) * len(pictures))
    parts = (pictures[:first], pictures[first:second], pictures[second:])
    return list(zip((Split.TRAIN, Split.SELECTION, Split.VALIDATION), parts, strict=True))


def _apportion(count: int, sizes: Mapping[Split, int]) -> dict[Split, int]:
    """So many things in shares as the sizes are, at least one each, largest remainder first."""
    spare, total = count - len(sizes), sum(sizes.values())
    exact = {split: spare * size / total for split, size in sizes.items()}
    shares = {split: 1 + int(share) for split, share in exact.items()}
    by_remainder = sorted(exact, key=lambda split: int(exact[split]) - exact[split])
    for split in by_remainder[: count - sum(shares.values())]:
        shares[split] += 1
    return shares


def _shuffled(pictures: Iterable[Picture], seed: int) -> list[Picture]:
    """An order that depends on the pictures' bytes and the seed, not on their names or number."""
    return sorted(pictures, key=lambda one: _draw(seed, one.sha256))


def _draw(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()
