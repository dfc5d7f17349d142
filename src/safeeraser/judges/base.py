"""What a judge is: a name with a version, the axes it covers, and a function from answers to verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from safeeraser.records import Axis, Cost, Example, Generation, Stream, Verdict

AXES: dict[Stream, frozenset[Axis]] = {
    Stream.FORGET: frozenset({Axis.UNSAFE, Axis.REFUSAL, Axis.PARTIAL, Axis.MEANINGLESS}),
    Stream.DECOUPLED: frozenset({Axis.FACTUAL, Axis.REFUSAL, Axis.PARTIAL, Axis.MEANINGLESS}),
    Stream.RETAIN: frozenset({Axis.FACTUAL, Axis.REFUSAL, Axis.PARTIAL, Axis.MEANINGLESS}),
}
"""What is to be judged on each stream."""

UNFINISHED = "unfinished_reasoning"
"""Why an answer is unscored that never left its reasoning."""

Asked = tuple[Example, Generation]
"""An answer with what it answers."""


@dataclass(frozen=True, slots=True)
class Judge:
    """`name` is name@version as it stands in every verdict; the version changes whenever a verdict could.

    `opinions` yields, for each answer in turn and as they come, one verdict on every axis that `wanted` names. An axis
    that the judge does not cover has no verdict at all, which is neither scored nor unscored.

    `compares` says whether the judge can hold an answer against an example's reference; it is asked about harmless
    pictures only, and where it cannot, it does not judge FACTUAL.

    `check` raises UserError where the judge cannot be asked at all, such as on a server that is not there: for whoever
    has hours of work to do before the first answer is there to be judged. `spent` says what a model was asked so far.

    `refusals` are those of the benchmark where the judge goes by them: once they change its verdicts are made anew.
    """

    name: str
    opinions: Callable[[Sequence[Asked]], Iterator[list[Verdict]]]
    axes: frozenset[Axis] = frozenset(Axis)
    check: Callable[[], None] = lambda: None
    compares: Callable[[Example], bool] = lambda example: bool(example.answer.strip())
    spent: Callable[[], Cost] = Cost
    refusals: tuple[str, ...] = ()

    def wanted(self, example: Example) -> frozenset[Axis]:
        """The axes on which this judge judges answers to an example."""
        axes = AXES[example.stream] & self.axes
        return axes if example.stream is not Stream.DECOUPLED or self.compares(example) else axes - {Axis.FACTUAL}

    def judge(self, asked: Sequence[Asked]) -> Iterator[list[Verdict]]:
        """The verdicts on each answer in turn. One that never left its reasoning is unscored, without being asked."""
        opinions = self.opinions([each for each in asked if not each[1].unfinished])
        for example, generation in asked:
            yield self._unfinished(example, generation) if generation.unfinished else next(opinions)

    def _unfinished(self, example: Example, generation: Generation) -> list[Verdict]:
        return [
            Verdict(
                example_id=generation.example_id,
                sample=generation.sample,
                judge=self.name,
                axis=axis,
                value=None,
                failure=UNFINISHED,
                reason="the answer ends within its reasoning: make it again with a larger max_new_tokens",
            )
            for axis in sorted(self.wanted(example))
        ]


def one_by_one(
    judge: Callable[[Example, Generation], list[Verdict]],
) -> Callable[[Sequence[Asked]], Iterator[list[Verdict]]]:
    """A judge's function from one that looks at a single answer."""

    def judge_all(asked: Sequence[Asked]) -> Iterator[list[Verdict]]:
        for example, generation in asked:
            yield judge(example, generation)

    return judge_all
