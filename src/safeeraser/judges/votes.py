"""Several judges, and what most of them say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from safeeraser.errors import UserError
from safeeraser.judges.base import Asked, Judge
from safeeraser.records import Axis, Cost, Example, Verdict

_ANSWERS_AT_ONCE = 256  # that one judge looks at before the next: only one of them works at a time


def vote(judges: Sequence[Judge]) -> Judge:
    """The judge that says what more than half of the judges say that cover an axis; a value above 0.5 is a yes.

    An answer is unscored on an axis where neither yes nor no has so many: a tie, or too few judges could score it.
    Its name lists the members with their versions. Raises UserError for fewer than two judges, and for one given twice.
    """
    names = [judge.name for judge in judges]
    if len(set(names)) < max(len(names), 2):
        raise UserError(f"a vote needs at least two different judges, not {', '.join(names) or 'none'}")
    name = f"vote@{'+'.join(each.replace('@', ':') for each in names)}"

    def check() -> None:
        for each in judges:
            each.check()

    def judge(asked: Sequence[Asked]) -> Iterator[list[Verdict]]:
        check()  # before one of them works for nothing
        rest = iter(asked)
        while part := list(islice(rest, _ANSWERS_AT_ONCE)):
            said = [list(each.judge(part)) for each in judges]
            for verdicts in zip(*said, strict=True):
                yield _count(name, [verdict for each in verdicts for verdict in each])

    def compares(example: Example) -> bool:
        return any(each.compares(example) for each in judges if Axis.FACTUAL in each.axes)

    def spent() -> Cost:
        return sum((each.spent() for each in judges), Cost())

    axes = frozenset[Axis]().union(*(each.axes for each in judges))
    refusals = max((each.refusals for each in judges), key=len)  # those of one benchmark, or none
    return Judge(name, judge, axes, check, compares, spent, refusals)


def _count(name: str, verdicts: Sequence[Verdict]) -> list[Verdict]:
    axes = {verdict.axis for verdict in verdicts}
    return [_decide(name, [verdict for verdict in verdicts if verdict.axis is axis]) for axis in sorted(axes)]


def _decide(name: str, votes: Sequence[Verdict]) -> Verdict:
    scored = [vote.value > 0.5 for vote in votes if vote.value is not None]
    yes = sum(scored)
    counts = {1.0: yes, 0.0: len(scored) - yes}
    value = next((value for value, count in counts.items() if 2 * count > len(votes)), None)
    undecided = "tie" if len(scored) == len(votes) else "too_few_votes"
    return Verdict(
        example_id=votes[0].example_id,
        sample=votes[0].sample,
        judge=name,
        axis=votes[0].axis,
        value=value,
        failure=undecided if value is None else None,
        reason="; ".join(f"{vote.judge}: {_said(vote)}" for vote in votes),
    )


def _said(vote: Verdict) -> str:
    return str(vote.failure) if vote.value is None else f"{vote.value:g}"
