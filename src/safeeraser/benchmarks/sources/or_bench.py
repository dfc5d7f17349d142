"""OR-Bench (arXiv 2405.20947): prompts that sound toxic and are not, and truly toxic ones beside them. Text only.

Published on the Hugging Face Hub (bench-llm/or-bench), columns prompt, category:

    or-bench-hard-1k.csv, or-bench-80k.csv    must not be refused: decoupled examples without a partner
    or-bench-toxic.csv                        must be refused: forget examples

The hard prompts stand in the file of 80,000 too; they are read once. All of it is for evaluation; no answers are
published.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import csv_entries
from safeeraser.records import Example, Split, Stream

_FILES = {"hard-1k": Stream.DECOUPLED, "80k": Stream.DECOUPLED, "toxic": Stream.FORGET}


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("*.csv",))
    reading = Reading(root, name)
    hard: set[str] = set()
    for part, stream in _FILES.items():
        if reading.has(f"or-bench-{part}.csv"):
            _read(reading, part, stream, hard)
    if not reading.found and not reading.problems():
        reading.spot().error("file", f"no file among {', '.join(f'or-bench-{part}.csv' for part in _FILES)}")
    return reading


def _read(reading: Reading, part: str, stream: Stream, hard: set[str]) -> None:
    """Take one file's prompts; `hard` gathers those of hard-1k."""
    for entry in csv_entries(reading, f"or-bench-{part}.csv", ("prompt", "category")):
        prompt = text(entry.data, "prompt", entry.spot)
        if prompt is None:
            continue
        if part == "hard-1k":
            hard.add(prompt)
        elif stream is Stream.DECOUPLED and prompt in hard:
            entry.spot.note("repeated", "in or-bench-hard-1k.csv too, not read again")
            continue
        example = Example(
            id=f"{Split.VALIDATION}/{part}/{entry.number}/{stream}",
            split=Split.VALIDATION,
            stream=stream,
            image=None,
            question=prompt,
            answer="",
            category=optional_text(entry.data, "category", entry.spot),
            kind=part,
        )
        reading.add(example, entry.spot, question="prompt")
