"""OR-Bench (arXiv 2405.20947): prompts that sound toxic and are not, and truly toxic ones beside them. Text only.

Published on the Hugging Face Hub (bench-llm/or-bench), columns prompt, category:

    or-bench-hard-1k.csv, or-bench-80k.csv    must not be refused: decoupled examples without a partner
    or-bench-toxic.csv                        must be refused: forget examples

The hard prompts stand in the file of 80,000 too; they are read once. All of it is for evaluation; no answers are
published.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import table_entries, table_name
from safeeraser.records import Split, Stream

_TABLES = {"hard-1k": Stream.DECOUPLED, "80k": Stream.DECOUPLED, "toxic": Stream.FORGET}


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    expects = f"one of {', '.join(f'or-bench-{part}.csv' for part in _TABLES)}"
    reading = Reading.of(path, ("*.csv",), expects=expects)
    hard: set[str] = set()
    for part, stream in _TABLES.items():
        if table_name(reading, f"or-bench-{part}"):
            _read(reading, part, stream, hard)
    return reading


def _read(reading: Reading, part: str, stream: Stream, hard: set[str]) -> None:
    """Take one file's prompts; `hard` gathers those of hard-1k."""
    for number, data, spot in table_entries(reading, f"or-bench-{part}", ("prompt", "category")):
        prompt = text(data, "prompt", spot)
        if part == "80k" and prompt in hard:
            spot.note("repeated", "in or-bench-hard-1k.csv too, not read again")
            continue
        if part == "hard-1k" and prompt is not None:
            hard.add(prompt)
        reading.add(
            spot,
            split=Split.VALIDATION,
            stream=stream,
            record=f"{part}/{number}",
            pair=stream,
            question=prompt,
            keys=("prompt", "answer"),
            category=optional_text(data, "category", spot),
            kind=part,
        )
