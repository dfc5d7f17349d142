"""Methods: which losses on which streams, with visible weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Literal

from torch import Tensor

from safeeraser.errors import UserError, unknown
from safeeraser.objectives.nll import nll, plain_nll
from safeeraser.objectives.stream import StreamOutput

Preset = Literal["clean", "paper"]
Loss = Callable[..., Tensor]


class Target(StrEnum):
    """What a training row is asked, and what it should answer."""

    REFUSAL = "refusal"  # harmful question and picture -> one of the benchmark's refusals
    RETAIN = "retain"  # harmless question -> its good answer
    DECOUPLED = "decoupled"  # the harmful row's question on a safe picture -> a normal answer


@dataclass(frozen=True, slots=True)
class Term:
    """One weighted part of an objective: `weight` x the mean over rows of `loss` on these targets."""

    name: str
    loss: Loss
    targets: tuple[Target, ...]
    weight: float = 1.0

    def __call__(self, streams: Mapping[Target, StreamOutput]) -> Tensor:
        """The mean over rows, before weighting, in nats."""
        return self.loss(*(streams[target] for target in self.targets)).mean()

    def bind(self, **options: float) -> Term:
        """The same term with options of its loss set; options that the loss does not have are left out."""
        known = inspect.signature(self.loss).parameters
        return replace(self, loss=partial(self.loss, **{key: value for key, value in options.items() if key in known}))


@dataclass(frozen=True, slots=True)
class Method:
    """An objective as a sum of terms."""

    name: str
    terms: tuple[Term, ...]

    def bind(self, **options: float) -> Method:
        """The same method with options of its losses set."""
        return replace(self, terms=tuple(term.bind(**options) for term in self.terms))

    @property
    def targets(self) -> tuple[Target, ...]:
        """What rows its terms need, each once, in the order of Target."""
        needed = {target for term in self.terms for target in term.targets}
        return tuple(target for target in Target if target in needed)


_REFUSAL = Term("refusal", nll, (Target.REFUSAL,))
_RETAIN = Term("retain", plain_nll, (Target.RETAIN,))
_DECOUPLED = Term("decoupled", nll, (Target.DECOUPLED,))
_REFUSAL_AND_RETAIN = Term("refusal+retain", nll, (Target.REFUSAL, Target.RETAIN))

METHODS: dict[str, dict[Preset, Method]] = {
    "po": {
        "clean": Method("po", (_REFUSAL, _RETAIN)),
        "paper": Method("po", (_REFUSAL_AND_RETAIN,)),
    },
    "po+pd": {
        "clean": Method("po+pd", (_REFUSAL, _RETAIN, _DECOUPLED)),
        "paper": Method("po+pd", (_REFUSAL_AND_RETAIN, _DECOUPLED)),
    },
}
"""Method name -> preset -> method. In `clean`, +pd adds one term and changes nothing else; `paper` has the weights and
the averaging of the authors' code (arXiv 2502.12520)."""


def find(name: str, preset: Preset = "clean") -> Method:
    """A method of the table. Raises UserError with near matches for a name or preset that is not in it."""
    if name not in METHODS:
        raise UserError(unknown("method", name, METHODS))
    if preset not in METHODS[name]:
        raise UserError(unknown("preset", preset, METHODS[name]))
    return METHODS[name][preset]
