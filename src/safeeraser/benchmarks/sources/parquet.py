"""Benchmarks as `data export --to parquet` writes them, read back: data/<split>-*.parquet, columns as in `features`.

`number` is the example's place in the benchmark, from 0. prompt.json may hold refusals; it may lie on the Hub.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safeeraser.benchmarks.reading.fields import any_text, optional_text, text, typed
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, parquet_entries
from safeeraser.errors import unknown
from safeeraser.records import Example, Split, Stream

if TYPE_CHECKING:
    from datasets import Features

Named = TypeVar("Named", bound=StrEnum)

_TEXTS = ("id", "split", "stream", "question", "answer")
_LABELS = ("partner", "category", "keyword", "subset", "kind")
_PLACE = ("record", "pair")


def features() -> Features:
    """The columns: an example's number, its fields as text, and its picture."""
    import datasets  # noqa: PLC0415 - heavy, and only exports need it

    texts = {name: datasets.Value("string") for name in (*_TEXTS, *_LABELS, *_PLACE)}
    return datasets.Features({"number": datasets.Value("int64"), **texts, "image": datasets.Image()})


def row(example: Example) -> dict[str, str | None]:
    """An example's fields but for the picture."""
    fields = dataclasses.asdict(example)
    return {name: None if fields[name] is None else str(fields[name]) for name in (*_TEXTS, *_LABELS, *_PLACE)}


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading, places = Reading.of(path, ("data/*.parquet",), expects="data/*.parquet"), dict[str, int]()
    for file in reading.names("data", r".*\.parquet"):
        for entry in parquet_entries(reading, f"data/{file}", ("number", *_TEXTS, *_LABELS, "image"), _PLACE):
            number = typed(entry.data["number"], int, entry.spot.at("number"))
            if number is not None:
                _add(reading, entry, number, places)
    reading.found.sort(key=lambda one: places[one.example.id])
    return reading


def _add(reading: Reading, entry: Entry, number: int, places: dict[str, int]) -> None:
    _, data, spot = entry
    value = data["image"]
    image = reading.embedded(value, spot.at("image")) if value is not None else None
    id, question = (text(data, key, spot) for key in ("id", "question"))
    split, stream = _one_of(Split, data, "split", spot), _one_of(Stream, data, "stream", spot)
    if id is None or split is None or stream is None or (image is None and value is not None):
        return
    record, _, pair = id.removeprefix(f"{split}/").rpartition("/")  # of files that were written without them
    labels: dict[str, Any] = {name: optional_text(data, name, spot) for name in _LABELS}
    reading.add(
        spot,
        split=split,
        stream=stream,
        record=optional_text(data, "record", spot) or record,
        pair=optional_text(data, "pair", spot) or pair,
        question=question,
        answer=any_text(data, "answer", spot) or "",
        image=image,
        **labels,
    )
    if reading.found:
        places.setdefault(reading.found[-1].example.id, number)


def _one_of(kind: type[Named], data: dict[str, Any], key: str, spot: Spot) -> Named | None:
    """The member of Split or Stream that a text names; None where there is none, and that is reported."""
    value = text(data, key, spot)
    if value is None or value in list(kind):
        return None if value is None else kind(value)
    spot.at(key).error("type", unknown(key, value[:60], kind))
    return None
