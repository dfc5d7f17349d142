"""Reasoning is told from the answer in the forms of many families, wherever a Generation comes from."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from safeeraser import reasoning
from safeeraser.judges import AXES, rules_judge
from safeeraser.judges.run import describe_failures, judge_file
from safeeraser.metrics import score
from safeeraser.records import Axis, Generation, Stream, Verdict, read_jsonl, write_jsonl
from tests.judges.asked import examples

NO = "I'm sorry, but I can't help with that."
THOUGHT = "First, look at the rules."


def said(text: str, finish: str = "stop", thought: str | None = None) -> Generation:
    return Generation(example_id="e000", sample=0, answer=text, finish=finish, reasoning=thought)


def test_examples() -> None:
    assert doctest.testmod(reasoning).failed == 0


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}\n</think>\n\n{NO}",
        f"\n <THINK>{THOUGHT}</THINK> {NO}\n",
        f"{THOUGHT}\n</think>\n\n{NO}",
        f"<thinking>{THOUGHT}</thinking>{NO}",
        f"◁think▷{THOUGHT}◁/think▷{NO}",
        f"<seed:think>{THOUGHT}</seed:think>{NO}",
        f"[THINK]{THOUGHT}[/THINK]{NO}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{NO}<|return|>",
        f"analysis{THOUGHT}assistantfinal{NO}",
        f"<|channel>{THOUGHT}<channel|>{NO}",
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{NO}<|END_RESPONSE|>",
        f"<think>{THOUGHT}</think><answer>{NO}</answer>",
        f"<REASONING>{THOUGHT}</REASONING>\n\n<CONCLUSION>{NO}</CONCLUSION>",
        f"Here is my thought process: {THOUGHT}\nHere is my response: {NO}",
    ],
)
def test_the_answer_is_what_stands_behind_the_reasoning(text: str) -> None:
    made = said(text)
    assert (made.answer, made.reasoning, made.finish) == (NO, THOUGHT, "stop")


@pytest.mark.parametrize(
    "text",
    [
        "A red kite.",
        "Put it between <b> and </b>.",
        "The tag <think> begins it.",
        "analysis of the picture: a kite",
        "A summary: <summary>kite</summary>",
        "[1] think",
        "",
    ],
)
def test_an_answer_without_reasoning_stays_as_it_is(text: str) -> None:
    assert (said(text).answer, said(text).reasoning, said(text).finish) == (text, None, "stop")


def test_several_pieces_of_reasoning_are_put_together_and_no_answer_is_lost() -> None:
    made = said("Look: <think>one</think>a kite.<think>two</think> It is red.<think>cut")
    assert (made.answer, made.reasoning) == ("Look: a kite. It is red.", "one\ntwo\ncut")


@pytest.mark.parametrize(
    "text", ["<think>\nThey ask", "◁think▷They ask", "<|channel|>analysis<|message|>They ask", "analysisThey ask"]
)
def test_what_never_leaves_its_reasoning_is_no_answer(text: str) -> None:
    for finish in ("length", "stop"):
        made = said(text, finish)
        assert (made.answer, made.reasoning, made.unfinished) == ("", "They ask", True)


def test_silence_after_the_reasoning_is_an_answer_unless_it_was_cut() -> None:
    assert not said("<think>They ask</think>").unfinished
    assert said("<think>They ask</think>\n", "length").unfinished
    assert not said("", "length").unfinished


def test_a_record_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    texts = [f"<think>{THOUGHT}</think>{NO}", "<think>They", "a</think>The tag </think> ends it.", "A kite."]
    made = [said(text) for text in texts]
    assert made[2].answer == "The tag </think> ends it."
    write_jsonl(tmp_path / "g.jsonl", made)
    assert read_jsonl(tmp_path / "g.jsonl", Generation) == made
    older = '{"example_id": "e", "sample": 0, "answer": "A kite.", "finish": "stop"}\n'
    (tmp_path / "older.jsonl").write_text(older)
    assert read_jsonl(tmp_path / "older.jsonl", Generation)[0].reasoning is None


def test_reasoning_is_not_judged_and_what_never_left_it_is_unscored_and_named(tmp_path: Path) -> None:
    asked = examples(4)[::3]  # two harmful questions
    lines = [f"<think>First, take the pistol. Then load it.</think>{NO}", "<think>First, take the pistol."]
    answers = [
        Generation(example_id=each.id, sample=0, answer=line, finish="stop")
        for each, line in zip(asked, lines, strict=True)
    ]
    tally = judge_file(rules_judge(()), asked, answers, tmp_path / "v.jsonl")
    assert tally.failures == {"unfinished_reasoning": len(AXES[Stream.FORGET])}
    assert "max_new_tokens" in describe_failures(tally)
    verdicts = read_jsonl(tmp_path / "v.jsonl", Verdict)
    said_no = {each.axis: each.value for each in verdicts if each.example_id == asked[0].id}
    assert said_no == {axis: axis is Axis.REFUSAL for axis in AXES[Stream.FORGET]}
    metrics = [each for each in score("m", asked, answers, verdicts) if each.group == "all"]
    found = {each.name: each for each in metrics if each.part == "generality"}
    assert [(found[name].value, found[name].n, found[name].unscored) for name in ("asr", "rr")] == [
        (0, 1, 1),
        (1, 1, 1),
    ]


def test_unfinished_answers_have_no_overlap_with_the_reference() -> None:
    (asked,) = examples(3)[2:]
    cut = Generation(example_id=asked.id, sample=0, answer="<think>A cat", finish="length")
    rouge = {(each.part, each.n, each.unscored) for each in score("m", [asked], [cut], []) if each.name == "rouge_l"}
    assert ("retain", 0, 1) in rouge
