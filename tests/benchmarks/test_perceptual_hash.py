"""Pictures that look alike are found among many without comparing each with each."""

from __future__ import annotations

import numpy as np

from safeeraser.benchmarks.tools.perceptual_hash import MAX_BITS, MAX_COLOUR, PerceptualHash, alike


def changed(one: PerceptualHash, bits: int, draw: np.random.Generator, colour: int = 0) -> PerceptualHash:
    """The same with so many bits turned, anywhere in it, and other colours."""
    flat = np.unpackbits(one.shape.view(np.uint8))
    flat[draw.choice(256, bits, replace=False)] ^= 1
    return PerceptualHash(np.packbits(flat).view(np.uint64), one.colour + np.uint8(colour))


def by_comparing_all(found: list[PerceptualHash], labels: list[str]) -> list[tuple[int, int]]:
    first: dict[tuple[int, str], int] = {}
    for later, one in enumerate(found):
        for earlier, other in enumerate(found[:later]):
            near = int(np.bitwise_count(one.shape ^ other.shape).sum()) <= MAX_BITS
            if near and np.abs(one.colour.astype(int) - other.colour).mean() <= MAX_COLOUR:
                first.setdefault((later, labels[earlier]), earlier)
    return sorted((later, earlier) for (later, _), earlier in first.items())


def test_the_pairs_are_those_of_comparing_each_with_each() -> None:
    draw = np.random.default_rng(0)
    plain = [
        PerceptualHash(draw.integers(0, 2**63, 4, dtype=np.uint64), draw.integers(0, 200, 192, dtype=np.uint8))
        for _ in range(60)
    ]
    copies = [changed(plain[at % 20], bits, draw) for at, bits in enumerate([*range(MAX_BITS + 3)] * 6)]
    recoloured = [changed(plain[at], 1, draw, colour=int(MAX_COLOUR) + 1) for at in range(5)]
    found = [*plain, *copies, *recoloured]
    labels = [("train", "validation")[at % 3 == 0] for at in range(len(found))]
    pairs = list(alike(found, labels))
    assert pairs == by_comparing_all(found, labels)
    assert len(pairs) > len(copies) / 2


def test_no_pictures_and_one_picture_have_no_pairs() -> None:
    one = PerceptualHash(np.zeros(4, dtype=np.uint64), np.zeros(192, dtype=np.uint8))
    assert list(alike([], [])) == []
    assert list(alike([one], ["train"])) == []
