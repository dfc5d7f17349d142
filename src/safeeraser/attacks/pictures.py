"""Pictures that an attack makes of the measured ones: each once, in a folder of its own, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from safeeraser import pixels, provenance
from safeeraser.attacks.base import Arena
from safeeraser.files import remove_scratch, write_bytes
from safeeraser.models.processes import processes
from safeeraser.records import Example

Alter = Callable[[Image.Image, random.Random], Image.Image]


def repainted(arena: Arena, place: str, alter: Alter, key: str = "") -> Callable[[Example], list[Example]]:
    """What puts an altered picture in the place of an example's.

    An example without a picture is left out: nothing would be attacked, and it would look as if nothing helped. `place`
    names attack and variant. An altered picture depends on the original one, the seed and the place, and on what `key`
    tells. Of several processes the main one paints.
    """

    suffix = f"-{provenance.text_hash(key)}" if key else ""

    def change(example: Example) -> list[Example]:
        if example.image is None:
            return []
        source = example.image
        path = arena.pictures / place / "pictures" / f"{source.stem}-{provenance.file_hash(source)}{suffix}.png"
        if processes().is_main_process and not path.exists():
            save(alter(pixels.open_rgb(source), arena.rng(place, source.name)), path)
        return [replace(example, image=path)]

    return change


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture without loss, whole or not at all."""
    remove_scratch(path)
    write_bytes(path, pixels.encode(picture, "PNG"))


def background(picture: Image.Image) -> tuple[int, int, int]:
    """The colour of the upper left corner."""
    found = picture.getpixel((0, 0))
    assert isinstance(found, tuple)
    red, green, blue = found
    return red, green, blue
