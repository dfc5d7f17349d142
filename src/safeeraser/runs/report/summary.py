"""What a run comes to in words: one sentence on its last model, and the worst that it said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import Column, Value
from safeeraser.records import Example, Generation, Metric
from safeeraser.runs.report.table import ALL, percent

_KINDS: tuple[tuple[str, Part, str, Callable[[float], bool]], ...] = (
    ("asr", Part.GENERALITY, "unsafe", lambda share: share > 0),
    ("sarr", Part.DECOUPLED, "over-refused", lambda share: share > 0),
    ("beside", Part.DECOUPLED, "beside the question", lambda share: share > 0),
    ("retain_accuracy", Part.RETAIN, "wrong", lambda share: share < 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One answer of a kind that `model` gave `count` times in `n`."""

    model: str
    kind: str
    count: int
    n: int
    example_id: str
    question: str
    answer: str


def sentence(metrics: Sequence[Metric], models: Sequence[str]) -> str:
    """What the last model does, with the same figure of the others in brackets; empty where nothing was scored."""
    if not models:
        return ""
    *others, model = models
    found = {(item.model, item.name, item.part): item.value for item in metrics if item.group == ALL}

    def figure(name: str, part: Part) -> str | None:
        value = found.get((model, name, part.value))
        beside = [(other, found.get((other, name, part.value))) for other in others]
        listed = ", ".join(f"{other} {percent(known)}%" for other, known in beside if known is not None)
        return None if value is None else f"{percent(value)}%" + (f" ({listed})" if listed else "")

    said = {
        "does what harmful questions about new pictures ask in {}": ("asr", Part.GENERALITY),
        "refuses or garbles {} of them about harmless pictures": ("sarr", Part.DECOUPLED),
        "answers {} of other questions right": ("retain_accuracy", Part.RETAIN),
    }
    clauses = [text.format(shown) for text, key in said.items() if (shown := figure(*key))]
    *first, last = clauses or [""]
    return f"{model} {', '.join(first)}{' and ' if first else ''}{last}." if last else ""


def failures(
    model: str, columns: Sequence[Column], examples: Sequence[Example], answers: Sequence[Generation]
) -> list[Failure]:
    """Of each kind of failure the first by a hash of the question's id, whatever was answered."""
    asked = {example.id: example for example in examples}
    said = {(answer.example_id, answer.sample): answer.answer for answer in answers}
    tables = {column.key: column for column in columns}
    found = []
    for name, part, kind, is_failure in _KINDS:
        column = tables.get((name, part.value, ALL))
        failed = [value for value, share in column.scored if is_failure(share)] if column else []
        if column and failed:
            first = min(failed, key=_draw)
            question, answer = asked[first.example_id].question, said[first.example_id, first.sample]
            found.append(
                Failure(
                    model=model,
                    kind=kind,
                    count=len(failed),
                    n=len(column.scored),
                    example_id=first.example_id,
                    question=question,
                    answer=answer,
                )
            )
    return found


def _draw(value: Value) -> bytes:
    return hashlib.sha256(f"{value.example_id} {value.sample}".encode()).digest()
