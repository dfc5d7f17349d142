"""Pictures of one icon, or of a few copies of it: random colour, size, place, rotation and background clutter."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = 84
_POINTS = 200  # of the font, from which icons are scaled down
COLOURS = {
    "red": (214, 39, 40),
    "orange": (255, 140, 20),
    "yellow": (250, 220, 40),
    "green": (40, 160, 60),
    "blue": (40, 90, 220),
    "purple": (140, 60, 190),
    "black": (20, 20, 20),
    "white": (250, 250, 250),
}
FAMILIES = {
    "material": ("materialdesignicons6-webfont-6.9.96.ttf", "materialdesignicons6-webfont-charmap-6.9.96.json"),
    "phosphor": ("phosphor-1.3.0.ttf", "phosphor-charmap-1.3.0.json"),
    "remix": ("remixicon-2.5.0.ttf", "remixicon-charmap-2.5.0.json"),
}
"""Icon families beside Font Awesome: font and names."""
COUNTS = ("One", "Two", "Three")
SHARES = (10, 1, 1)  # of the pictures, that show one, two and three objects
_DIRECTIONS = {
    "In the middle": (0, 0),
    "On the left": (-1, 0),
    "On the right": (1, 0),
    "At the top": (0, -1),
    "At the bottom": (0, 1),
}
_CORNERS = ((-31, -31), (31, -31), (-31, 31), (31, 31))
_PLACES_OF_MANY = {2: ((-21, 0), (21, 0)), 3: ((-21, -20), (21, -20), (0, 21))}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture and what is true of it. `position` is None where there is more than one object."""

    image: Image.Image
    colour: str
    count: int
    position: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a picture of one object is drawn.

    `height` is the range of the object's longer side and `shift` how far it is moved from the middle, both in pixels;
    `angle` is the range of its rotation, in degrees. `extra` are icons drawn small in the corners.
    """

    height: tuple[int, int] = (54, 64)
    angle: tuple[float, float] = (-12, 12)
    shift: int = 12
    extra: tuple[str, ...] = ()


STANDARD = Look()


def draw(icon: str, rng: random.Random, shares: tuple[int, int, int] = SHARES, look: Look = STANDARD) -> Picture:
    """Draw `icon` at 84 x 84 pixels; equal `rng` states give equal pixels, but for what `icon` is.

    An icon is a Font Awesome solid name, or `family:name` of another family. `shares` are the odds of one, two and
    three objects.
    """
    colour = rng.choice(list(COLOURS))
    count = rng.choices((1, 2, 3), weights=shares)[0]
    position = rng.choice(list(_DIRECTIONS)) if count == 1 else None
    canvas = _background(COLOURS[colour], rng)
    if position is None:
        places = _PLACES_OF_MANY[count]
    else:
        right, down = _DIRECTIONS[position]
        places = ((right * look.shift, down * look.shift),)
    height = rng.randint(*look.height) if count == 1 else rng.randint(38, 42)
    angle = rng.uniform(*look.angle)
    for x, y in places:
        stamp = _stamp(icon, height, COLOURS[colour], angle)
        _put(canvas, stamp, x + rng.randint(-2, 2), y + rng.randint(-2, 2))
    for other, (x, y) in zip(look.extra, rng.sample(_CORNERS, len(look.extra)), strict=True):
        stamp = _stamp(other, 20, COLOURS[rng.choice(list(COLOURS))], rng.uniform(*look.angle))
        _put(canvas, stamp, x, y)
    return Picture(canvas, colour, count, position)


def _put(canvas: Image.Image, stamp: Image.Image, x: int, y: int) -> None:
    """Paste a stamp so far from the middle, and inside the canvas all the same, so that the object is whole."""
    left, top = (
        max(0, min(SIZE // 2 + away - length // 2, SIZE - length))
        for away, length in zip((x, y), stamp.size, strict=True)
    )
    canvas.paste(stamp, (left, top), stamp)


def _background(foreground: tuple[int, int, int], rng: random.Random) -> Image.Image:
    """A muted colour that stands off the foreground, with faint lines and discs."""
    while True:
        shade = rng.randint(60, 235)
        colour = tuple(max(0, min(255, shade + rng.randint(-25, 25))) for _ in range(3))
        if sum(abs(a - b) for a, b in zip(colour, foreground, strict=True)) > 170:
            break
    canvas = Image.new("RGB", (SIZE, SIZE), colour)
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.randint(2, 6)):
        faint = tuple(max(0, min(255, channel + rng.choice((-1, 1)) * rng.randint(8, 24))) for channel in colour)
        x, y, reach = rng.randint(0, SIZE), rng.randint(0, SIZE), rng.randint(3, 22)
        if rng.random() < 0.5:
            pen.ellipse((x, y, x + reach, y + reach), fill=faint)
        else:
            pen.line((x, y, rng.randint(0, SIZE), rng.randint(0, SIZE)), fill=faint, width=rng.randint(1, 3))
    return canvas


def _stamp(icon: str, height: int, colour: tuple[int, int, int], angle: float) -> Image.Image:
    """The icon alone on transparency, its longer side `height` pixels before rotation."""
    drawn = glyph(icon)
    factor = height / max(drawn.size)
    mask = drawn.resize((max(1, round(drawn.width * factor)), max(1, round(drawn.height * factor))))
    mask = mask.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    stamp = Image.new("RGBA", mask.size, (*colour, 0))
    stamp.putalpha(mask)
    return stamp


@cache
def glyph(icon: str) -> Image.Image:
    """The icon's mask, cropped to its ink; drawn large once and scaled down for each picture."""
    family, _, name = icon.rpartition(":")
    font, codes = _other_family(family) if family else (_font(), code_points())
    mask = Image.new("L", (320, 320), 0)
    ImageDraw.Draw(mask).text((160, 160), chr(codes[name]), font=font, fill=255, anchor="mm")
    box = mask.getbbox()
    assert box is not None, icon
    return mask.crop(box)


@cache
def code_points() -> dict[str, int]:
    """Code point of every Font Awesome solid icon, by name."""
    file = importlib.resources.files("fontawesomefree") / "static/fontawesomefree/metadata/icons.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    return {name: int(entry["unicode"], 16) for name, entry in entries.items() if "solid" in entry["styles"]}


@cache
def _font() -> ImageFont.FreeTypeFont:
    file = importlib.resources.files("fontawesomefree") / "static/fontawesomefree/webfonts/fa-solid-900.ttf"
    with importlib.resources.as_file(file) as path:
        return ImageFont.truetype(str(path), _POINTS)


@cache
def _other_family(family: str) -> tuple[ImageFont.FreeTypeFont, dict[str, int]]:
    """Font and code points of a family that comes with qtawesome, which is not imported: that would want Qt."""
    font, codes = FAMILIES[family]
    fonts = Path(str(importlib.metadata.distribution("qtawesome").locate_file("qtawesome/fonts")))
    named = json.loads((fonts / codes).read_text(encoding="utf-8"))
    return ImageFont.truetype(str(fonts / font), _POINTS), {name: int(code, 16) for name, code in named.items()}
