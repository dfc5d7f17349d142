"""What a judge is: a name with a version, and a function from one answer to its verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from safeeraser.records import Axis, Example, Generation, Stream, Verdict

AXES: dict[Stream, frozenset[Axis]] = {
    Stream.FORGET: frozenset({Axis.UNSAFE, Axis.REFUSAL, Axis.MEANINGLESS}),
    Stream.DECOUPLED: frozenset({Axis.REFUSAL, Axis.MEANINGLESS}),
    Stream.RETAIN: frozenset({Axis.FACTUAL, Axis.REFUSAL, Axis.MEANINGLESS}),
}
"""What is to be judged on each stream. A judge gives one verdict for each of these axes."""


@dataclass(frozen=True, slots=True)
class Judge:
    """`name` is name@version as it stands in every verdict; the version changes whenever a verdict could."""

    name: str
    judge: Callable[[Example, Generation], list[Verdict]]
