"""Records in the terminal, with their pictures where it can show them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from safeeraser.benchmarks.tools.cards import Card
from safeeraser.pixels import ImageError, open_rgb
from safeeraser.records import Stream
from safeeraser.terminal import half_blocks, has_half_blocks
from safeeraser.text import plain

_LONGEST = 400  # characters of a text that are shown
_COLOURS = {Stream.FORGET: "red", Stream.RETAIN: "green", Stream.DECOUPLED: "cyan"}


def show(cards: Iterable[Card], console: Console) -> None:
    """Print records; pictures as coloured half blocks where the console has the colours, by name where it has not."""
    for card in cards:
        console.print(render(card, pictures=has_half_blocks(console)))


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
        asked = example.question if example.image else f"(no picture) {example.question}"
        pairs.add_row(Text(example.stream, _COLOURS[example.stream]), _clipped(asked), _clipped(example.answer))
    title = Text(" · ".join(plain(part) for part in (card.id, card.category) if part))
    return Panel(Group(top, pairs), title=title, title_align="left")


def _picture(path: Path, caption: str, pictures: bool) -> RenderableType:
    label = Text(plain(f"{caption}\n{path}"), "dim", overflow="fold")
    if not pictures:
        return label
    try:
        return Group(half_blocks(open_rgb(path)), label)
    except ImageError as error:
        return Group(Text(plain(error.reason), "red"), label)


def _clipped(text: str) -> Text:
    shown = plain(text[:_LONGEST])
    return Text(shown if len(text) <= _LONGEST else f"{shown}… ({len(text):,} characters)")
