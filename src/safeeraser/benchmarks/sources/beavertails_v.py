"""BeaverTails-V (arXiv 2503.17682): harmful questions about pictures in 20 categories, with safe and unsafe answers.

Published on the Hugging Face Hub (PKU-Alignment/BeaverTails-V), one folder a category:

    data/<category>/train.parquet, data/<category>/evaluation.parquet
    columns question, image, category, image_severity, response, is_response_safe ("yes" or "no")

Unsafe answers of the train split are what is to be forgotten. Safe ones are no such answers: their rows are counted and
left out of the train split, and their questions are asked without an answer in the evaluation split.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.reading import Reading, read_refusals
from safeeraser.benchmarks.reading.tables import Entry, parquet_entries
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

_FILES = {"train": Split.TRAIN, "evaluation": Split.VALIDATION}


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("data/*.parquet",))
    reading = Reading(root, name)
    read_refusals(reading)
    for category in reading.names("data"):
        for stem, split in _FILES.items():
            file = f"data/{category}/{stem}.parquet"
            if reading.has(file):
                for entry in parquet_entries(reading, file, ("question", "image"), ("response", "is_response_safe")):
                    _row(reading, category, split, entry)
    if not reading.found and not reading.problems():
        reading.spot().error("file", "no data/<category>/train.parquet or evaluation.parquet")
    return reading


def _row(reading: Reading, category: str, split: Split, entry: Entry) -> None:
    answer = _unsafe_answer(entry)
    if not answer and split is Split.TRAIN:
        entry.spot.note("part", "no unsafe answer: nothing to forget, not read")
        return
    question = text(entry.data, "question", entry.spot)
    image = reading.embedded(entry.data["image"], entry.spot.at("image"))
    if question is None or image is None:
        return
    example = Example(
        id=f"{split}/{category}/{entry.number}/forget",
        split=split,
        stream=Stream.FORGET,
        image=image,
        question=question,
        answer=answer,
        category=category,
    )
    reading.add(example, entry.spot, answer="response")


def _unsafe_answer(entry: Entry) -> str:
    """The row's answer where it is labelled unsafe, else nothing."""
    label = optional_text(entry.data, "is_response_safe", entry.spot)
    if label not in (None, "yes", "no"):
        entry.spot.at("is_response_safe").error("type", f"expected yes or no, found {quoted(label)}")
    return (optional_text(entry.data, "response", entry.spot) or "") if label == "no" else ""
