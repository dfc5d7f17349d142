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

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import text
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import json_members, parquet_entries
from safeeraser.records import Example, Split, Stream

_QUESTIONS = {"SD": "Rephrased Question(SD)", "SD_TYPO": "Rephrased Question", "TYPO": "Rephrased Question"}
_TEXT_ONLY = "Text_only"


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("data/*.parquet",))
    reading = Reading(root, name)
    for home in ("", "data/"):
        for file in reading.names(f"{home}processed_questions", r".*\.json"):
            _questions(reading, home, file.removesuffix(".json"))
    for scenario in reading.names("data"):
        for kind in (*_QUESTIONS, _TEXT_ONLY):
            file = f"data/{scenario}/{kind}.parquet"
            if reading.has(file):
                _table(reading, scenario, kind, file)
    if not reading.found and not reading.problems():
        reading.spot().error("file", "neither processed_questions/*.json nor data/*/*.parquet")
    return reading


def _questions(reading: Reading, home: str, scenario: str) -> None:
    for key, entry in json_members(reading, f"{home}processed_questions/{scenario}.json"):
        for kind, column in _QUESTIONS.items():
            question = text(entry.data, column, entry.spot)
            image = reading.picture(f"{home}imgs/{scenario}/{kind}/{key}.jpg", entry.spot.at(kind))
            if question is not None and image is not None:
                _add(
                    reading, scenario.partition("-")[2] or scenario, key, kind, question, image, entry.spot.at(), column
                )


def _table(reading: Reading, scenario: str, kind: str, file: str) -> None:
    columns = ("id", "question") if kind == _TEXT_ONLY else ("id", "question", "image")
    for entry in parquet_entries(reading, file, columns):
        question = text(entry.data, "question", entry.spot)
        image = None if kind == _TEXT_ONLY else reading.embedded(entry.data["image"], entry.spot.at("image"))
        if question is not None and (image is not None or kind == _TEXT_ONLY):
            _add(reading, scenario, str(entry.data["id"]), kind, question, image, entry.spot, "question")


def _add(
    reading: Reading,
    scenario: str,
    key: str,
    kind: str,
    question: str,
    image: Path | None,
    spot: Spot,
    column: str,
) -> None:
    example = Example(
        id=f"{Split.VALIDATION}/{scenario}/{key}/{kind}",
        split=Split.VALIDATION,
        stream=Stream.FORGET,
        image=image,
        question=question,
        answer="",
        category=scenario,
        kind=kind,
    )
    reading.add(example, spot, question=column)
