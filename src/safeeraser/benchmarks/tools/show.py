"""Records in the terminal, with their pictures where it can show them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from rich.color import Color
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from safeeraser.benchmarks.tools.cards import Card
from safeeraser.pixels import ImageError, open_rgb
from safeeraser.records import Example, Stream
from safeeraser.text import plain

WIDTH = 32
"""Columns a picture takes in the terminal; a character is two pixels, one above the other."""

_LONGEST = 400  # characters of a text that are shown
_COLOURS = {Stream.FORGET: "red", Stream.RETAIN: "green", Stream.DECOUPLED: "cyan"}


def show(cards: Iterable[Card], console: Console) -> None:
    """Print records; pictures as coloured half blocks where the console has the colours, by name where it has not."""
    for card in cards:
        console.print(render(card, pictures=shows_pictures(console)))


def shows_pictures(console: Console) -> bool:
    """Whether a console has the colours and characters that a picture takes."""
    blocks = (console.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")
    return console.is_terminal and console.color_system in ("256", "truecolor") and blocks


def render(card: Card, *, pictures: bool) -> Panel:
    """A record as a panel: its pictures side by side, its pairs below."""
    top = Table.grid(padding=(0, 2))
    top.add_row(
        *(
            _picture(path, f"{role}: {keyword}" if keyword else role, pictures)
            for path, role, keyword in card.pictures()
        )
    )
    pairs = Table(box=None, padding=(0, 1), show_header=False)
    for column in (10, None, None):
        pairs.add_column(width=column, overflow="fold")
    for example in card.pairs():
        pairs.add_row(Text(example.stream, _COLOURS[example.stream]), _question(example), _clipped(example.answer))
    title = Text(" · ".join(plain(part) for part in (card.id, card.category) if part))
    return Panel(Group(top, pairs), title=title, title_align="left")


def half_blocks(image: Image.Image, width: int = WIDTH) -> Text:
    """A picture as text, `width` columns wide: the colour of an upper half block is one pixel, its ground the next."""
    height = max(1, round(image.height * width / image.width / 2))
    small = image.resize((width, 2 * min(height, width)))
    pixels = list(small.tobytes())
    colours = [Color.from_rgb(*pixels[start : start + 3]) for start in range(0, len(pixels), 3)]
    text = Text()
    for row in range(0, small.height, 2):
        for column in range(width):
            upper, lower = (colours[(row + half) * width + column] for half in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _picture(path: Path, caption: str, pictures: bool) -> RenderableType:
    label = Text(plain(f"{caption}\n{path}"), "dim", overflow="fold")
    if not pictures:
        return label
    try:
        return Group(half_blocks(open_rgb(path)), label)
    except ImageError as error:
        return Group(Text(plain(error.reason), "red"), label)


def _question(example: Example) -> Text:
    return _clipped(example.question) if example.image else _clipped(f"(no picture) {example.question}")


def _clipped(text: str) -> Text:
    shown = plain(text[:_LONGEST])
    return Text(shown if len(text) <= _LONGEST else f"{shown}… ({len(text):,} characters)")
