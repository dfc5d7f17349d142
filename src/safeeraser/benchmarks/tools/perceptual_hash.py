"""Find pictures that look alike: a perceptual hash of the shapes, and a thumbnail for the colours that it ignores."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_BITS = 16
"""Of 256: re-encoded and resized copies differ in fewer, other pictures in about 128."""

MAX_COLOUR = 12.0
"""Mean difference of 8 x 8 RGB values, of 255."""

_HASH_SIZE = 16
_CELLS = 250_000  # pairs compared at once: bounds memory


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """What is compared: `shape` is a 256-bit pHash as four words, `colour` 192 bytes of an 8 x 8 thumbnail."""

    shape: NDArray[np.uint64]
    colour: NDArray[np.uint8]


def perceptual_hash(image: Image.Image) -> PerceptualHash:
    """The hash of an RGB picture of any size."""
    small = image.copy() if max(image.size) <= 256 else image.resize(_fitted(image.size), Image.Resampling.BOX)
    bits = imagehash.phash(small, hash_size=_HASH_SIZE).hash
    return PerceptualHash(
        shape=np.packbits(bits).view(np.uint64),
        colour=np.asarray(small.resize((8, 8), Image.Resampling.BOX), dtype=np.uint8).reshape(-1),
    )


def alike(found: Sequence[PerceptualHash], labels: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) that look alike; for each later one, the first earlier one of each label."""
    if not found:
        return
    shapes = np.stack([one.shape for one in found])
    colours = np.stack([one.colour for one in found]).astype(np.int16)
    step = max(1, _CELLS // len(found))
    for start in range(0, len(found), step):
        bits = np.bitwise_count(shapes[start : start + step, None] ^ shapes[None, :]).sum(axis=2, dtype=np.uint16)
        rows, earlier = np.nonzero(bits <= MAX_BITS)
        later = rows + start
        near = later > earlier
        later, earlier = later[near], earlier[near]
        same = np.abs(colours[later] - colours[earlier]).mean(axis=1) <= MAX_COLOUR
        yield from _first_of_each_label(later[same].tolist(), earlier[same].tolist(), labels)


def _first_of_each_label(later: list[int], earlier: list[int], labels: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    seen: set[tuple[int, Hashable]] = set()
    for one, other in zip(later, earlier, strict=True):
        if (one, labels[other]) not in seen:
            seen.add((one, labels[other]))
            yield one, other


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    scale = 256 / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
