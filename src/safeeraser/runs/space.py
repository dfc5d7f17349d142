"""What a sweep tries: the ranges of hyper-parameters, and how many trials each method has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from safeeraser.settings import ConfigError, Settings, known, problem


class Span(Settings):
    """All numbers between two, both included; whole ones where both are written as whole numbers."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low < self.high:
            raise problem(f"low has to be below high, found {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise problem(f"log needs low above 0, found {self.low:g}")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Range = Span | tuple[Any, ...]
"""What a hyper-parameter may be: between two numbers, or one of several values."""


def _number(value: Any) -> Any:
    """YAML reads 1e-4 as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _range(given: Any) -> Range:
    if isinstance(given, Span) or not isinstance(given, Mapping | list | tuple):
        if isinstance(given, Span):
            return given
        raise problem(
            f"expected values, such as [1, 4, 16], or {{low: 1.0e-4, high: 3.0e-3, log: true}}, not {given!r}"
        )
    if not isinstance(given, Mapping):
        values = tuple(map(_number, given))
        if not values:
            raise problem("needs at least one value")
        kinds = [(isinstance(each, bool), each) for each in values]  # 1 and true are equal
        if twice := [each for number, each in enumerate(kinds) if each in kinds[:number]]:
            raise problem(f"{twice[0][1]!r} stands there twice")
        return values
    try:
        return Span(**{str(key): _number(value) for key, value in given.items()})
    except ConfigError as error:
        raise problem("; ".join(error.problems)) from error


Space = dict[str, Annotated[Any, BeforeValidator(_range)]]
"""By key of `unlearn` (learning_rate, options.beta, ...) what it may be: values, or low, high and log."""

_Method = Annotated[str, known("methods", "method")]


class SweepSettings(Settings):
    """What `safeeraser sweep` tries, on the selection part."""

    trials: int = Field(default=20, ge=1)
    """Trials of each method, those that are broken off included."""
    space: Space = Field(default={})
    """Keys of unlearn and what they may be: [1, 4, 16], or {low: 1.0e-4, high: 3.0e-3, log: true}."""
    methods_space: dict[_Method, Space] = Field(default={})
    """What is different for one method: keys of space."""
    prune: bool = True
    """Break off a trial whose curve is below the median of earlier ones."""
    measurements: int = Field(default=5, ge=1)
    """Points of that curve at least, if there are as many steps, where unlearn.eval_steps does not space them."""
