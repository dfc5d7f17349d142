"""BeaverTails-V (arXiv 2503.17682): harmful questions about pictures in 20 categories, with safe and unsafe answers.

Published on the Hugging Face Hub (PKU-Alignment/BeaverTails-V), one folder a category:

    data/<category>/train.parquet, data/<category>/evaluation.parquet
    columns question, image, category, image_severity, response, is_response_safe ("yes" or "no")

Unsafe answers of the train split are what is to be forgotten. Safe ones are no such answers: their rows are counted and
left out of the train split, and their questions are asked without an answer in the evaluation split.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, parquet_entries
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_FILES = {"train": Split.TRAIN, "evaluation": Split.VALIDATION}


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    expects = "data/<category>/train.parquet or evaluation.parquet"
    reading = Reading.of(path, ("data/*.parquet",), expects=expects)
    for category in reading.names("data"):
        for stem, split in _FILES.items():
            file = f"data/{category}/{stem}.parquet"
            if reading.has(file):
                for entry in parquet_entries(reading, file, ("question", "image"), ("response", "is_response_safe")):
                    _row(reading, category, split, entry)
    return reading


def _row(reading: Reading, category: str, split: Split, entry: Entry) -> None:
    number, data, spot = entry
    label = optional_text(data, "is_response_safe", spot)
    if label not in (None, "yes", "no"):
        spot.at("is_response_safe").error("type", f"expected yes or no, found {quoted(label)}")
    answer = (optional_text(data, "response", spot) or "") if label == "no" else ""
    if not answer and split is Split.TRAIN:
        spot.note("part", "no unsafe answer: nothing to forget, not read")
        return
    image = reading.embedded(data["image"], spot.at("image"))
    if image is not None:
        reading.add(
            spot,
            split=split,
            stream=Stream.FORGET,
            record=f"{category}/{number}",
            pair="forget",
            image=image,
            question=text(data, "question", spot),
            answer=answer,
            keys=("question", "response"),
            category=category,
        )
