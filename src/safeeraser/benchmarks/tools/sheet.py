"""A contact sheet: one HTML file that shows a benchmark's records by category, with everything in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safeeraser import html
from safeeraser.benchmarks.tools.cards import Card
from safeeraser.files import write_text
from safeeraser.pixels import thumbnail
from safeeraser.text import plain

SIDE = 144
"""Longest side of a thumbnail, in pixels."""


def contact_sheet(title: str, cards: Sequence[Card], target: Path, *, per_category: int = 40) -> int:
    """Write a contact sheet of up to `per_category` records a category, spread evenly; returns how many it shows.

    The file needs no network. Pictures are blurred until they are revealed.
    """
    groups: dict[str, list[Card]] = defaultdict(list)
    for card in cards:
        groups[card.category].append(card)
    places: dict[Path, int] = {}  # a safe picture serves many records
    chosen = {category: _spread(group, per_category) for category, group in sorted(groups.items())}
    shown = [
        {
            "category": category,
            "total": len(groups[category]),
            "cards": [_card(card, lambda path: places.setdefault(path, len(places))) for card in cards],
        }
        for category, cards in chosen.items()
    ]
    page = html.page(
        "safeeraser.benchmarks.tools",
        "static/sheet.html.jinja",
        title=plain(title),
        data={"groups": shown, "pictures": [thumbnail(path, SIDE) for path in places]},
        modules=["static/sheet.js"],
        styles=["static/sheet.css"],
    )
    write_text(target, page)
    return sum(map(len, chosen.values()))


def _card(card: Card, place: Callable[[Path], int]) -> dict[str, Any]:
    return {
        "id": card.id,
        "pictures": [(place(path), role, keyword) for path, role, keyword in card.pictures()],
        "pairs": [(example.stream, example.question, example.answer) for example in card.pairs()],
    }


def _spread(group: Sequence[Card], count: int) -> list[Card]:
    count = min(count, len(group))
    return [group[index * len(group) // count] for index in range(count)]
