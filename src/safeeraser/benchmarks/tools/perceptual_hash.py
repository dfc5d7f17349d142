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
    """Pairs (later, earlier) that look alike; for each later one, the first earlier one of each label.

    Hashes that differ in at most `MAX_BITS` bits agree in one of `MAX_BITS` + 1 pieces of them, so only those are
    compared that do: pairs of all would be too many for a million pictures.
    """
    if not found:
        return
    shapes = np.stack([one.shape for one in found])
    colours = np.stack([one.colour for one in found]).astype(np.int16)
    first: dict[tuple[int, Hashable], int] = {}
    for one, other in _agreeing(shapes):
        later, earlier = np.maximum(one, other), np.minimum(one, other)
        near = np.bitwise_count(shapes[later] ^ shapes[earlier]).sum(axis=1, dtype=np.uint16) <= MAX_BITS
        later, earlier = later[near], earlier[near]
        same = np.abs(colours[later] - colours[earlier]).mean(axis=1) <= MAX_COLOUR
        for place, before in zip(later[same].tolist(), earlier[same].tolist(), strict=True):
            key = place, labels[before]
            first[key] = min(first.get(key, before), before)
    yield from sorted((place, before) for (place, _), before in first.items())


def _agreeing(shapes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Every pair of hashes that agree in a piece, for each such piece, many pairs at a time."""
    bits = np.unpackbits(shapes.view(np.uint8), axis=1)
    for piece in np.array_split(bits, MAX_BITS + 1, axis=1):
        values = piece @ (1 << np.arange(piece.shape[1], dtype=np.int64))
        order = np.argsort(values, kind="stable")
        values = values[order]
        places, apart = np.arange(len(order) - 1), 1
        while places.size:
            places = places[values[places] == values[places + apart]]
            yield order[places], order[places + apart]
            apart += 1
            places = places[places + apart < len(order)]


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    scale = 256 / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
