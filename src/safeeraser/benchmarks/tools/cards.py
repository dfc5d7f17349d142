"""A benchmark's examples put together again, a card for each record, to be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.errors import UserError, unknown
from safeeraser.records import Example, Split, Stream


@dataclass(slots=True)
class Card:
    """One record: all examples of one id, but for its end."""

    id: str
    split: Split
    category: str
    examples: dict[Stream, list[Example]] = field(default_factory=lambda: {stream: [] for stream in Stream})

    def pairs(self) -> list[Example]:
        """Its examples: forget, retain, decoupled."""
        return [example for stream in Stream for example in self.examples[stream]]

    def pictures(self) -> list[tuple[Path, str, str | None]]:
        """Its pictures, each with its role ("harmful", "safe", or "picture" where nothing is asked to be forgotten)
        and its keyword."""
        about = [*self.examples[Stream.FORGET], *self.examples[Stream.RETAIN]]
        role = "harmful" if self.examples[Stream.FORGET] else "picture"
        found = (_first(about, role), _first(self.examples[Stream.DECOUPLED], "safe"))
        return [picture for picture in found if picture]


def cards(benchmark: Benchmark, *, split: Split | None = None, category: str | None = None) -> list[Card]:
    """The records in their order, of one split and category if given. Raises UserError on an unknown category."""
    found: dict[str, Card] = {}
    for example in benchmark.examples:
        base = f"{example.split}/{example.record}"
        card = found.setdefault(base, Card(base, example.split, example.category or "no category"))
        card.examples[example.stream].append(example)
    categories = dict.fromkeys(card.category for card in found.values())
    if category is not None and category not in categories:
        raise UserError(unknown("category", category, categories))
    return [card for card in found.values() if split in (None, card.split) and category in (None, card.category)]


def _first(examples: Iterable[Example], role: str) -> tuple[Path, str, str | None] | None:
    return next(((example.image, role, example.keyword) for example in examples if example.image), None)
