"""Decode every picture of a benchmark, on all cores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.tools.perceptual_hash import PerceptualHash, perceptual_hash
from safeeraser.pixels import ImageError, decode_rgb, on_all_cores, read_bytes

Progress = Callable[[int, int], None]
"""Called with how many pictures are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that decoded: the hash of its bytes, `size` as (width, height) in pixels, and what it looks like."""

    sha256: str
    size: tuple[int, int]
    hash: PerceptualHash


def decode(path: Path) -> Decoded | str:
    """Decode one picture; a text says why it could not be."""
    try:
        content = read_bytes(path)
        image = decode_rgb(content)
    except ImageError as error:
        return error.reason
    return Decoded(hashlib.sha256(content).hexdigest(), image.size, perceptual_hash(image))


def decode_all(paths: Sequence[Path], *, progress: Progress | None, workers: int | None) -> dict[Path, Decoded | str]:
    """Decode every picture, `workers` at a time (as many as there are cores unless given)."""
    found: dict[Path, Decoded | str] = {}
    for path, one in zip(paths, on_all_cores(decode, paths, workers), strict=True):
        found[path] = one
        if progress:
            progress(len(found), len(paths))
    return found
