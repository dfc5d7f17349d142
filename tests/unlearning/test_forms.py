"""Forms drawn at random: in the colours of the pictures they are drawn for, always seen, never twice the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import cycle

import numpy as np
import pytest
from PIL import Image, ImageDraw

from safeeraser.unlearning.forms import draw_forms

GROUND, INK, OTHER = (10, 20, 30), (200, 60, 90), (90, 220, 60)


def icon(ink: tuple[int, int, int], size: tuple[int, int] = (84, 84)) -> Image.Image:
    picture = Image.new("RGB", size, GROUND)
    ImageDraw.Draw(picture).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill=ink)
    return picture


def alike(picture: Image.Image) -> Callable[[], Image.Image]:
    return lambda: picture


def share(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    counts = {found: count for count, found in picture.getcolors(picture.width * picture.height) or []}
    return counts.get(colour, 0) / (picture.width * picture.height)


def test_a_form_is_drawn_in_the_ink_of_a_picture_on_its_ground() -> None:
    drawn = [draw_forms(alike(icon(INK)), random.Random(number)) for number in range(100)]
    assert all(share(each, GROUND) > 0.2 and share(each, INK) > 0 for each in drawn)
    low, high = np.minimum(GROUND, INK), np.maximum(GROUND, INK)
    assert all(((low <= np.asarray(each)) & (np.asarray(each) <= high)).all() for each in drawn)


def test_small_ones_beside_it_have_the_ink_of_other_pictures() -> None:
    pictures = [icon(INK), icon(OTHER)]
    drawn = [draw_forms(cycle(pictures).__next__, random.Random(number)) for number in range(200)]
    assert 50 < sum(share(each, OTHER) > 0 for each in drawn) < 110
    assert all(share(each, OTHER) < 0.25 for each in drawn)


def test_no_two_are_the_same_and_each_is_given_by_its_seed() -> None:
    first, again = ([draw_forms(alike(icon(INK)), random.Random(n)).tobytes() for n in range(300)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 300


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (640, 480)])
def test_a_picture_has_the_size_of_the_one_it_is_drawn_for(size: tuple[int, int]) -> None:
    for number in range(20):
        assert draw_forms(alike(icon(INK, size)), random.Random(number)).size == size


def test_on_a_ground_without_ink_the_form_is_seen_all_the_same() -> None:
    for shade in ("white", "black", "grey"):
        plain = Image.new("RGB", (84, 84), shade)
        for number in range(20):
            drawn = np.asarray(draw_forms(alike(plain), random.Random(number))).astype(int)
            assert abs(drawn - np.asarray(plain)).max() > 100
