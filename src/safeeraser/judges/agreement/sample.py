"""Draw answers for people to label: as many of each kind of verdict, for most answers are of one kind."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from safeeraser.errors import UserError
from safeeraser.provenance import answer_hash, text_hash
from safeeraser.records import Axis, Example, Generation, Verdict

Key = tuple[str, str, int]
"""What tells an answer from all others: model, example id, sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer of a model with a judge's verdicts on it; None where the judge could not score it."""

    model: str
    example: Example
    generation: Generation
    verdicts: Mapping[Axis, float | None]

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.model, self.example.id, self.generation.sample

    @property
    def stratum(self) -> str:
        """The answers among which it is drawn: those of its stream on which the judge says the same.

        A hash, so that who labels does not see what the judge says.
        """
        said = (f"{axis}={_said(value)}" for axis, value in sorted(self.verdicts.items()))
        return text_hash(f"{self.example.stream}: {' '.join(said)}")[:8]


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer to label, and of how many its stratum is."""

    answered: Answered
    stratum_size: int


def answered(
    model: str, examples: Iterable[Example], generations: Iterable[Generation], verdicts: Iterable[Verdict]
) -> list[Answered]:
    """The answers that have verdicts of one judge; what never left its reasoning is none that anybody can label.

    Verdicts that are known to be about another answer do not count.
    """
    asked = {example.id: example for example in examples}
    said: dict[tuple[str, int], dict[Axis, float | None]] = defaultdict(dict)
    answers = {(each.example_id, each.sample): each for each in generations if not each.unfinished}
    for verdict in verdicts:
        key = (verdict.example_id, verdict.sample)
        if key in answers and verdict.answer_hash in (None, answer_hash(answers[key].answer)):
            said[key][verdict.axis] = verdict.value
    return [
        Answered(model=model, example=asked[key[0]], generation=answer, verdicts=said[key])
        for key, answer in answers.items()
        if key[0] in asked and key in said
    ]


def draw(population: Sequence[Answered], count: int, seed: int) -> list[Drawn]:
    """`count` answers (all if there are fewer), equally many of each stratum as far as it has them, in random order.

    The same seed draws the same answers. Raises UserError where there are fewer places than strata: one without any
    label could say nothing about its answers.
    """
    strata: dict[str, list[Answered]] = defaultdict(list)
    for each in sorted(population, key=lambda each: each.key):
        strata[each.stratum].append(each)
    if count < len(strata):
        raise UserError(f"{count} answers for {len(strata)} kinds of verdict: draw at least one of each")
    rng = random.Random(seed)
    quotas = _quotas({name: len(found) for name, found in strata.items()}, count)
    drawn = [Drawn(each, len(found)) for name, found in strata.items() for each in rng.sample(found, quotas[name])]
    rng.shuffle(drawn)
    return drawn


def _quotas(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Equal shares; what a small stratum cannot use goes to the others."""
    quotas: dict[str, int] = {}
    left = count
    for position, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        quotas[name] = min(size, left // (len(sizes) - position))
        left -= quotas[name]
    return quotas


def _said(value: float | None) -> str:
    return "unscored" if value is None else str(int(value > 0.5))
