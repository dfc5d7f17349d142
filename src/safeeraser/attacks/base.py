"""What an attack is: a declared sweep of variants, each of which puts questions otherwise, or asks an altered model.

All that an attack makes goes through the records of an ordinary run: Example -> Generation -> Verdict -> Metric.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safeeraser.attacks.parts import Parts
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.metrics.attacked import Pool, attempt_id
from safeeraser.records import Example

if TYPE_CHECKING:
    from safeeraser.models.load import LoadedModel

HARMFUL, HARMLESS, KEPT = Part.GENERALITY, Part.DECOUPLED, Part.RETAIN
"""The sides of an attack: harmful questions (ASR, RR), their harmless partners (SARR), and what is to be kept."""


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

    `questions` are those of the measured part that are asked, of all sides; `refusals` are the benchmark's. Pictures
    that an attack makes go below `pictures`. `loaded` is missing where a server answers.
    """

    target: Target
    loaded: LoadedModel | None
    parts: Parts
    questions: tuple[Example, ...]
    refusals: tuple[str, ...]
    settings: GenerateSettings
    pictures: Path
    seed: int

    @property
    def model(self) -> LoadedModel:
        """The model of an attack that does not go without it; `Attack.served` says which do."""
        assert self.loaded is not None, "a server's model is not here"
        return self.loaded

    def side(self, *parts: Part) -> list[Example]:
        """The questions of some sides."""
        return [example for part in parts for example in choose(self.questions, part, seed=self.seed)]

    def unchanged(self, *parts: Part) -> tuple[Request, ...]:
        """The questions of some sides as they are."""
        return tuple(Request(example, 0) for example in self.side(*parts))

    def rng(self, *what: object) -> random.Random:
        """Random draws that depend on the seed and these words only."""
        return random.Random("/".join(map(str, (self.seed, *what))))


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of an attack's sweep, ready to be asked: while it is worked on, the model is in its attacked state.

    A request's example has the id of the measured question or, where a question is asked in several ways, that of
    `attempt`. `settings` replace the run's where the attack draws its answers.
    """

    name: str
    requests: tuple[Request, ...]
    settings: GenerateSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack with its protocol.

    `about` says what it is for, `protocol` what is done and with what budget, `source` where it comes from (arXiv id).
    `sweep` names the points that are measured, all of them, and `quick` those of a short look. `carry_out` yields the
    variants of some points of the sweep, in their order. `pools` are the figures that a variant gives, by what is added
    to its name: one where there is one attempt at a question. `obstacle` says why a point cannot be run, None
    where it can. An attack that `trains` needs an attacker's part; one that can be `served` needs no model here.
    """

    name: str
    kind: str
    about: str
    protocol: str
    source: str
    sides: tuple[Part, ...]
    sweep: tuple[str, ...]
    carry_out: Callable[[Arena, Sequence[str]], Generator[Variant, None, None]]
    quick: tuple[str, ...] = ()
    pools: Mapping[str, Pool] = field(default_factory=lambda: {"": max})
    obstacle: Callable[[Target, Parts, str], str | None] = lambda *_: None
    trains: bool = False
    served: bool = False

    @property
    def described(self) -> dict[str, str]:
        """What stands on a page about it."""
        words = {name: getattr(self, name) for name in ("name", "kind", "about", "protocol", "source")}
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
