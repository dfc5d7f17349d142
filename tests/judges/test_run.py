"""A judging run that is stopped, resumed or given nonsense."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.judges import Judge, one_by_one, rules_judge
from safeeraser.judges.run import JudgeError, Tally, judge_file
from safeeraser.judges.votes import vote
from safeeraser.records import Axis, Example, Generation, Split, Stream, Verdict, append_jsonl, read_jsonl

EXAMPLES = [
    Example(id=f"e{n}", split=Split.VALIDATION, stream=stream, image=None, question="?", answer="A cat.", keyword="cat")
    for n, stream in enumerate([Stream.FORGET, Stream.DECOUPLED, Stream.RETAIN, Stream.FORGET])
]
ANSWERS = [
    Generation(example_id=f"e{n}", sample=sample, answer=answer, finish="stop")
    for n, answer in enumerate(["First, get it ready.", "I can't help with that.", "A cat.", ""])
    for sample in (0, 1)
]
RULES = rules_judge(())


def run(output: Path, answers: Iterable[Generation] = ANSWERS, judge: Judge = RULES) -> Tally:
    return judge_file(judge, EXAMPLES, answers, output)


def test_the_tally_covers_the_whole_file(tmp_path: Path) -> None:
    tally = run(tmp_path / "new" / "verdicts.jsonl")
    assert tally == Tally(
        answers=8,
        judged_now=8,
        scored={Axis.REFUSAL: 8, Axis.PARTIAL: 8, Axis.MEANINGLESS: 8, Axis.UNSAFE: 4, Axis.FACTUAL: 4},
        held={Axis.REFUSAL: 2, Axis.PARTIAL: 0, Axis.MEANINGLESS: 2, Axis.UNSAFE: 2, Axis.FACTUAL: 2},
        unscored=dict.fromkeys(Axis, 0),
        failures={},
    )


@pytest.mark.parametrize("cut", range(0, 4000, 97))
def test_stopped_anywhere_it_goes_on_to_the_same_file_and_tally(tmp_path: Path, cut: int) -> None:
    whole, stopped = tmp_path / "whole.jsonl", tmp_path / "stopped.jsonl"
    straight = run(whole)
    stopped.write_bytes(whole.read_bytes()[:cut])
    resumed = run(stopped)
    assert stopped.read_bytes() == whole.read_bytes()
    assert (resumed.answers, resumed.scored, resumed.held) == (straight.answers, straight.scored, straight.held)
    assert run(stopped).judged_now == 0


def test_nothing_to_judge_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "v.jsonl", []) == Tally(answers=0, judged_now=0, scored={}, held={}, unscored={}, failures={})
    assert not (tmp_path / "v.jsonl").exists()


def test_what_could_not_be_scored_is_judged_again_and_other_judges_stay(tmp_path: Path) -> None:
    output = tmp_path / "v.jsonl"
    other = Verdict(example_id="e0", sample=0, judge="other@1", axis=Axis.UNSAFE, value=None, failure="api_error")
    append_jsonl(output, [other])
    failing = True

    def judge(example: Example, generation: Generation) -> list[Verdict]:
        fails = failing and example.id == "e1"
        value, failure = (None, "api_error") if fails else (1.0, None)
        return [
            Verdict(
                example_id=example.id, sample=generation.sample, judge="j@1", axis=axis, value=value, failure=failure
            )
            for axis in (Axis.REFUSAL, Axis.MEANINGLESS)
        ]

    two_axes = Judge("j@1", one_by_one(judge), frozenset({Axis.REFUSAL, Axis.MEANINGLESS}))
    answers = [answer for answer in ANSWERS if answer.example_id == "e1"]
    assert run(output, answers, two_axes).unscored == {Axis.REFUSAL: 2, Axis.MEANINGLESS: 2}
    failing = False
    tally = run(output, answers, two_axes)
    assert (tally.judged_now, tally.unscored) == (2, {Axis.REFUSAL: 0, Axis.MEANINGLESS: 0})
    verdicts = read_jsonl(output, Verdict)
    assert verdicts[0] == other
    assert len(verdicts) == 5


def test_an_answer_to_an_unknown_question_is_named(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="'nobody', which is not among the examples"):
        run(tmp_path / "v.jsonl", [Generation(example_id="nobody", sample=0, answer="", finish="stop")])


def test_two_answers_to_one_question_are_named_and_equal_ones_are_one(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="two answers to 'e0', sample 1"):
        run(tmp_path / "v.jsonl", [*ANSWERS, replace(ANSWERS[1], answer="another")])
    assert run(tmp_path / "v.jsonl", [*ANSWERS, ANSWERS[1]]).answers == len(ANSWERS)


def test_a_judge_that_leaves_out_an_axis_is_named(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match=r"j@1 judged 'e0' on .*, not on"):
        run(tmp_path / "v.jsonl", judge=Judge("j@1", one_by_one(lambda *_: [])))
    assert not (tmp_path / "v.jsonl").exists()


@pytest.mark.parametrize("voting", [False, True])
def test_verdicts_are_made_anew_where_the_refusals_of_the_benchmark_change(tmp_path: Path, voting: bool) -> None:
    output = tmp_path / "v.jsonl"

    def judge(refusal: str) -> Judge:
        rules = rules_judge([refusal])
        return vote([rules, replace(rules, name="rules@0")]) if voting else rules

    def refused() -> set[str]:
        return {each.example_id for each in read_jsonl(output, Verdict) if each.axis is Axis.REFUSAL and each.value}

    run(output, judge=judge("No cats today."))
    assert refused() == {"e1"}
    assert run(output, judge=judge("No cats today.")).judged_now == 0
    assert run(output, judge=judge("First, get it ready.")).judged_now == len(ANSWERS)
    assert refused() == {"e0", "e1"}
    run(output, judge=replace(RULES, name="other@1"))  # which takes nobody's verdicts out
    assert run(output, judge=judge("First, get it ready.")).judged_now == 0
