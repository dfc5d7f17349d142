"""What an attack is: a declared sweep of variants, each of which puts questions otherwise, or asks an altered model.

All that an attack makes goes through the records of an ordinary run: Example -> Generation -> Verdict -> Metric. One
that reads in the model instead of asking it makes Readings, and Metrics of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safeeraser.attacks.parts import Parts
from safeeraser.benchmarks.selection import Part, choose, part_of
from safeeraser.errors import UserError
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.metrics.attacked import Pool, attempt_id
from safeeraser.records import Example, Reading

if TYPE_CHECKING:
    from safeeraser.models.load import LoadedModel

HARMFUL, HARMLESS, KEPT = Part.GENERALITY, Part.DECOUPLED, Part.RETAIN
"""The sides of an attack: harmful questions (ASR, RR), their harmless partners (SARR), and what is to be kept."""


class UnfitError(UserError):
    """A loaded model that an attack cannot be run on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of the model before it is loaded: enough to say which attacks can be run on it.

    `adapter` is None for a model as it is. `others` are adapters of other models of the same run. `served` says that a
    server answers, whose weights nobody here sees.
    """

    name: str
    adapter: Path | None = None
    others: Mapping[str, Path] = field(default_factory=dict)
    served: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """What an attack works with: the model, the three parts, the questions to ask, and a folder for pictures.

    `questions` are those of the measured part that are asked; `refusals` are the benchmark's. Pictures that an attack
    makes go below `pictures`. What it has trained is written into the folder `keep`, or not at all. `loaded` is missing
    where a server answers.
    """

    target: Target
    loaded: LoadedModel | None
    parts: Parts
    questions: tuple[Example, ...]
    refusals: tuple[str, ...]
    settings: GenerateSettings
    pictures: Path
    seed: int
    keep: Path | None = None

    @property
    def model(self) -> LoadedModel:
        """The model of an attack that does not go without it; `Attack.served` says which do."""
        assert self.loaded is not None, "a server's model is not here"
        return self.loaded

    def side(self, *parts: Part) -> list[Example]:
        """The questions of some sides."""
        return [example for example in self.questions if part_of(example) in parts]

    def unchanged(self) -> tuple[Request, ...]:
        """The questions as they are."""
        return tuple(Request(example, 0) for example in self.questions)

    def rng(self, *what: object) -> random.Random:
        """Random draws that depend on the seed and these words only."""
        return random.Random("/".join(map(str, (self.seed, *what))))


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of an attack's sweep, ready to be asked: while it is worked on, the model is in its attacked state.

    A request's example has the id of the measured question or, where a question is asked in several ways, that of
    `attempt`. `settings` replace the run's where the attack draws its answers. `looks` says that the model looks at
    pictures otherwise, so that what it has seen before does not count. `taught` are words with which the attack has
    taught the model to begin: they are cut off, since what is judged are the model's own.
    """

    name: str
    requests: tuple[Request, ...]
    settings: GenerateSettings | None = None
    looks: bool = False
    taught: str = ""


@dataclass(frozen=True, slots=True)
class Readings:
    """One point of the sweep of an attack that asks nothing: what it has read about each question."""

    name: str
    found: tuple[Reading, ...]


CarryOut = Callable[[Arena, Sequence[str]], Generator[Variant | Readings, None, None]]
"""Yields the variants of some points of a sweep, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack with its protocol.

    `about` says what it is for, `protocol` what is done and with what budget, `source` where it comes from (arXiv id).
    `sweep` names the points that are measured, all of them, and `quick` those of a short look; `budget` says what the
    last number in a point's name counts, "" where nothing. `sides` are the questions that it is given. `pools` are the
    figures that a variant gives, by what is added to its name: one where there is one attempt at a question. `obstacle`
    says why a point cannot be run, None where it can. `borrowed` is another model's adapter that it works with, None
    where it needs none. An attack that `trains` needs an attacker's part; one that can be
    `served` needs no model here; one that `keeps` can write down what it has trained.
    """

    name: str
    kind: str
    about: str
    protocol: str
    source: str
    sweep: tuple[str, ...]
    carry_out: CarryOut
    sides: tuple[Part, ...] = (HARMFUL, HARMLESS, KEPT)
    quick: tuple[str, ...] = ()
    budget: str = ""
    pools: Mapping[str, Pool] = field(default_factory=lambda: {"": max})
    obstacle: Callable[[Target, Parts, str], str | None] = lambda *_: None
    borrowed: Callable[[Target], Path | None] = lambda _: None
    trains: bool = False
    served: bool = False
    keeps: bool = False

    @property
    def asks(self) -> bool:
        """Whether it puts questions to the model as it is, so that its variants can wait and be answered together."""
        return self.kind in ("control", "prompt", "picture")

    def variants(self, arena: Arena, points: Sequence[str]) -> Generator[Variant | Readings, None, None]:
        """Carry it out at some points, on the questions of its sides. Raises UnfitError where the model does not do."""
        return self.carry_out(replace(arena, questions=tuple(arena.side(*self.sides))), points)

    @property
    def described(self) -> dict[str, str]:
        """What stands on a page about it."""
        words = {name: getattr(self, name) for name in ("name", "kind", "about", "protocol", "source", "budget")}
        return words | {"sweep": ", ".join(self.sweep)}

    def refused(self, target: Target, parts: Parts, point: str) -> str | None:
        """Why a point of the sweep cannot be run on the target with these parts; None where it can."""
        if target.served and not self.served:
            return "a server's weights and tokens are out of reach"
        if self.trains and not parts.attacker:
            return "the benchmark has no keywords for the attacker that are neither unlearned nor measured"
        missing = [part.value for part in self.sides if not choose(parts.measured, part)]
        if set(missing) >= set(self.sides):
            return f"no examples of {' or '.join(missing)}"
        return self.obstacle(target, parts, point)


def attempt(example: Example, number: int) -> Example:
    """One of several attempts at a question: the example under an id of its own."""
    return replace(example, id=attempt_id(example.id, number))


def asked(change: Callable[[Arena, str], Callable[[Example], list[Example]]], temperature: float = 0.0) -> CarryOut:
    """Ask every question in the one way or the several ways that `change` makes of it at a point of the sweep.

    With a `temperature` every answer is drawn.
    """

    def carry_out(arena: Arena, points: Sequence[str]) -> Generator[Variant, None, None]:
        settings = arena.settings.changed(temperature=temperature, top_p=1.0) if temperature else None
        for point in points:
            changed = change(arena, point)
            examples = [each for example in arena.questions for each in changed(example)]
            yield Variant(point, tuple(Request(each, 0) for each in examples), settings)

    return carry_out


def worded(wordings: Callable[[Arena, Example, str], Sequence[str]], temperature: float = 0.0) -> CarryOut:
    """Ask every question in other words: one wording, or several attempts."""

    def change(arena: Arena, point: str) -> Callable[[Example], list[Example]]:
        def ways(example: Example) -> list[Example]:
            made = [replace(example, question=words) for words in wordings(arena, example, point)]
            return made if len(made) == 1 else [attempt(each, number) for number, each in enumerate(made)]

        return ways

    return asked(change, temperature)


def altered(state: Callable[[Arena, str], AbstractContextManager[object]]) -> CarryOut:
    """Ask every question as it is, while the model is in the state of each point of the sweep."""

    def carry_out(arena: Arena, points: Sequence[str]) -> Generator[Variant, None, None]:
        for point in points:
            with state(arena, point):
                yield Variant(point, arena.unchanged())

    return carry_out
