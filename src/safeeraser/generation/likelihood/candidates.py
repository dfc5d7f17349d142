"""Which texts are scored as answers to which question: the example's own answer, and others to compare it with."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safeeraser.errors import UserError
from safeeraser.records import ANSWER, CONTRAST, Example, Stream


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that could answer the example's question. `role` and `number` as in `records.Likelihood`."""

    example: Example
    role: str
    number: int
    text: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from all others."""
        return self.example.id, self.role, self.number


def candidates(
    asked: Iterable[Example], pool: Iterable[Example], refusals: Sequence[str], *, contrasts: int = 3, seed: int = 233
) -> list[Candidate]:
    """The answer of each example asked, and up to `contrasts` texts to compare it with.

    Harmful questions, about harmful and harmless pictures alike, are contrasted with `refusals`; harmless ones with
    other answers to retain questions of the same kind, from `pool`. Which ones is drawn by the seed and the example's
    id, so that it does not depend on what else is asked. There are fewer where there are not as many other texts. An
    example without an answer has no candidates. Raises UserError where none has one.
    """
    asked = list(asked)
    others = _answers_by_kind(pool)
    found = []
    answered = [example for example in asked if example.answer.strip()]
    if asked and not answered:
        raise UserError(f"none of the {len(asked)} examples asked has an answer: there is nothing to measure")
    for example in answered:
        texts = others.get(example.kind, []) if example.stream is Stream.RETAIN else sorted(set(refusals))
        unlike = [text for text in texts if text.strip().casefold() != example.answer.strip().casefold()]
        drawn = random.Random(f"{seed}/{example.id}").sample(unlike, min(contrasts, len(unlike)))
        found.append(Candidate(example, ANSWER, 0, example.answer))
        found += [Candidate(example, CONTRAST, number, text) for number, text in enumerate(drawn)]
    return found


def _answers_by_kind(pool: Iterable[Example]) -> dict[str | None, list[str]]:
    """The answers to retain questions of each kind, each once, in an order that does not depend on the pool's."""
    found: dict[str | None, set[str]] = {}
    for example in pool:
        if example.stream is Stream.RETAIN and example.answer.strip():
            found.setdefault(example.kind, set()).add(example.answer)
    return {kind: sorted(answers) for kind, answers in found.items()}
