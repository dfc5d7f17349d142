"""What a writer is asked, and what it gives back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from safeeraser.text import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Questions to write: `count` of them, as `prompt` says (a writer of templates finds its lines there).

    `key` stands for all that the questions depend on; `attempt` counts the failures before, so that a model draws anew.
    """

    key: str
    item: str
    prompt: str
    image: Path | None
    count: int
    attempt: int = 0

    @property
    def seed(self) -> int:
        """The seed of this attempt's random draws, below 2**31."""
        return int.from_bytes(hashlib.sha256(f"{self.key}/{self.attempt}".encode()).digest()[:4]) >> 1


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Why there are no questions."""

    reason: str


Written = list[str] | Unwritten


class Writer(Protocol):
    """`name` stands for all settings that its questions depend on."""

    name: str
    sees_picture: bool
    asks: bool
    """Whether it wants a prompt (`ask_<role>.jinja`), or the lines of a template."""

    def write(self, tasks: Sequence[Task]) -> Iterator[Written]:
        """One result a task, in order, each as soon as it is there."""


def parse(text: str, count: int) -> Written:
    """The questions in a model's reply, which must be a JSON list of `count` different texts and nothing else.

    One Markdown fence around the list is allowed, as models like to write it.
    """
    body = text.strip()
    if body.startswith("```") and body.endswith("```") and "\n" in body:
        body = body.partition("\n")[2].removesuffix("```")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Unwritten(f"not a JSON list: {quoted(text)}")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return Unwritten(f"not a JSON list of texts: {quoted(text)}")
    questions = [" ".join(one.split()) for one in found]
    different = len({one.casefold() for one in questions if any(map(str.isalpha, one))})
    if len(questions) != count or different != count:
        return Unwritten(f"{different} different questions among {len(questions)} texts, not {count}: {quoted(text)}")
    return questions
