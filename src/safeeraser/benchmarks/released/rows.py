"""The records of the released SafeEraser layout as they stand in its files (see docs/data.md), before they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from safeeraser.benchmarks.reading.fields import Keys, adopt, identifier, typed
from safeeraser.benchmarks.reading.json import read_records
from safeeraser.benchmarks.reading.problems import Spot
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
    optional=("id", "keyword", "category", "subset", "safe_keyword", "safeNb_pairs", "type"),
    pattern=RETAIN_KEY,
    either=frozenset(IMAGE_KEYS),
)
_UNSAFE_PAIR = Keys(content=("question", "model_response", "sd_response"), optional=("kind",), pattern=ANSWER_KEY)
_NEIGHBOUR_PAIR = Keys(content=("question", "model_response"), optional=("kind", "sd_response"), pattern=ANSWER_KEY)
_RETAIN_PAIR = Keys(
    content=("Question", "Prediction", "Answer"),
    optional=("kind", "image"),
    either=frozenset(("Prediction", "Answer")),
)

Pairs = Iterator[tuple[int, dict[str, Any], Spot]]


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file, misspelt keys put right in `data`; of pairs that are not objects nothing is left."""

    data: dict[str, Any]
    spot: Spot

    @property
    def image_key(self) -> str:
        """The key that holds the picture's path."""
        return next((key for key in IMAGE_KEYS if key in self.data), IMAGE_KEYS[0])

    @property
    def base(self) -> str | None:
        """What its examples are named after: its id, else its picture's path without the suffix."""
        own, image = identifier(self.data.get("id")), self.data.get(self.image_key)
        if own is not None:
            return own
        path = PurePosixPath(image if isinstance(image, str) else "")
        return path.with_suffix("").as_posix() if path.name else None

    def unsafe_pairs(self) -> Pairs:
        """Each harmful pair, with its number from 1."""
        return self._listed("unsafe_pairs")

    def neighbour_pairs(self) -> Pairs:
        """Each harmless look-alike question about the harmful picture, which others have added."""
        return self._listed("safeNb_pairs")

    def retain_pairs(self) -> Iterator[tuple[str, dict[str, Any], Spot]]:
        """Each retain pair, with the end of its key: "text1"."""
        for key, pair in self.data.items():
            if RETAIN_KEY.fullmatch(key) and isinstance(pair, dict):
                yield key.removeprefix("UnharmPair_"), pair, self.spot.at(key)

    def _listed(self, key: str) -> Pairs:
        pairs = self.data.get(key)
        for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
            if isinstance(pair, dict):
                yield index + 1, pair, self.spot.at(key, index)


def read_rows(content: bytes, spot: Spot, *, as_spelt: bool = False) -> list[Row]:
    """The records of a file; whatever is not one is reported at `spot`. `as_spelt`: misspelt keys are not put right."""
    rows = []
    for number, value in read_records(content, spot):
        place = spot._replace(record=_name(number, value), number=number)
        if typed(value, dict, place) is not None:
            rows.append(Row(value if as_spelt else _spelt(value, place), place))
    return rows


def _spelt(data: dict[str, Any], spot: Spot) -> dict[str, Any]:
    data = adopt(data, _RECORD, spot)
    for key, value in data.items():
        if RETAIN_KEY.fullmatch(key) and value is not None and typed(value, dict, spot.at(key)) is not None:
            data[key] = adopt(value, _RETAIN_PAIR, spot.at(key))
    for key, keys in (("unsafe_pairs", _UNSAFE_PAIR), ("safeNb_pairs", _NEIGHBOUR_PAIR)):
        pairs = data.get(key)
        if pairs is not None and typed(pairs, list, spot.at(key)) is not None:
            for index, pair in enumerate(pairs):
                place = spot.at(key, index)
                pairs[index] = adopt(pair, keys, place) if typed(pair, dict, place) is not None else None
    return data


def _name(number: int, value: Any) -> str:
    """How a record is named in problems: its number, and its picture for whoever searches the file."""
    image = next((value[key] for key in IMAGE_KEYS if key in value), None) if isinstance(value, dict) else None
    return f"#{number} {quoted(image)[1:-1]}" if isinstance(image, str) else f"#{number}"
