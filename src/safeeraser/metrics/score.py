"""The values of every measure, each answer's for itself, and the metrics they come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics.answers import Answer, join
from safeeraser.metrics.clusters import clusters
from safeeraser.metrics.intervals import estimate
from safeeraser.metrics.measures import Measure
from safeeraser.metrics.protocols import STRICT, Protocol
from safeeraser.records import Example, Generation, Metric, Verdict


@dataclass(frozen=True, slots=True)
class Value:
    """What one answer is worth: `share` in 0..1, or None where it is unscored.

    `cluster` is what does not vary on its own, as `metrics.clusters` tells it: the picture, for one.
    """

    example_id: str
    sample: int
    cluster: Hashable
    share: float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One measure on one group of answers ("all", "category=Weapon", ...), answer by answer, in the order of ids."""

    measure: Measure
    group: str
    values: tuple[Value, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells a column from the others of a table."""
        return self.measure.name, self.measure.part.value, self.group

    @property
    def scored(self) -> list[tuple[Value, float]]:
        """The values that are there, each with its share."""
        return [(value, value.share) for value in self.values if value.share is not None]


def score(
    model: str,
    examples: Iterable[Example],
    generations: Iterable[Generation],
    verdicts: Iterable[Verdict],
    *,
    protocol: Protocol = STRICT,
) -> list[Metric]:
    """All metrics of one model: each overall and by category, subset and (on retain) kind of question.

    `examples` are those the model was asked; one without an answer is unscored, and so is an answer without a verdict.
    Where a part was sampled several times, every example should have every sample. `verdicts` are one judge's.
    Intervals allow for answers about the same picture.

    Raises ScoreError as `answers.join` does.
    """
    return [summarise(model, column) for column in measured(examples, generations, verdicts, protocol)]


def measured(
    examples: Iterable[Example],
    generations: Iterable[Generation],
    verdicts: Iterable[Verdict],
    protocol: Protocol = STRICT,
) -> list[Column]:
    """The same, answer by answer, as comparisons need it: each measure on "all", then on its groups by name."""
    asked = list(examples)
    answers = join(asked, list(generations), list(verdicts))
    shared = clusters(asked)
    columns = []
    for measure in protocol.measures:
        chosen = [
            answer
            for answer in answers[measure.part]
            if measure.kind in (None, answer.example.kind) and measure.takes(answer)
        ]
        values = [_value(answer, measure, shared) for answer in chosen]
        for group, places in _groups(chosen, measure).items():
            columns.append(Column(measure, group, tuple(values[place] for place in places)))
    return columns


def summarise(model: str, *seeds: Column) -> Metric:
    """The mean of a column with its 95% interval; without a value where nothing was scored.

    Of the same column under several seeds it is the mean over seeds, and there is none where one has nothing scored.
    """
    scored = [(seed, value.cluster, share) for seed, column in enumerate(seeds) for value, share in column.scored]
    value, low, high = None, None, None
    if {seed for seed, _, _ in scored} == set(range(len(seeds))):
        numbers, shared, shares = zip(*scored, strict=True)
        value, low, high = estimate(shares, shared, numbers)
    (name, part, group), n = seeds[0].key, len(scored)
    unscored = sum(len(column.values) for column in seeds) - n
    return Metric(
        model=model, name=name, part=part, group=group, value=value, low=low, high=high, n=n, unscored=unscored
    )


def _value(answer: Answer, measure: Measure, shared: Mapping[str, Hashable]) -> Value:
    return Value(answer.example.id, answer.sample, shared[answer.example.id], measure.value(answer))


def _groups(answers: Sequence[Answer], measure: Measure) -> dict[str, list[int]]:
    """Places of the answers of each group, "all" first, the others by name."""
    fields = ["category", "subset"]
    if measure.part is Part.RETAIN and measure.kind is None:
        fields.append("kind")
    groups: dict[str, list[int]] = {"all": list(range(len(answers)))}
    for field in fields:
        found: dict[str, list[int]] = defaultdict(list)
        for place, answer in enumerate(answers):
            if (name := getattr(answer.example, field)) is not None:
                found[f"{field}={name}"].append(place)
        groups |= dict(sorted(found.items()))
    return groups
