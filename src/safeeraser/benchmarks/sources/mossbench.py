"""MOSSBench (arXiv 2406.17806): harmless questions about pictures that look dangerous.

Published on GitHub (xirui-li/MOSSBench), in the folder or in `data/` below it:

    images_information/information.json    {"1": {image ("images/1.png"), question, pid, "short description",
                                           metadata: {over: "type 1" | "type 2" | "type 3", ...}}, ...}
    images/1.png

On the Hugging Face Hub (AIcell/MOSSBench) the same records are a table, as its card says: columns pid, question,
decoded_image, metadata in Parquet files.

None of it may be refused: all are decoupled examples without a partner, for evaluation; no answers are published.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.fields import record_id, text, typed
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, json_members, parquet_entries
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_INFORMATION = "images_information/information.json"
_TYPES = {"type 1": "exaggerated risk", "type 2": "negated harm", "type 3": "counterintuitive interpretation"}
"""The paper's names of the values of `metadata.over`."""


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading = Reading.of(path, ("*.parquet", "*.json", "*.zip"), expects=f"{_INFORMATION} or Parquet files")
    home = next((home for home in ("", "data/") if reading.has(home + _INFORMATION)), None)
    if home is not None:
        for _, entry in json_members(reading, home + _INFORMATION):
            file, place = text(entry.data, "image", entry.spot), entry.spot.at("image")
            _add(reading, entry, reading.picture(home + file, place) if file is not None else None, place)
        return reading
    for folder in ("", "data", "oversensitivity"):
        for file in reading.names(folder or ".", r".*\.parquet"):
            name = f"{folder}/{file}".lstrip("/")
            for entry in parquet_entries(reading, name, ("pid", "question", "decoded_image"), ("metadata",)):
                place = entry.spot.at("decoded_image")
                _add(reading, entry, reading.embedded(entry.data["decoded_image"], place), place)
    return reading


def _add(reading: Reading, entry: Entry, image: Path | None, image_at: Spot) -> None:
    _, data, spot = entry
    pid = record_id(data, "pid", spot)
    if pid is not None and image is not None:
        reading.add(
            spot,
            split=Split.VALIDATION,
            stream=Stream.DECOUPLED,
            record=pid,
            pair=Stream.DECOUPLED,
            image=image,
            question=text(data, "question", spot),
            image_at=image_at,
            category=_category(data.get("metadata"), spot.at("metadata")),
        )


def _category(metadata: Any, spot: Spot) -> str | None:
    """What makes the question sound dangerous."""
    if metadata is None or typed(metadata, dict, spot) is None:
        return None
    over = metadata.get("over")
    if over not in _TYPES:
        spot.at("over").error("type", f"expected {', '.join(_TYPES)}, found {quoted(over)}")
        return None
    return _TYPES[over]
