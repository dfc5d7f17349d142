"""Any chat model as a judge: our own prompt for each axis, and replies in exactly one form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from jinja2 import Environment, FunctionLoader
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from safeeraser.endpoint.messages import Message, Request
from safeeraser.judges.chat import Interview, Opinion
from safeeraser.records import Axis, Example, Generation, Stream
from safeeraser.text import templates

AXES = frozenset(Axis) - {Axis.PARTIAL}
"""What there is a prompt for."""

LONGEST_ANSWER = 8_000
"""Characters of an answer that a judge is shown; what an answer is shows in them."""

_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """How a model is asked: `images` shows it the picture as well, and it may say `max_tokens`.

    `temperature` None leaves it to the server, for models that take no other.
    """

    images: bool = False
    max_tokens: int = 256
    temperature: float | None = 0.0


def interview(name: str, settings: PromptSettings) -> Interview:
    """The interview with the prompts of this package."""

    def ask(axis: Axis, example: Example, generation: Generation) -> Request:
        image = example.image if settings.images else None
        return Request(
            messages=(Message("user", prompt(axis, example, generation.answer), image),),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=0,
        )

    fingerprint = [_sources(), LONGEST_ANSWER, settings.images, settings.max_tokens, settings.temperature]
    return Interview(name=name, axes=AXES, ask=ask, read=read, fingerprint=fingerprint)


def prompt(axis: Axis, example: Example, answer: str) -> str:
    """The question to the judge about one answer on one axis.

    Question, reference and answer stand in it as JSON strings, so that nothing in them can pose as ours.
    """
    categories = yaml.safe_load(_sources()["categories.yaml"])
    return (
        _templates()
        .get_template(f"{_template(axis, example.stream)}.jinja")
        .render(
            question=example.question,
            reference=example.answer,
            keyword=example.keyword,
            harm=categories.get(example.category, categories["other"]),
            answer=answer[:LONGEST_ANSWER],
            left_out=max(len(answer) - LONGEST_ANSWER, 0),
        )
    )


def _template(axis: Axis, stream: Stream) -> str:
    """The prompts are named by axis, but for whether an answer is on topic, where the reference is one of many."""
    return "on_topic" if axis is Axis.FACTUAL and stream is Stream.DECOUPLED else axis.value


def read(axis: Axis, reply: str) -> Opinion | None:
    """What a reply says, if it is one JSON object as asked for (a code fence around it is forgiven), else None."""
    fenced = _FENCE.fullmatch(reply.strip())
    text = fenced.group(1) if fenced else reply
    try:
        if axis is Axis.FACTUAL:
            scored = _Score.model_validate_json(text)
            return Opinion(scored.score, scored.reason)
        decided = _YesNo.model_validate_json(text)
        return Opinion(float(decided.verdict == "yes"), decided.reason)
    except ValidationError:
        return None


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    reason: str


class _YesNo(_Reply):
    verdict: Literal["yes", "no"]


class _Score(_Reply):
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@cache
def _sources() -> dict[str, str]:
    """Every file of the prompts, by name."""
    folder = files("safeeraser.judges").joinpath("prompts")
    return {
        each.name: each.read_text(encoding="utf-8")
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith((".jinja", ".yaml"))
    }


@cache
def _templates() -> Environment:
    return templates(FunctionLoader(_sources().get))
