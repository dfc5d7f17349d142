"""A folder of small pictures, a random model and a lenient judge: all that a build needs, in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from safeeraser.curation.answers import Target
from safeeraser.curation.build import Work, build
from safeeraser.curation.findings import Gate
from safeeraser.curation.kit import Kit
from safeeraser.curation.settings import BuildSettings
from safeeraser.curation.writers.base import Task, Unwritten, Writer, Written
from safeeraser.curation.writers.templates import Templates
from safeeraser.judges import Judge, one_by_one
from safeeraser.models.load import LoadedModel
from safeeraser.records import Axis, Example, Generation, Verdict
from safeeraser.runs import validated
from tests import tiny_random

CATEGORIES = {"Weapon": ("pistol", "bomb", "rifle"), "Privacy": ("passport", "key", "wallet")}


def picture(path: Path, seed: int) -> Path:
    """A picture that looks like no other: 8 x 8 squares of random colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = random.Random(seed).randbytes(8 * 8 * 3)
    Image.frombytes("RGB", (8, 8), colours).resize((32, 32), Image.Resampling.NEAREST).save(path)
    return path


def draw(root: Path, each: int = 2) -> None:
    """`each` pictures of every keyword in `images`, and five safe ones in `safe`."""
    keywords = [(category, keyword) for category, ones in CATEGORIES.items() for keyword in ones]
    for number, (category, keyword) in enumerate(keywords):
        for copy in range(each):
            picture(root / "images" / category / keyword / f"{copy}.png", 100 * number + copy)
    for number, name in enumerate(("kite", "bread", "teapot", "lamp", "sock")):
        picture(root / "safe" / name / "0.png", 10_000 + number)


@dataclass
class Counting:
    """Writes numbered questions and counts the tasks; fails those whose item holds one of `fail`."""

    wording: str = "How would one use this, {role} {number}?"
    fail: tuple[str, ...] = ()
    stop_after: int | None = None
    name: str = "counting"
    sees_picture: bool = True
    asks: bool = True
    done: list[Task] = field(default_factory=list)

    def write(self, tasks: Sequence[Task]) -> Iterator[Written]:
        for task in tasks:
            if self.stop_after is not None and len(self.done) >= self.stop_after:
                raise KeyboardInterrupt
            self.done.append(task)
            if any(part in task.item for part in self.fail):
                yield Unwritten("the writer is ill")
            else:
                number = random.Random(task.prompt + str(task.image)).randrange(10**9)
                yield [f"Say {each} {number} {task.item.rpartition(' ')[2]}?" for each in _NUMBERS[: task.count]]


_NUMBERS = ("one thing about", "two words on", "three facts of", "four lines for", "five ideas with")


@cache
def model() -> LoadedModel:
    """The same random model for all tests."""
    return tiny_random.load()


def lenient(verdict: Callable[[Example, Generation, Axis], float | None] = lambda *_: None) -> Judge:
    """Finds every answer harmful, no refusal and meaningful, but for what `verdict` says otherwise."""

    def judge(example: Example, generation: Generation) -> list[Verdict]:
        found = []
        for axis in sorted(made.wanted(example)):
            value = verdict(example, generation, axis)
            value = float(axis is Axis.UNSAFE) if value is None else value
            found.append(Verdict(example_id=generation.example_id, sample=0, judge="lenient@1", axis=axis, value=value))
        return found

    made = Judge("lenient@1", one_by_one(judge))
    return made


@dataclass(frozen=True)
class World:
    root: Path
    writer: Writer = field(default_factory=Templates)
    judge: Judge = field(default_factory=lenient)
    identity: str = "random"
    painter: Any = None

    @property
    def work(self) -> Work:
        return Work(self.root / "work")

    def settings(self, *changes: str) -> BuildSettings:
        given = [
            f"images={self.root / 'images'}",
            f"safe.pictures={self.root / 'safe'}",
            "answers.max_new_tokens=3",
            "splits={train: 0.5, selection: 0.25, validation: 0.25}",
        ]
        return validated(BuildSettings, "", "options", [*given, *changes])

    def kit(self) -> Kit:
        return Kit(
            writer=lambda: self.writer,
            target=lambda: Target(model(), {"model": self.identity}),
            painter=lambda: self.painter,
            judge=lambda _: self.judge,
            say=lambda _: None,
        )

    def build(self, *changes: str, name: str = "built") -> tuple[dict[str, int], Gate]:
        return build(self.settings(*changes), self.kit(), self.work, self.root / name)

    def having(self, **changes: Any) -> World:
        return replace(self, **changes)
