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

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import text, typed
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, json_members, parquet_entries
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

_INFORMATION = "images_information/information.json"
_TYPES = {"type 1": "exaggerated risk", "type 2": "negated harm", "type 3": "counterintuitive interpretation"}
"""The paper's names of the values of `metadata.over`."""


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("*.parquet", "*.json", "*.zip"))
    reading = Reading(root, name)
    home = next((home for home in ("", "data/") if reading.has(home + _INFORMATION)), None)
    if home is not None:
        for _, entry in json_members(reading, home + _INFORMATION):
            file = text(entry.data, "image", entry.spot)
            image = reading.picture(home + file, entry.spot.at("image")) if file is not None else None
            _add(reading, entry, image)
    else:
        _tables(reading)
    if not reading.found and not reading.problems():
        reading.spot().error("file", f"neither {_INFORMATION} nor Parquet files")
    return reading


def _tables(reading: Reading) -> None:
    for folder in ("", "data", "oversensitivity"):
        for file in reading.names(folder or ".", r".*\.parquet"):
            name = f"{folder}/{file}".lstrip("/")
            for entry in parquet_entries(reading, name, ("pid", "question", "decoded_image"), ("metadata",)):
                _add(reading, entry, reading.embedded(entry.data["decoded_image"], entry.spot.at("decoded_image")))


def _add(reading: Reading, entry: Entry, image: Path | None) -> None:
    pid, question = entry.data.get("pid"), text(entry.data, "question", entry.spot)
    if not isinstance(pid, int | str):
        entry.spot.at("pid").error("type", f"expected a number or text, found {quoted(pid)}")
    elif question is not None and image is not None:
        example = Example(
            id=f"{Split.VALIDATION}/{pid}/{Stream.DECOUPLED}",
            split=Split.VALIDATION,
            stream=Stream.DECOUPLED,
            image=image,
            question=question,
            answer="",
            category=_category(entry.data.get("metadata"), entry.spot.at("metadata")),
        )
        reading.add(example, entry.spot)


def _category(metadata: Any, spot: Spot) -> str | None:
    """What makes the question sound dangerous."""
    if metadata is None or typed(metadata, dict, spot) is None:
        return None
    over = metadata.get("over")
    if over not in _TYPES:
        spot.at("over").error("type", f"expected {', '.join(_TYPES)}, found {quoted(over)}")
        return None
    return _TYPES[over]
