"""Decoding every picture of a benchmark, on all cores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.tools.likeness import Likeness, likeness
from safeeraser.pixels import ImageError, decode_rgb, on_all_cores, read_bytes

Progress = Callable[[int, int], None]
"""Called with how many pictures are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture that decoded, `size` as width and height. Equal `sha256`, equal bytes."""

    sha256: str
    size: tuple[int, int]
    likeness: Likeness


def look(path: Path) -> Look | str:
    """Decode one picture; a text says why it could not be."""
    try:
        content = read_bytes(path)
        image = decode_rgb(content)
    except ImageError as error:
        return error.reason
    return Look(hashlib.sha256(content).hexdigest(), image.size, likeness(image))


def look_at_all(paths: Sequence[Path], *, progress: Progress | None, workers: int | None) -> dict[Path, Look | str]:
    """Decode every picture, `workers` at a time (as many as there are cores unless given)."""
    found: dict[Path, Look | str] = {}
    for path, one in zip(paths, on_all_cores(look, paths, workers), strict=True):
        found[path] = one
        if progress:
            progress(len(found), len(paths))
    return found
