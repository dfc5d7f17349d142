"""The space of a sweep as Optuna draws from it, each value of it tried on the method before any training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from safeeraser import objectives
from safeeraser.errors import UserError, explained, unknown
from safeeraser.records import VANILLA
from safeeraser.runs import ConfigError, RunSettings
from safeeraser.runs.space import Range, Span
from safeeraser.runs.yaml import key_of
from safeeraser.settings import WAY, Key, dotted
from safeeraser.unlearning.settings import LENGTH, UnlearnSettings

_FIXED = ("objective", "seed", "options")  # trials are compared by the first, and are to be no choice of luck
_KEYS = [name for name, field in UnlearnSettings.model_fields.items() if not (name in _FIXED or WAY in field.metadata)]


def with_parameters(base: UnlearnSettings, parameters: dict[str, Any]) -> UnlearnSettings:
    """Settings with hyper-parameters by dotted key, such as options.beta. Raises ConfigError where one is wrong."""
    plain = {key: value for key, value in parameters.items() if not key.startswith("options.")}
    options = {key.removeprefix("options."): value for key, value in parameters.items() if key.startswith("options.")}
    return UnlearnSettings(**base.merged({**plain, "options": options}))


def distributions(settings: RunSettings, method: str) -> dict[str, BaseDistribution]:
    """What Optuna draws from for a method: the keys of the space that it has.

    Raises UserError naming the key that no method has, whose values a method refuses, and where nothing is left to try.
    """
    sweep, base = settings.sweep, settings.unlearning(method)
    known = objectives.find(method, base.preset).settings
    found: dict[str, BaseDistribution] = {}
    for key, wanted in {**sweep.space, **sweep.methods_space.get(method, {})}.items():
        name = key.removeprefix("options.")
        place = f"sweep.methods_space.{method}" if key in sweep.methods_space.get(method, {}) else "sweep.space"
        if key.startswith("options.") and name not in known:
            if place != "sweep.space" or not _anywhere(name):
                raise UserError(f"{place}.{key}: {unknown('option', name, known)}")
            continue
        if key in UnlearnSettings.model_fields and key not in _KEYS:
            hint = "; write options.NAME" if key == "options" else ""
            raise UserError(f"{place}.{key}: not a hyper-parameter, so it cannot be tuned{hint}")
        if not key.startswith("options.") and key not in _KEYS:
            raise UserError(f"{place}.{key}: {unknown('key of unlearn', key, _KEYS)}")
        _try(settings, method, f"{place}.{key}", key, wanted)
        found[key] = _distribution(wanted)
    if not found:
        raise UserError(f"sweep.space: nothing to try for {method}; name keys of unlearn, such as learning_rate")
    return found


def check_overrides(settings: RunSettings, overrides: Sequence[str]) -> None:
    """Raise ConfigError naming each override of what every trial draws or its method sets: it would change nothing."""
    found = [each for each in overrides if _drawn_anyway(settings, key_of(each))]
    if found:
        raise ConfigError(
            [f"override {each!r}: changes nothing: every trial draws its own (sweep.space)" for each in found]
        )


def _drawn_anyway(settings: RunSettings, key: Key) -> bool:
    match key:
        case ("unlearn", first, *more):
            methods = [name for name in settings.methods if name != VANILLA]
            own = [name for name in methods if settings.has_own(name, [first, *more])]
        case ("methods_settings", method, first, *more):
            methods, own = [method], []
        case _:
            return False
    ours = {*LENGTH} if first in LENGTH else {dotted((first, *more))}  # steps and epochs replace each other
    return bool(methods) and all(name in own or ours & distributions(settings, name).keys() for name in methods)


def ends(settings: RunSettings, method: str) -> list[UnlearnSettings]:
    """A method's settings with the first value of everything in its space, and with the last.

    Raises what `distributions` raises, and UserError where values that are fine alone do not go together.
    """
    keys = distributions(settings, method)
    space = {**settings.sweep.space, **settings.sweep.methods_space.get(method, {})}
    with explained(f"sweep.space: {method}"):
        return [_made(settings, method, {key: _values(space[key])[end] for key in keys}) for end in (0, -1)]


def _anywhere(option: str) -> bool:
    return any(option in objectives.find(name).settings for name in objectives.names())


def _try(settings: RunSettings, method: str, place: str, key: str, wanted: Range) -> None:
    """See that a method takes the ends of a range and what lies between, or each of its values."""
    for value in _values(wanted):
        with explained(f"{place}: {value!r}"):
            _made(settings, method, {key: value})
    if isinstance(wanted, Span) and not wanted.whole:
        with explained(f"{place}: only whole numbers, so write low and high without a point"):
            _made(settings, method, {key: wanted.low + (wanted.high - wanted.low) / math.pi})


def _made(settings: RunSettings, method: str, parameters: dict[str, Any]) -> UnlearnSettings:
    """A method's settings with these parameters. Raises UserError where it does not take them."""
    made = with_parameters(settings.unlearning(method), parameters)
    objectives.find(method, made.preset).bind(**made.options)
    return made


def _values(wanted: Range) -> Sequence[Any]:
    return (wanted.low, wanted.high) if isinstance(wanted, Span) else wanted


def _distribution(wanted: Range) -> BaseDistribution:
    if not isinstance(wanted, Span):
        return CategoricalDistribution(wanted)
    if wanted.whole:
        return IntDistribution(int(wanted.low), int(wanted.high), log=wanted.log)
    return FloatDistribution(float(wanted.low), float(wanted.high), log=wanted.log)
