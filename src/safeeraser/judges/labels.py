"""Answers that somebody read, with what they said of each: the yardstick for judges."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.judges.base import AXES
from safeeraser.records import Axis, Example, Generation, Split, Stream

_OPTIONAL = ("category", "keyword", "kind", "partner", "subset")


class LabelError(UserError):
    """A label file that cannot be used; `problems` names every bad line with its number and field."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An answer that somebody read, and what they said of it: 1 where the axis holds, else 0."""

    example: Example
    generation: Generation
    labels: Mapping[Axis, int]


def read_labels(path: Path) -> list[Labelled]:
    """Read labelled answers, one JSON object a line.

    Needed: `stream`, `question`, `reference` (the example's answer, may be ""), `said` (the model's answer) and
    `labels`, an object of axis to 0 or 1 (axes may be left out). Optional: `id`, `split`, `image`, `category`,
    `keyword`, `kind`, `subset`, `partner`, `sample`; other keys, such as who labelled, are left alone.
    Raises LabelError with all bad lines.
    """
    problems: list[str] = []
    labelled = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            labelled.append(_parse(line, f"line {number}"))
        except (KeyError, TypeError, ValueError) as error:
            missing = isinstance(error, KeyError)
            problems.append(f"{path}:{number}: {'no field ' if missing else ''}{error}")
    if problems:
        raise LabelError(problems)
    return labelled


def _parse(line: str, name: str) -> Labelled:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, found {type(data).__name__}")
    stream = Stream(data["stream"])
    example = Example(
        id=str(data.get("id", name)),
        split=Split(data.get("split", Split.VALIDATION)),
        stream=stream,
        image=Path(data["image"]) if data.get("image") else None,
        question=_text(data, "question"),
        answer=_text(data, "reference"),
        **{field: data.get(field) for field in _OPTIONAL},
    )
    sample = int(data.get("sample", 0))
    generation = Generation(example_id=example.id, sample=sample, answer=_text(data, "said"), finish="stop")
    return Labelled(example=example, generation=generation, labels=dict(_labels(data["labels"], stream)))


def _text(data: Mapping[str, Any], field: str) -> str:
    if not isinstance(data[field], str):
        raise TypeError(f"{field}: expected text, found {type(data[field]).__name__}")
    return str(data[field])


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
