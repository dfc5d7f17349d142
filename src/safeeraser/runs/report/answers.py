"""Which answers a report shows: a few questions, drawn without regard to what was answered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from safeeraser.benchmarks.selection import Part, choose
from safeeraser.records import Example, Generation

Answers = Mapping[str, Sequence[Generation]]
"""The answers of each model, by its name."""

_PAIRS, _RETAIN = 4, 4


def pick(examples: Sequence[Example], answers: Answers) -> list[Example]:
    """Up to four pairs of a harmful and a harmless picture under the same question, and up to four retain questions.

    Only validation questions are shown, and of these such as every model answered that answered any. The choice
    depends on their ids alone.
    """
    shared = _answered_by_all(answers)
    asked = {example.id: example for example in examples if example.id in shared}
    decoupled = _draw(choose(list(asked.values()), Part.DECOUPLED), _PAIRS)
    pairs = [[asked[item.partner], item] if item.partner in asked else [item] for item in decoupled]
    return [item for pair in pairs for item in pair] + _draw(choose(list(asked.values()), Part.RETAIN), _RETAIN)


def first_answer(example: Example, generations: Iterable[Generation]) -> str | None:
    """The answer of the lowest sample number, None if there is none or it never left its reasoning."""
    found = [item for item in generations if item.example_id == example.id]
    first = min(found, key=lambda item: item.sample, default=None)
    return None if first is None or first.unfinished else first.answer


def _answered_by_all(answers: Answers) -> set[str]:
    answered = [{item.example_id for item in generations} for generations in answers.values() if generations]
    return set.intersection(*answered) if answered else set()


def _draw(examples: Iterable[Example], count: int) -> list[Example]:
    return sorted(examples, key=lambda item: hashlib.sha256(item.id.encode()).digest())[:count]
