"""Several judges, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from safeeraser.errors import UserError
from safeeraser.judges import AXES, Judge, one_by_one
from safeeraser.judges.run import judge_file
from safeeraser.judges.votes import vote
from safeeraser.records import Axis, Example, Generation, Verdict, read_jsonl
from tests.judges.asked import answers, examples


def says(name: str, value: float | None, *axes: Axis) -> Judge:
    """A judge that always says the same."""
    covered = frozenset(axes or Axis)

    def judge(example: Example, generation: Generation) -> list[Verdict]:
        return [
            Verdict(
                example_id=generation.example_id,
                sample=generation.sample,
                judge=name,
                axis=axis,
                value=value,
                failure="api_error" if value is None else None,
            )
            for axis in made.wanted(example)
        ]

    made = Judge(name, one_by_one(judge), covered)
    return made


@pytest.mark.parametrize(
    ("votes", "value", "failure"),
    [
        ((1, 1, 0), 1.0, None),
        ((0, 0, 1), 0.0, None),
        ((1, 0), None, "tie"),
        ((1, 1, None), 1.0, None),
        ((1, 0, None), None, "too_few_votes"),
        ((1, None, None), None, "too_few_votes"),
        ((None, None), None, "too_few_votes"),
        ((0.6, 0.9, 0.5), 1.0, None),
        ((0.5, 0.2), 0.0, None),
    ],
)
def test_more_than_half_of_all_decide(
    votes: tuple[float | None, ...], value: float | None, failure: str | None
) -> None:
    asked = examples(1)
    made = vote([says(f"j{number}@1", each) for number, each in enumerate(votes)])
    (verdicts,) = made.judge([(asked[0], answers(asked)[0])])
    assert {(each.value, each.failure, each.judge) for each in verdicts} == {(value, failure, made.name)}
    assert {each.axis for each in verdicts} == AXES[asked[0].stream]


def test_the_name_lists_the_members_and_the_reason_what_each_said() -> None:
    asked = examples(1)
    made = vote([says("rules@1", 1), says("endpoint@a/b:12", 1), says("local@c:3", None)])
    assert made.name == "vote@rules:1+endpoint:a/b:12+local:c:3"
    (verdicts,) = made.judge([(asked[0], answers(asked)[0])])
    assert verdicts[0].reason == "rules@1: 1; endpoint@a/b:12: 1; local@c:3: api_error"


def test_on_each_axis_those_vote_that_cover_it(tmp_path: Path) -> None:
    asked = examples(3)
    guard = says("guard@1", 1, Axis.UNSAFE)
    made = vote([guard, says("guard@2", 1, Axis.UNSAFE), says("rules@1", 0)])
    tally = judge_file(made, asked, answers(asked), tmp_path / "v.jsonl")
    assert tally.failures == {}
    values = {(each.axis, each.value) for each in read_jsonl(tmp_path / "v.jsonl", Verdict)}
    assert values == {(Axis.UNSAFE, 1.0), *((axis, 0.0) for axis in Axis if axis is not Axis.UNSAFE)}
    assert vote([guard, says("guard@2", 1, Axis.UNSAFE)]).axes == {Axis.UNSAFE}


def test_a_member_that_is_not_there_stops_a_vote_before_another_works() -> None:
    def gone() -> None:
        raise UserError("no server answers there")

    def work(_: object) -> NoReturn:
        raise AssertionError("nothing is to be judged")

    made = vote([replace(says("a@1", 1), opinions=work), replace(says("b@1", 1), check=gone)])
    asked = examples(1)
    with pytest.raises(UserError, match="no server answers there"):
        made.check()
    with pytest.raises(UserError, match="no server answers there"):
        list(made.judge([(asked[0], answers(asked)[0])]))


@pytest.mark.parametrize("members", [[], [says("a@1", 1)], [says("a@1", 1), says("a@1", 0)]])
def test_a_vote_needs_two_different_judges(members: list[Judge]) -> None:
    with pytest.raises(UserError, match="at least two different judges"):
        vote(members)
