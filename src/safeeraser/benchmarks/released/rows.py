"""The records of the released SafeEraser layout as they stand in its files (see docs/data.md), before they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safeeraser.benchmarks.reading.fields import Keys, adopt, typed
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.strict_json import REPORTED, clean, read_records
from safeeraser.text import quoted

RETAIN_KEY = re.compile(r"UnharmPair_(text|image)(\d{1,4})")
ANSWER_KEY = re.compile(r"model_response(\d{1,4})")
"""The answers of the authors' inference, `model_response1` to `model_response3`."""

IMAGE_KEYS = ("image_path", "image_id")

_RECORD = Keys(
    content=(
        *IMAGE_KEYS,
        "SDImage_path",
        "unsafe_pairs",
        "UnharmPair_text1",
        "UnharmPair_text2",
        "UnharmPair_image1",
        "UnharmPair_image2",
    ),
    optional=("id", "keyword", "category", "subset", "safe_keyword"),
    pattern=RETAIN_KEY,
    either=frozenset(IMAGE_KEYS),
)
_UNSAFE_PAIR = Keys(content=("question", "model_response", "sd_response"), optional=("kind",), pattern=ANSWER_KEY)
_RETAIN_PAIR = Keys(
    content=("Question", "Prediction", "Answer"),
    optional=("kind", "image"),
    either=frozenset(("Prediction", "Answer")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file. `data` has misspelt keys put right; `number` counts records from 1, or lines."""

    number: int
    data: dict[str, Any]
    spot: Spot

    def image(self) -> tuple[str, Any]:
        """The key that holds the picture's path, and what it holds; None where there is no such key."""
        key = next((key for key in IMAGE_KEYS if key in self.data), IMAGE_KEYS[0])
        return key, self.data.get(key)

    def unsafe_pairs(self) -> Iterator[tuple[int, dict[str, Any], Spot]]:
        """Each pair that is an object, with its number from 1."""
        pairs = self.data.get("unsafe_pairs")
        for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
            if isinstance(pair, dict):
                yield index + 1, pair, self.spot.at("unsafe_pairs", index)

    def retain_pairs(self) -> Iterator[tuple[str, dict[str, Any], Spot]]:
        """Each pair that is an object, with the end of its key: "text1"."""
        for key, pair in self.data.items():
            if RETAIN_KEY.fullmatch(key) and isinstance(pair, dict):
                yield key.removeprefix("UnharmPair_"), pair, self.spot.at(key)


def read_rows(content: bytes, spot: Spot) -> list[Row]:
    """The records of a file; whatever is not one is reported at `spot`."""
    rows = []
    for number, value in read_records(content, spot):
        place = Spot(spot.collector, spot.file, _name(number, value))
        data = clean(value, place)
        if typed(data, dict, place) is not None:
            rows.append(Row(number, _spelt(data, place), place))
    return rows


def _spelt(data: dict[str, Any], spot: Spot) -> dict[str, Any]:
    data = adopt(data, _RECORD, spot)
    for key, value in data.items():
        if RETAIN_KEY.fullmatch(key) and value is not None and typed(value, dict, spot.at(key)) is not None:
            data[key] = adopt(value, _RETAIN_PAIR, spot.at(key))
    pairs = data.get("unsafe_pairs")
    if pairs is not None and typed(pairs, list, spot.at("unsafe_pairs")) is not None:
        for index, pair in enumerate(pairs):
            place = spot.at("unsafe_pairs", index)
            pairs[index] = adopt(pair, _UNSAFE_PAIR, place) if typed(pair, dict, place) is not None else REPORTED
    return data


def _name(number: int, value: Any) -> str:
    """How a record is named in problems: its number, and its picture for whoever searches the file."""
    image = next((value[key] for key in IMAGE_KEYS if key in value), None) if isinstance(value, dict) else None
    return f"#{number} {quoted(image)[1:-1]}" if isinstance(image, str) else f"#{number}"
