"""What made the folder of an embedded benchmark, written beside the data.

A folder that is there is read and not built again, so that one of an earlier version would go on under its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.json import read_value
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.released import read
from safeeraser.files import write_json

MADE = "made.json"
VERSIONS = {"icons": 1, "icons_few": 1, "icons_hard": 2}
"""The version of what is built. Raise it with every change of that; tests know what each builds."""


def note(folder: Path, benchmark: str, scale: float, seed: int) -> None:
    """Write down what makes a folder."""
    write_json(folder / MADE, {**_of(benchmark), "scale": scale, "seed": seed})


def scan(benchmark: str, folder: Path) -> Reading:
    """Read a folder in the released layout; what this version of the benchmark did not make is a warning."""
    reading = read.scan(folder)
    if folder.is_dir() and (told := _told(reading)) != _of(benchmark):
        by = " ".join(str(each) for each in told.values()) or "an unknown version"
        reading.spot(MADE).warn(
            "version",
            f"made by {by}, and this is {benchmark} {VERSIONS[benchmark]}: figures about the two do not compare. "
            "Remove the folder to have it built anew",
        )
    return reading


def _of(benchmark: str) -> dict[str, Any]:
    return {"benchmark": benchmark, "version": VERSIONS[benchmark]}


def _told(reading: Reading) -> dict[str, Any]:
    """The same of what made the folder; nothing where that is not written there."""
    content = reading.content(MADE) if reading.has(MADE) else None
    value = read_value(content, reading.spot(MADE)) if content is not None else None
    return {key: value.get(key) for key in ("benchmark", "version")} if isinstance(value, dict) else {}
