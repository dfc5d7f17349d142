"""Answers that somebody read, with what they said of each: the yardstick for judges."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
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
    """Read labelled answers: one JSON object a line, or a table (.csv) in which labels have columns of their own.

    Needed: `stream`, `question`, `reference` (the example's answer, may be ""), `said` (the model's answer) and
    `labels`, an object of axis to 0 or 1 (axes may be left out; a row of a table without any label is passed over).
    Optional: `id`, `split`, `image`, `category`, `keyword`, `kind`, `subset`, `partner`, `sample`, `model`, `stratum`,
    `stratum_size`; other keys, such as who labelled, are left alone.
    Raises LabelError with all bad lines.
    """
    problems: list[str] = []
    labelled = []
    for number, read in _rows(path):
        try:
            labelled.append(_parse(read(), f"line {number}"))
        except (KeyError, TypeError, ValueError) as error:
            missing = isinstance(error, KeyError)
            problems.append(f"{path}:{number}: {'no field ' if missing else ''}{error}")
    if problems:
        raise LabelError(problems)
    return labelled


def _rows(path: Path) -> Iterator[tuple[int, Callable[[], dict[str, Any]]]]:
    """The number of each line, and what reads it."""
    if path.suffix == ".csv":
        yield from ((number, partial(dict, row)) for number, row in read_table(path) if row["labels"])
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            yield number, partial(_object, line)


def _object(line: str) -> dict[str, Any]:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, found {type(data).__name__}")
    return data


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
    sample = int(data.get("sample") or 0)
    generation = Generation(example_id=example.id, sample=sample, answer=_text(data, "said"), finish="stop")
    return Labelled(
        example=example,
        generation=generation,
        labels=dict(_labels(data["labels"], stream)),
        model=str(data.get("model") or ""),
        stratum=str(data.get("stratum") or ""),
        stratum_size=int(data["stratum_size"]) if data.get("stratum_size") else None,
    )


def _text(data: Mapping[str, Any], field: str) -> str:
    if not isinstance(data[field], str):
        raise TypeError(f"{field}: expected text, found {type(data[field]).__name__}")
    return whole_text(data[field])


def _labels(labels: Any, stream: Stream) -> Iterator[tuple[Axis, int]]:
    if not isinstance(labels, dict) or not labels:
        raise TypeError("labels: expected an object of axis to 0 or 1")
    for name, label in labels.items():
        if name not in AXES[stream]:
            raise ValueError(
                f"labels: {name!r} is not judged on {stream.value} (but {', '.join(sorted(AXES[stream]))})"
            )
        if label not in (0, 1):
            raise ValueError(f"labels: {name} must be 0 or 1, found {label!r}")
        yield Axis(name), int(label)
