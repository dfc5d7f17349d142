"""A contact sheet: one HTML file that shows a benchmark's records by category, with everything in it."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import PackageLoader

from safeeraser.benchmarks.tools.cards import Card
from safeeraser.files import write_text
from safeeraser.pixels import ImageError, encode, open_rgb
from safeeraser.text import plain, templates

SIDE = 144
"""Longest side of a thumbnail, in pixels."""


def contact_sheet(title: str, cards: Sequence[Card], target: Path, *, per_category: int = 40) -> int:
    """Write a contact sheet of up to `per_category` records a category, spread evenly; returns how many it shows.

    The file needs no network and runs no script; every text in it is escaped.
    """
    groups: dict[str, list[Card]] = defaultdict(list)
    for card in cards:
        groups[card.category].append(card)
    chosen = {category: (_spread(group, per_category), len(group)) for category, group in sorted(groups.items())}
    template = templates(PackageLoader("safeeraser.benchmarks", "tools"), html=True).get_template(
        "contact_sheet.html.jinja"
    )
    write_text(target, template.render(title=plain(title), groups=chosen, thumbnail=_thumbnails(), side=SIDE))
    return sum(len(shown) for shown, _ in chosen.values())


def _spread(group: Sequence[Card], count: int) -> list[Card]:
    count = min(count, len(group))
    return [group[index * len(group) // count] for index in range(count)]


def _thumbnails() -> Callable[[Path], str | None]:
    """A function from a picture to its thumbnail as a data URI; None where the picture does not decode."""

    @cache  # a safe picture serves many records
    def thumbnail(path: Path) -> str | None:
        try:
            image = open_rgb(path)
        except ImageError:
            return None
        image.thumbnail((SIDE, SIDE))
        return f"data:image/jpeg;base64,{base64.b64encode(encode(image, 'JPEG', quality=75)).decode()}"

    return thumbnail
