"""Questions by a model that is asked for them: behind an OpenAI-compatible server, or on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safeeraser import reasoning
from safeeraser.curation.writers.base import Task, Unwritten, Written, parse
from safeeraser.endpoint.messages import Message, Request
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply
from safeeraser.judges.chat import Chat


class ChatWriter:
    """Asks `chat` (an `endpoint.Endpoint` or a `judges.local.LocalChat`); `name` says which weights it is.

    A reply that is no list of questions is not kept, and a later run asks again, with another seed. A model on this
    machine replies greedily, so that only another prompt changes its reply.
    """

    asks = True

    def __init__(self, chat: Chat, name: str, *, sees_picture: bool, temperature: float, max_tokens: int) -> None:
        self.sees_picture = sees_picture
        self.name = f"{name} t={temperature:g} n={max_tokens}"
        self._chat = chat
        self._temperature, self._max_tokens = temperature, max_tokens

    def write(self, tasks: Sequence[Task]) -> Iterator[Written]:
        """One request a task. Raises UserError where no server answers, or a model cannot be loaded."""
        if not tasks:
            return
        requests = (self._request(task) for task in tasks)
        outcomes = self._chat.complete(requests, total=len(tasks), label="questions", keep=_may_be_a_list)
        for task, outcome in zip(tasks, outcomes, strict=True):
            yield _written(task, outcome)

    def _request(self, task: Task) -> Request:
        return Request(
            messages=(Message("user", task.prompt, task.image),),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            seed=task.seed,
        )


def _may_be_a_list(_: int, reply: Reply) -> bool:
    return reply.end == "stop" and reply.text.strip().endswith(("]", "```"))


def _written(task: Task, outcome: Outcome) -> Written:
    if isinstance(outcome, Failure):
        return Unwritten(f"{outcome.kind}: {outcome.reason}")
    if outcome.end == "length":
        return Unwritten("the reply was cut off at writer.max_tokens")
    if outcome.end is None:
        return Unwritten(f"the server ended the reply with finish_reason {outcome.finish_reason!r}")
    return parse(reasoning.split(outcome.text).answer, task.count)
