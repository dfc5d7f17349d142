"""MLLMU-Bench (arXiv 2410.22108): invented people to be forgotten or kept, and real ones to be kept.

Published on the Hugging Face Hub (MLLMMU/MLLMU-Bench), one folder a part, each with Parquet files:

    forget_5/, forget_10/, forget_15/     people to forget: forget, train split
    retain_95/, retain_90/, retain_85/    the others: retain, train split
    Test_Set/                             other pictures and wordings: those to forget, validation split
    Retain_Set/                           real people: retain, validation split
    columns ID, image (Test_Set: images, a list), Generation_Task: [{Question, Ground_Truth, Type}]; question, answer

The path may name what to forget, as in `MLLMU-Bench/forget_10`; else it is the smallest part there. A `Type` of
"Pure_Text" is asked without the picture. `Classification_Task` and `Mask_Task`, which have prompts of their own, are
not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safeeraser.benchmarks.reading.fields import answer, optional_text, record_id, text, typed
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading, smallest
from safeeraser.benchmarks.reading.tables import Entry, parquet_entries
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_OPTIONAL = ("image", "images", "question", "answer")
_TEXT = "text"
_KINDS = {"Image_Textual": "picture", "Pure_Text": _TEXT}


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading, part = Reading.of_part(path, ("*.parquet",), expects="forget_5/ with people to forget")
    part = part or smallest(reading.names(pattern=r"forget_\d+"))
    if part is None or not reading.has(part):
        if part is not None:
            reading.spot().error("file", f"no part {part}/ with people to forget")
        return reading
    forgotten = _people(reading, part, Split.TRAIN, Stream.FORGET)
    _people(reading, f"retain_{100 - int(part.removeprefix('forget_'))}", Split.TRAIN, Stream.RETAIN)
    _people(reading, "Test_Set", Split.VALIDATION, Stream.FORGET, only=forgotten)
    _people(reading, "Retain_Set", Split.VALIDATION, Stream.RETAIN)
    return reading


def _people(reading: Reading, part: str, split: Split, stream: Stream, only: set[str] | None = None) -> set[str]:
    """Take the examples of a part, if it is there, of those people only; returns the ids of all in it."""
    files = reading.names(part, r".*\.parquet")
    if not files:
        reading.spot().warn("part", f"no {part}/: no {stream} examples in the {split} split")
    ids = set()
    for file in files:
        for entry in parquet_entries(reading, f"{part}/{file}", ("ID", "Generation_Task"), _OPTIONAL):
            person = record_id(entry.data, "ID", entry.spot)
            if person is None:
                continue
            ids.add(person)
            if only is None or person in only:
                _person(reading, f"{part}/{person}", split, stream, entry)
    return ids


def _person(reading: Reading, record: str, split: Split, stream: Stream, entry: Entry) -> None:
    images = entry.data.get("images")
    value = images[0] if isinstance(images, list) and images else entry.data.get("image")
    place = entry.spot.at("images" if images else "image")
    image = reading.embedded(value, place)
    for number, (question, reply, kind, spot) in enumerate(_questions(entry), start=1):
        if image is not None or kind == _TEXT:
            reading.add(
                spot,
                split=split,
                stream=stream,
                record=record,
                pair=f"{stream}{number}",
                image=None if kind == _TEXT else image,
                question=question,
                answer=reply,
                image_at=place,
                kind=kind,
            )


def _questions(entry: Entry) -> Iterator[tuple[str | None, str | None, str, Spot]]:
    """Each question of a person with its answer, kind and place: the biography's, then the generation tasks."""
    question, reply = (optional_text(entry.data, key, entry.spot) for key in ("question", "answer"))
    if question is not None and reply is not None:
        yield question, reply, "biography", entry.spot
    for index, task in enumerate(typed(entry.data["Generation_Task"], list, entry.spot.at("Generation_Task")) or []):
        spot = entry.spot.at("Generation_Task", index)
        if typed(task, dict, spot) is None:
            continue
        if task.get("Type") not in _KINDS:
            spot.at("Type").error("type", f"expected {' or '.join(_KINDS)}, found {quoted(task.get('Type'))}")
        else:
            yield text(task, "Question", spot), answer(task, "Ground_Truth", spot), _KINDS[task["Type"]], spot
