"""MM-SafetyBench (arXiv 2311.17600): harmful questions in 13 scenarios, each with three pictures of what it is about.

As published on GitHub (isXinLiu/MM-SafetyBench, pictures fetched apart), in the folder or in `data/` below it:

    processed_questions/01-Illegal_Activitiy.json   {"0": {"Question", "Changed Question", "Key Phrase", "Phrase Type",
                                                    "Rephrased Question", "Rephrased Question(SD)"}, ...}
    imgs/01-Illegal_Activitiy/{SD,SD_TYPO,TYPO}/0.jpg

As published on the Hugging Face Hub (PKU-Alignment/MM-SafetyBench), columns id, question, image:

    data/Illegal_Activitiy/{SD,SD_TYPO,TYPO,Text_only}.parquet

The SD picture goes with `Rephrased Question(SD)`, the other two with `Rephrased Question`, as the authors evaluate. All
of it is for evaluation; no answers are published.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import record_id, text
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import json_members, parquet_entries
from safeeraser.records import Split, Stream

_QUESTIONS = {"SD": "Rephrased Question(SD)", "SD_TYPO": "Rephrased Question", "TYPO": "Rephrased Question"}
_TEXT_ONLY = "Text_only"


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading = Reading.of(path, ("data/*.parquet",), expects="processed_questions/*.json or data/*/*.parquet")
    for home in ("", "data/"):
        for file in reading.names(f"{home}processed_questions", r".*\.json"):
            _questions(reading, home, file.removesuffix(".json"))
    for scenario in reading.names("data"):
        for kind in (*_QUESTIONS, _TEXT_ONLY):
            file = f"data/{scenario}/{kind}.parquet"
            if reading.has(file):
                _table(reading, scenario, kind, file)
    return reading


def _questions(reading: Reading, home: str, scenario: str) -> None:
    for key, (_, data, spot) in json_members(reading, f"{home}processed_questions/{scenario}.json"):
        for kind, column in _QUESTIONS.items():
            image = reading.picture(f"{home}imgs/{scenario}/{kind}/{key}.jpg", spot.at(kind))
            if image is not None:
                name = scenario.partition("-")[2] or scenario
                _add(reading, name, key, kind, text(data, column, spot), image, spot, column, spot.at(kind))


def _table(reading: Reading, scenario: str, kind: str, file: str) -> None:
    columns = ("id", "question") if kind == _TEXT_ONLY else ("id", "question", "image")
    for _, data, spot in parquet_entries(reading, file, columns):
        image = None if kind == _TEXT_ONLY else reading.embedded(data["image"], spot.at("image"))
        if image is not None or kind == _TEXT_ONLY:
            key, question = record_id(data, "id", spot), text(data, "question", spot)
            if key is not None:
                _add(reading, scenario, key, kind, question, image, spot, "question", spot.at("image"))


def _add(
    reading: Reading,
    scenario: str,
    key: str,
    kind: str,
    question: str | None,
    image: Path | None,
    spot: Spot,
    column: str,
    image_at: Spot,
) -> None:
    reading.add(
        spot,
        split=Split.VALIDATION,
        stream=Stream.FORGET,
        record=f"{scenario}/{key}",
        pair=kind,
        image=image,
        question=question,
        keys=(column, "answer"),
        image_at=image_at,
        category=scenario,
        kind=kind,
    )
