"""Every answer that should be there, with what was said of it: examples, answers and verdicts, checked and joined."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from safeeraser.benchmarks.selection import Part, choose
from safeeraser.errors import UserError
from safeeraser.provenance import answer_hash
from safeeraser.records import Axis, Example, Generation, Verdict

_SHOWN = 5  # problems of one kind that a message lists


class ScoreError(UserError):
    """Examples, answers and verdicts that do not belong together; the message names what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer that should be there.

    `text` is None where it was never generated. `verdicts` hold an axis's share in 0..1, or None where the judge
    could not score it or gave no finite number; an axis that nobody judged is not among them.
    """

    example: Example
    sample: int
    text: str | None
    verdicts: Mapping[Axis, float | None]


def join(
    examples: Sequence[Example], generations: Sequence[Generation], verdicts: Sequence[Verdict]
) -> dict[Part, list[Answer]]:
    """The answers of each part: each of its examples, by id, times each sample number seen in that part.

    Raises ScoreError for an example, answer or verdict that is there twice, a verdict without its answer or about
    another one, an answer to an unknown question, and a value outside 0..1.
    """
    _check(examples, generations, verdicts)
    texts = {(item.example_id, item.sample): None if item.unfinished else item.answer for item in generations}
    values: dict[tuple[str, int], dict[Axis, float | None]] = defaultdict(dict)
    for verdict in verdicts:
        finite = verdict.value is not None and math.isfinite(verdict.value)
        values[verdict.example_id, verdict.sample][verdict.axis] = verdict.value if finite else None
    answers: dict[Part, list[Answer]] = {}
    for part in Part:
        asked = sorted(choose(examples, part), key=lambda item: item.id)
        ids = {example.id for example in asked}
        samples = sorted({sample for example_id, sample in texts if example_id in ids}) or [0]
        keys = [(example, (example.id, sample)) for example in asked for sample in samples]
        answers[part] = [
            Answer(example=example, sample=key[1], text=texts.get(key), verdicts=values.get(key, {}))
            for example, key in keys
        ]
    return answers


def stale(generations: Iterable[Generation], verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts that are about another answer than the one with their example and sample, by its hash.

    A verdict without a hash, as older files have it, cannot be told from one that fits.
    """
    hashes = {(item.example_id, item.sample): answer_hash(item.answer) for item in generations}
    return [
        item
        for item in verdicts
        if item.answer_hash not in (None, hashes.get((item.example_id, item.sample), item.answer_hash))
    ]


def _check(examples: Sequence[Example], generations: Sequence[Generation], verdicts: Sequence[Verdict]) -> None:
    ids = [example.id for example in examples]
    answers = [(item.example_id, item.sample) for item in generations]
    judged = [(item.example_id, item.sample, item.axis.value) for item in verdicts]
    wild = [
        item for item in verdicts if item.value is not None and math.isfinite(item.value) and not 0 <= item.value <= 1
    ]
    known, answered = set(ids), set(answers)
    _none("examples that are there twice", _twice(ids))
    _none("answers that are there twice (example, sample)", _twice(answers))
    _none("verdicts that are there twice (example, sample, axis)", _twice(judged))
    _none("answers to questions that are not among the examples", [key for key in answers if key[0] not in known])
    _none("verdicts without their answer", [key for key in judged if key[:2] not in answered])
    others = [(item.example_id, item.sample, item.axis.value) for item in stale(generations, verdicts)]
    _none("verdicts whose answer_hash is that of another answer (example, sample, axis)", others)
    _none("verdicts outside 0..1", [(item.example_id, item.sample, item.axis.value, item.value) for item in wild])


def _twice(keys: Iterable[Hashable]) -> list[Hashable]:
    return [key for key, count in Counter(keys).items() if count > 1]


def _none(what: str, found: Sequence[Hashable]) -> None:
    if found:
        listed = ", ".join(str(key) for key in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ScoreError(f"{what}: {listed}{more}")
