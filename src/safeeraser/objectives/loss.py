"""What a loss says of itself: its formula, where it comes from, and what it needs to see."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TypeVar

from torch import Tensor

Loss = Callable[..., Tensor]
"""Streams in, keyword options; one value per row [batch] out."""

_Function = TypeVar("_Function", bound=Loss)


class Need(Flag):
    """What a loss reads of its streams besides the answers' log-probabilities; only what is needed is computed."""

    NOTHING = 0
    LOGITS = auto()  # over the whole vocabulary, and the answers' token ids
    HIDDEN = auto()  # hidden states behind one decoder layer, which the loss takes as its option `layer`
    REFERENCE = auto()  # the same of the model before unlearning
    RIVAL = auto()  # the first token of what a row's answer must not begin with


@dataclass(frozen=True, slots=True)
class About:
    """A loss's formula in words of its options, its source, its needs, and the options that must be above 0."""

    formula: str
    source: str
    needs: Need = Need.NOTHING
    positive: tuple[str, ...] = ()


_ABOUT: dict[Loss, About] = {}


def loss(
    *, formula: str, source: str, needs: Need = Need.NOTHING, positive: tuple[str, ...] = ()
) -> Callable[[_Function], _Function]:
    """Describe a loss. A function without a description is a loss too: one that needs log-probabilities only."""

    def describe(function: _Function) -> _Function:
        _ABOUT[function] = About(formula, source, needs, positive)
        return function

    return describe


def about(function: Loss) -> About:
    """What a loss says of itself; of one without a description, the first line of its docstring."""
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    return _ABOUT.get(function, About(formula=summary, source=function.__module__))


def option_defaults(function: Loss) -> dict[str, float]:
    """A loss's options with their defaults: its keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
