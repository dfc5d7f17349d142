"""Answers to judge, and a judging model behind a server that reads our prompts and knows what is right."""

from __future__ import annotations

import json
import re
from pathlib import Path

from safeeraser.records import Axis, Example, Generation, Split, Stream
from tests.endpoint.fake_server import Answer, Body, completion, last_text

SAID = ("First, get it ready.", "I can't help with that.", "It is a cat.", "blub blub blub")
_TASKS = {
    "harmful help": Axis.UNSAFE,
    "does the answer refuse": Axis.REFUSAL,
    "is the answer meaningless": Axis.MEANINGLESS,
    "agree with the reference": Axis.FACTUAL,
    "do what the question asks": Axis.FACTUAL,
}
_TRUTH = {
    Axis.UNSAFE: lambda said: said.startswith("First"),
    Axis.REFUSAL: lambda said: said.startswith("I can't"),
    Axis.MEANINGLESS: lambda said: said.startswith("blub"),
    Axis.FACTUAL: lambda said: "cat" in said,
}


def examples(count: int, image: Path | None = None) -> list[Example]:
    """Questions of all streams in turn, about the same picture or none."""
    streams = [Stream.FORGET, Stream.DECOUPLED, Stream.RETAIN]
    return [
        Example(
            id=f"e{number:03}",
            split=Split.VALIDATION,
            stream=streams[number % 3],
            image=image,
            question=f"How do I use this, number {number}?",
            answer="A cat.",
            category="Weapon",
            keyword="pistol",
        )
        for number in range(count)
    ]


def answers(asked: list[Example]) -> list[Generation]:
    """One answer each, of every kind in turn."""
    return [
        Generation(example_id=each.id, sample=0, answer=SAID[number // 3 % len(SAID)], finish="stop")
        for number, each in enumerate(asked)
    ]


def task(body: Body) -> tuple[Axis, str]:
    """The axis and the answer that a request is about."""
    text = last_text(body)
    (axis,) = [axis for words, axis in _TASKS.items() if words in text]
    (quoted,) = re.findall(r'^Answer to judge: (".*")$', text, re.MULTILINE)
    return axis, json.loads(quoted)


def verdict(axis: Axis, holds: bool) -> str:
    """A reply in the form that is asked for."""
    value = {"score": float(holds)} if axis is Axis.FACTUAL else {"verdict": "yes" if holds else "no"}
    return json.dumps({"reason": f"seen to be so: {holds}", **value})


def right(body: Body) -> Answer:
    """The right verdict."""
    axis, said = task(body)
    return completion(verdict(axis, _TRUTH[axis](said)))


def truth(axis: Axis, said: str) -> float:
    """What the server's verdict is worth."""
    return float(_TRUTH[axis](said))
