"""Methods as sums of weighted terms, each a loss on some of the streams, with options that can be set by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any

from torch import Tensor

from safeeraser.errors import UserError, unknown
from safeeraser.objectives.loss import Loss, Need, about, option_defaults
from safeeraser.objectives.stream import StreamOutput

Options = Mapping[str, float]
_RULES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "neutral": ("a share of questions, 0 to 1", lambda value: 0 <= value <= 1),
    "forms": ("a share of neutral pictures, 0 to 1", lambda value: 0 <= value <= 1),
    "recovery": ("a share of rows, 0 to 1", lambda value: 0 <= value <= 1),
    "rho": ("a length above 0", lambda value: value > 0),
    "swa": ("a share of steps above 0, up to 1", lambda value: 0 < value <= 1),
    "soup": ("a whole number of trainings, from 2 on", lambda value: value >= 2 and value % 1 == 0),
}
"""What the options of a method itself, which no term has, must be."""


class Target(StrEnum):
    """What a training row is asked, and what it should answer."""

    FORGET = "forget"  # harmful question and picture -> the model's harmful answer
    REFUSAL = "refusal"  # harmful question and picture -> one of the benchmark's refusals
    RETAIN = "retain"  # harmless question -> its good answer
    DECOUPLED = "decoupled"  # the harmful row's question on a safe picture -> a normal answer
    OVERREFUSAL = "overrefusal"  # the harmful row's question on a safe picture -> the refusal that is not to be given
    RECOVERY = "recovery"  # the harmful question, its answer begun -> a refusal all the same (arXiv 2406.05946)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a term's mean loss should not exceed; its weight becomes a multiplier that is adjusted by dual ascent.

    After each optimiser step the weight w becomes max(0, w + eta (loss - eps)) (arXiv 2506.05314), with the loss as it
    was in that step. `eps` has the loss's unit and no default: it depends on the model and the data.
    """

    eps: float | None = None
    eta: float = 1.0

    def raised(self, weight: float, loss: float) -> float:
        """The weight after a step in which the mean loss was `loss`."""
        assert self.eps is not None, "Method.bind refuses a bound without eps"
        return max(0.0, weight + self.eta * (loss - self.eps))


@dataclass(frozen=True, slots=True)
class Term:
    """One weighted part of an objective: `weight` x the mean over rows of `loss` on these targets.

    `options` are those of the loss that are not as they are by default. With a `bound`, `weight` is where the weight
    starts.
    """

    name: str
    loss: Loss
    targets: tuple[Target, ...]
    weight: float = 1.0
    options: Options = field(default_factory=dict)
    bound: Bound | None = None

    def __call__(self, streams: Mapping[Target, StreamOutput]) -> Tensor:
        """The mean over rows, before weighting, in the loss's unit."""
        return self.loss(*(streams[target] for target in self.targets), **self.options).mean()

    @property
    def formula(self) -> str:
        """The term in words: its weight, loss and targets."""
        product = f"{self.loss.__name__}({', '.join(self.targets)})"
        if self.bound:
            return f"w {product} [w from {self.weight:g}, by dual ascent on {product} <= eps]"
        return f"{self.weight:g} {product}"

    @property
    def harmful(self) -> bool:
        """Whether it is about harmful questions with their harmful pictures."""
        return bool({Target.FORGET, Target.REFUSAL, Target.RECOVERY} & {*self.targets})

    @property
    def needs(self) -> Need:
        """What the loss reads of each of its streams."""
        return about(self.loss).needs

    @property
    def settings(self) -> dict[str, float | None]:
        """Everything about the term that can be set, with its value; None has to be set."""
        bound = {"eps": self.bound.eps, "eta": self.bound.eta} if self.bound else {}
        return {**option_defaults(self.loss), **self.options, **bound, self._weight: self.weight}

    def bind(self, **options: float) -> Term:
        """The same term with some of its `settings` changed. Raises UserError for one that it does not have."""
        for name in options:
            if name not in self.settings:
                raise UserError(unknown("option", name, self.settings))
        bound = self.bound and replace(self.bound, **{key: options[key] for key in ("eps", "eta") if key in options})
        own = {key: value for key, value in options.items() if key in option_defaults(self.loss)}
        weight = options.get(self._weight, self.weight)
        return replace(self, weight=weight, bound=bound, options={**self.options, **own})

    def broken_rule(self, name: str, value: float) -> str | None:
        """The rule that this value of a setting breaks; None where it is fine."""
        positive = (*about(self.loss).positive, *(["eta"] if self.bound else []))
        if not _is_number(value):
            return "a number"
        if isinstance(option_defaults(self.loss).get(name), int) and value % 1:
            return "a whole number"
        if name == "seed" and value >= 2**64:  # torch's generators take no more
            return "below 2^64"
        if value < 0 or (value == 0 and name in positive):
            return "above 0" if name in positive else "0 or more"
        return None

    @property
    def _weight(self) -> str:
        return f"{self.name}_weight"


@dataclass(frozen=True, slots=True)
class Method:
    """An objective as a sum of terms.

    Of `neutral`, a share of the harmful questions, the decoupled picture shows nothing in particular, and its
    answer is the model's own before unlearning (`unlearning.neutral`); of these `forms`, a share, are drawn at
    random, and the others are safe pictures cut up. Of `recovery`, a share of the training rows, the answers have
    been begun already: the first tokens of the harmful answer stand before refusal and harmful answer, those of the
    harmless answer before the decoupled one, and what is trained on is how each goes on (arXiv 2406.05946). The
    gradient of the terms on harmful questions is taken where a step of length `rho` up that gradient leads, so that
    forgetting holds around the weights too (arXiv 2502.05374). What is kept is the mean of the weights over the
    last `swa`, a share of the steps (arXiv 1803.05407). A `soup` is the mean of so many adapters, each trained with
    a seed of its own (arXiv 2203.05482).
    None: the method has no such option.
    """

    name: str
    terms: tuple[Term, ...]
    neutral: float | None = None
    forms: float | None = None
    recovery: float | None = None
    rho: float | None = None
    swa: float | None = None
    soup: float | None = None

    @property
    def formula(self) -> str:
        """The sum in words."""
        neutral = f", {self.neutral:.0%} of decoupled pictures neutral" if self.neutral is not None else ""
        drawn = f", {self.forms:.0%} of these forms" if self.forms else ""
        begun = f", on {self.recovery:.0%} of rows after a begun answer" if self.recovery is not None else ""
        sharp = f", harmful terms at w + {self.rho:g} g/|g|" if self.rho is not None else ""
        late = f", mean over the last {self.swa:.0%} of steps" if self.swa is not None else ""
        mean = f", mean of {self.soup:g} trainings" if self.soup is not None else ""
        return " + ".join(term.formula for term in self.terms) + neutral + drawn + begun + sharp + late + mean

    @property
    def targets(self) -> tuple[Target, ...]:
        """What rows its terms need, each once, in the order of Target."""
        needed = {target for term in self.terms for target in term.targets}
        return tuple(target for target in Target if target in needed)

    @property
    def needs(self) -> dict[Target, Need]:
        """What its losses read of each target's stream."""
        return {target: self._need_of(target) for target in self.targets}

    @property
    def refuses(self) -> bool:
        """Whether it teaches refusals; the others but take the harmful answers away."""
        return bool({Target.REFUSAL, Target.RECOVERY} & {*self.targets})

    @property
    def layers(self) -> frozenset[int]:
        """The decoder layers whose hidden states its losses read."""
        readers = (term for term in self.terms if Need.HIDDEN in term.needs)
        return frozenset(int(term.settings["layer"] or 0) for term in readers)

    @property
    def settings(self) -> dict[str, float | None]:
        """Everything that can be set by `bind`, with its value; None has to be set."""
        return {name: value for term in self.terms for name, value in term.settings.items()} | self.own

    def bind(self, **options: float) -> Method:
        """The same method with options of its losses and weights of its terms set, ready for training.

        Raises UserError naming every option that the method does not have, that is out of range, or that is missing.
        """
        problems = list(self._problems(options))
        if problems:
            raise UserError("\n".join(f"{self.name}: {problem}" for problem in problems))
        return self.supply(**options)

    def supply(self, **values: float) -> Method:
        """The same method with these settings where it has them; for values of a whole run, such as its seed."""
        own: dict[str, Any] = {name: values.get(name, value) for name, value in self.own.items()}
        return replace(
            self,
            terms=tuple(
                term.bind(**{key: value for key, value in values.items() if key in term.settings})
                for term in self.terms
            ),
            **own,
        )

    @property
    def own(self) -> dict[str, float]:
        """The options of the method itself, those that it has."""
        own = ((name, getattr(self, name)) for name in _RULES)
        return {name: value for name, value in own if value is not None}

    def _need_of(self, target: Target) -> Need:
        return reduce(or_, (term.needs for term in self.terms if target in term.targets), Need.NOTHING)

    def _problems(self, options: Options) -> Iterator[str]:
        for name, value in options.items():
            owners = [term for term in self.terms if name in term.settings]
            if name not in self.settings:
                yield unknown("option", name, self.settings)
            rule = next((rule for term in owners if (rule := term.broken_rule(name, value))), None)
            if not owners and name in _RULES:
                told, fits = _RULES[name]
                rule = None if _is_number(value) and fits(value) else told
            if rule:
                yield f"option {name} must be {rule}, not {value!r}"
        for name, current in self.settings.items():
            if current is None and name not in options:
                yield f"option {name} has no default and has to be set (unlearn.options.{name})"


def _is_number(value: object) -> bool:
    """Whether it is one that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
