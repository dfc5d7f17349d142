"""What a judging model is asked, wherever it runs, and what becomes of its replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from safeeraser.endpoint.messages import Request
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply
from safeeraser.judges.base import Asked, Judge
from safeeraser.reasoning import split
from safeeraser.records import Axis, Cost, Example, Generation, Verdict
from safeeraser.text import line

_SHOWN = 200  # characters of a reply that cannot be read
_EMPTY = {Axis.UNSAFE: 0.0, Axis.REFUSAL: 0.0, Axis.MEANINGLESS: 1.0, Axis.FACTUAL: 0.0}
"""The verdicts on an answer of nothing but white space; it needs no model, and leaving it out would flatter silence."""


class Chat(Protocol):
    """A model that replies: `endpoint.Endpoint`, or `local.LocalChat`."""

    @property
    def spent(self) -> Cost:
        """What it was asked so far."""

    def complete(
        self, requests: Iterable[Request], *, total: int, label: str, keep: Callable[[int, Reply], bool]
    ) -> Iterator[Outcome]:
        """One outcome a request, in order, as they come. `keep` says whether the reply to the n-th is of use."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reply says on one axis, and why."""

    value: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """How a model is asked about an answer on one axis, and how its reply is read.

    `read` gives None for a reply that is not exactly in the form asked for. `fingerprint` holds whatever the verdicts
    depend on besides the model: prompts, limits.
    """

    name: str
    axes: frozenset[Axis]
    ask: Callable[[Axis, Example, Generation], Request]
    read: Callable[[Axis, str], Opinion | None]
    fingerprint: Any


def judge_with(chat: Chat, interview: Interview, model: str, *, check: Callable[[], None] = lambda: None) -> Judge:
    """The judge that asks `chat` in this way; `model` says which weights it is, as far as one can know.

    The same answer to the same question is judged once, whichever models gave it, and again only while it is unscored.
    `check` raises UserError where `chat` cannot be reached.
    """
    name = f"{interview.name}@{_version(model, interview.fingerprint)}"

    known: dict[Hashable, Verdict] = {}

    def judge(asked: Sequence[Asked]) -> Iterator[list[Verdict]]:
        work = [(axis, *each) for each in asked for axis in _axes(made, each[0]) if each[1].answer.strip()]
        new = {key: each for each in work if (key := _key(*each)) not in known or known[key].value is None}
        questions = list(new.values())

        def readable(number: int, reply: Reply) -> bool:
            return _opinion(interview, questions[number][0], reply) is not None

        outcomes = chat.complete(
            (interview.ask(*each) for each in questions),
            total=len(questions),
            label=f"judge {interview.name}",
            keep=readable,
        )

        def verdict(axis: Axis, example: Example, generation: Generation) -> Verdict:
            key = _key(axis, example, generation)
            if new.pop(key, None) is not None:
                known[key] = _verdict(name, generation, axis, interview, next(outcomes))
            return replace(known[key], example_id=generation.example_id, sample=generation.sample)

        for example, generation in asked:
            axes = _axes(made, example)
            if generation.answer.strip():
                yield [verdict(axis, example, generation) for axis in axes]
            else:
                yield [_scored(name, generation, axis, Opinion(_EMPTY[axis], "empty")) for axis in axes]

    made = Judge(name, judge, interview.axes, check, spent=lambda: chat.spent)
    return made


def _key(axis: Axis, example: Example, generation: Generation) -> Hashable:
    """All that a judge may be told: where the example stands among others is no part of it."""
    return axis, replace(example, id="", partner=None, record=None, pair=None), generation.answer


def _version(model: str, fingerprint: Any) -> str:
    digest = hashlib.sha256(json.dumps([model, fingerprint], sort_keys=True).encode()).hexdigest()[:8]
    return f"{model.replace('@', '-')}:{digest}"  # an @ stands between name and version, and nowhere else


def _axes(judge: Judge, example: Example) -> list[Axis]:
    return sorted(judge.wanted(example))


def _verdict(judge: str, generation: Generation, axis: Axis, interview: Interview, outcome: Outcome) -> Verdict:
    if isinstance(outcome, Failure):
        return _unscored(judge, generation, axis, outcome.kind, outcome.reason)
    opinion = _opinion(interview, axis, outcome)
    if opinion is None:
        return _unscored(judge, generation, axis, "unparsed", _unread(outcome))
    return _scored(judge, generation, axis, opinion)


def _opinion(interview: Interview, axis: Axis, reply: Reply) -> Opinion | None:
    """What a reply says behind its reasoning; as it stands where a mark of reasoning is but quoted in it."""
    return interview.read(axis, split(reply.text).answer) or interview.read(axis, reply.text)


def _unread(reply: Reply) -> str:
    """What a reply said that cannot be read, short and made safe."""
    said = split(reply.text)
    if reply.end is None:
        return f"the server ended the reply with finish_reason {line(reply.finish_reason, _SHOWN)!r}"
    if not said.answer and (said.reasoning or reply.reasoning is not None):
        return "the judge never left its reasoning: a larger max_tokens lets it"
    cut = " (cut at the token limit)" if reply.end == "length" else ""
    return f"'{line(said.answer, _SHOWN)}'{cut}"


def _scored(judge: str, generation: Generation, axis: Axis, opinion: Opinion) -> Verdict:
    return Verdict(
        example_id=generation.example_id,
        sample=generation.sample,
        judge=judge,
        axis=axis,
        value=opinion.value,
        reason=opinion.reason,
    )


def _unscored(judge: str, generation: Generation, axis: Axis, failure: str, reason: str) -> Verdict:
    return Verdict(
        example_id=generation.example_id,
        sample=generation.sample,
        judge=judge,
        axis=axis,
        value=None,
        failure=failure,
        reason=reason,
    )
