"""Answers that somebody read, with what they said of each: the yardstick for judges."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import TABLES, json_entries
from safeeraser.errors import UserError
from safeeraser.files import real
from safeeraser.judges.agreement.tables import read_table
from safeeraser.judges.base import AXES
from safeeraser.records import Axis, Example, Generation, Split, Stream
from safeeraser.text import whole_text

_OPTIONAL = ("category", "keyword", "kind", "partner", "subset")


class LabelError(UserError):
    """A label file that cannot be used; `problems` names every bad line with its number and field."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An answer that somebody read, and what they said of it: 1 where the axis holds, else 0.

    `model` gave the answer. `stratum` and `stratum_size` are there where `agreement draw` chose it: from which answers,
    and how many they are.
    """

    example: Example
    generation: Generation
    labels: Mapping[Axis, int]
    model: str = ""
    stratum: str = ""
    stratum_size: int | None = None


def read_labels(path: Path) -> list[Labelled]:
    """Read labelled answers: one JSON object a line, or a table (.csv, .tsv, .xlsx) in which labels have columns of
    their own.

    Needed: `stream`, `question`, `reference` (the example's answer, may be ""), `said` (the model's answer) and
    `labels`, an object of axis to 0 or 1 (axes may be left out; a row of a table without any label is passed over).
    Optional: `id`, `split`, `image`, `category`, `keyword`, `kind`, `subset`, `partner`, `sample`, `model`, `stratum`,
    `stratum_size`; other keys, such as who labelled, are left alone.
    Raises LabelError with all bad lines.
    """
    place = real(path)
    reading = Reading(place.parent, path.name)
    problems: list[tuple[int, str]] = []
    labelled = []
    for number, row in _rows(reading, place.name, table=path.suffix.lower() in TABLES):
        try:
            labelled.append(_parse(row, f"line {number}"))
        except (KeyError, TypeError, ValueError) as error:
            problems.append((number, f"{'no field ' if isinstance(error, KeyError) else ''}{error}"))
    problems += [(each.number or 0, each.message) for each in reading.told()]
    if problems:
        places = [(f"{path}:{number}" if number else str(path), said) for number, said in sorted(problems)]
        raise LabelError([f"{place}: {said}" for place, said in places])
    return labelled


def _rows(reading: Reading, name: str, *, table: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row or line with its number."""
    if table:
        yield from (row for row in read_table(reading, name) if row[1]["labels"])
    else:
        yield from ((number, data) for number, data, _ in json_entries(reading, name))


def _parse(data: dict[str, Any], name: str) -> Labelled:
    stream = Stream(data["stream"])
    example = Example(
        id=str(data.get("id", name)),
        split=Split(data.get("split") or Split.VALIDATION),
        stream=stream,
        image=Path(data["image"]) if data.get("image") else None,
        question=_text(data, "question"),
        answer=_text(data, "reference"),
        **{field: data.get(field) or None for field in _OPTIONAL},
    )
    sample = _whole(data, "sample") or 0
    generation = Generation(example_id=example.id, sample=sample, answer=_text(data, "said"), finish="stop")
    return Labelled(
        example=example,
        generation=generation,
        labels=dict(_labels(data["labels"], stream)),
        model=str(data.get("model") or ""),
        stratum=str(data.get("stratum") or ""),
        stratum_size=_whole(data, "stratum_size"),
    )


def _text(data: Mapping[str, Any], field: str) -> str:
    if not isinstance(data[field], str):
        raise TypeError(f"{field}: expected text, found {type(data[field]).__name__}")
    return whole_text(data[field])


def _whole(data: Mapping[str, Any], field: str) -> int | None:
    """A whole number, which a table may write as 1.0; None where there is none."""
    try:
        return int(float(data[field])) if data.get(field) else None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{field}: expected a whole number, found {reprlib.repr(data[field])}") from error


def _labels(labels: Any, stream: Stream) -> Iterator[tuple[Axis, int]]:
    if not isinstance(labels, dict) or not labels:
        raise TypeError("labels: expected an object of axis to 0 or 1")
    for name, label in labels.items():
        if name not in AXES[stream]:
            raise ValueError(
                f"labels: {name!r} is not judged on {stream.value} (but {', '.join(sorted(AXES[stream]))})"
            )
        if label not in (0, 1):
            raise ValueError(f"labels: {name} must be 0 or 1, found {reprlib.repr(label)}")
        yield Axis(name), int(label)
