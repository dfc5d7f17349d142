"""Pictures of nothing in particular: forms drawn at random, in the colours of pictures that are there.

What they show nobody has collected, and a model has a name for most of them; so a handful of safe pictures becomes a
hundred kinds of things. Vision models have been trained on such drawings before (arXiv 2101.08515, 2106.05963).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw

Polar = list[tuple[float, float]]
"""The corners of a form around its middle: distance, 1 at most as a rule, and angle in radians."""
Colour = tuple[int, ...]

_SIDE = 256  # pixels; forms are drawn in it and then resized
_TURN = math.tau


def draw_forms(safe: Callable[[], Image.Image], rng: random.Random) -> Image.Image:
    """A large form on the ground of a picture, in its ink; in two of five cases up to three small ones beside it.

    What `safe` returns, an RGB picture, gives the size, and colours to each form anew.
    """
    picture = safe()
    ground, ink = _colours(picture)
    drawn = Image.new("RGB", picture.size, ground)
    side, (across, down) = min(picture.size), (length / 2 for length in picture.size)
    centre = (across * rng.uniform(0.84, 1.16), down * rng.uniform(0.84, 1.16))
    _paste(drawn, _form(rng), ink, side * rng.uniform(0.45, 0.85), centre)
    for _ in range(rng.randint(1, 3) if rng.random() < 0.4 else 0):
        away, angle = 0.42 * side, rng.uniform(0, _TURN)
        place = (across + away * math.cos(angle), down + away * math.sin(angle))
        _paste(drawn, _form(rng), _colours(safe())[1], side * rng.uniform(0.15, 0.3), place)
    return drawn


def _colours(picture: Image.Image) -> tuple[Colour, Colour]:
    """Its ground, and what it is drawn in: the colour that is common and far from the ground."""
    pixels = np.asarray(picture.resize((32, 32), Image.Resampling.NEAREST)).reshape(-1, 3).astype(int)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    ground = pixels[0]
    ink = colours[np.argmax(counts * ((colours - ground) ** 2).sum(axis=1))]
    if (ink == ground).all():  # a plain picture
        ink = np.where(ground > 127, 0, 255)
    return tuple(ground.tolist()), tuple(ink.tolist())


def _form(rng: random.Random) -> Image.Image:
    """White where it is: up to six outlines, filled or not, one over the other or cut out of it, or a half mirrored."""
    while True:
        form = Image.new("L", (_SIDE, _SIDE))
        pen, filled = ImageDraw.Draw(form), rng.random() < 0.65
        for number in range(rng.randint(1, 6)):
            corners = list(_placed(rng.choice(_OUTLINES)(rng), rng))
            shade = 0 if number and rng.random() < 0.35 else 255
            if filled:
                pen.polygon(corners, fill=shade)
            else:
                pen.line(corners + corners[:2], fill=shade, width=rng.randint(8, 20), joint="curve")
        if rng.random() < 0.5:
            half = form.crop((0, 0, _SIDE // 2, _SIDE))
            form.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (_SIDE // 2, 0))
        if box := form.getbbox():
            return form.crop(box)


def _placed(corners: Polar, rng: random.Random) -> Iterable[tuple[float, float]]:
    """Stretched, turned and put somewhere."""
    width, height = (rng.uniform(0.08, 0.4) * _SIDE for _ in range(2))
    across, down = (rng.uniform(0.2, 0.8) * _SIDE for _ in range(2))
    turn = rng.uniform(0, _TURN)
    for far, angle in corners:
        x, y = width * far * math.cos(angle), height * far * math.sin(angle)
        yield across + x * math.cos(turn) - y * math.sin(turn), down + x * math.sin(turn) + y * math.cos(turn)


def _regular(number: int) -> Polar:
    return [(1, _TURN * step / number) for step in range(number)]


def _oval(_rng: random.Random) -> Polar:
    return _regular(60)


def _blob(rng: random.Random) -> Polar:
    waves = [(order, rng.uniform(0, 0.25), rng.uniform(0, _TURN)) for order in range(2, 6)]
    return [
        (1 + sum(high * math.cos(order * angle + at) for order, high, at in waves), angle) for _, angle in _regular(60)
    ]


def _polygon(rng: random.Random) -> Polar:
    return _regular(rng.randint(3, 7))


def _star(rng: random.Random) -> Polar:
    points, inner = rng.randint(4, 10), rng.uniform(0.3, 0.7)
    return [(1 if step % 2 else inner, math.pi * step / points) for step in range(2 * points)]


def _bar(_rng: random.Random) -> Polar:
    return [(1, -0.25), (1, 0.25), (1, math.pi - 0.25), (1, math.pi + 0.25)]


def _arc(rng: random.Random) -> Polar:
    start, length, inner = rng.uniform(0, _TURN), rng.uniform(0.5, 6), rng.uniform(0.5, 0.9)
    angles = [start + length * step / 40 for step in range(41)]
    return [(1, angle) for angle in angles] + [(inner, angle) for angle in reversed(angles)]


def _paste(drawn: Image.Image, form: Image.Image, ink: Colour, size: float, centre: tuple[float, float]) -> None:
    """The form in that ink, so many pixels long, around that place."""
    factor = size / max(form.size)
    mask = form.resize([max(1, round(length * factor)) for length in form.size], Image.Resampling.LANCZOS)
    left, top = (round(place - length / 2) for place, length in zip(centre, mask.size, strict=True))
    drawn.paste(Image.new("RGB", mask.size, ink), (left, top), mask)


_OUTLINES: tuple[Callable[[random.Random], Polar], ...] = (_oval, _blob, _polygon, _star, _bar, _arc)
