"""Which answers belong together, since what they are about is the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from safeeraser.provenance import file_hash
from safeeraser.records import Example


def clusters(examples: Iterable[Example]) -> dict[str, str]:
    """By example id, what an answer shares with others: the picture, by content; without one its record; else itself.

    A picture that is not there counts by its path. A record is what an id says before its last slash, where more than
    the split is said there.
    """
    asked = list(examples)
    known = _pictures({example.image for example in asked if example.image})
    return {example.id: known[example.image] if example.image else _record(example.id) for example in asked}


def _record(example_id: str) -> str:
    record = example_id.rpartition("/")[0]
    return record if "/" in record else example_id


def _pictures(paths: Iterable[Path]) -> dict[Path, str]:
    """Each picture's name among pictures: only those of equal size can be equal, and have to be read."""
    sizes: dict[int | None, list[Path]] = defaultdict(list)
    for path in sorted(paths):
        sizes[path.stat().st_size if path.is_file() else None].append(path)
    return {
        path: str(path) if size is None or len(same) == 1 else f"sha256 {file_hash(path)}"
        for size, same in sizes.items()
        for path in same
    }
