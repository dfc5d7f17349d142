"""The space of a sweep as Optuna draws from it, each value of it tried on the method before any training."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from safeeraser import objectives
from safeeraser.errors import UserError, unknown
from safeeraser.records import VANILLA
from safeeraser.runs import RunSettings
from safeeraser.runs.space import Range, Span
from safeeraser.unlearning.settings import UnlearnSettings


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
            if place != "sweep.space" or not _anywhere(settings, name):
                raise UserError(f"{place}.{key}: {unknown('option', name, known)}")
            continue
        if not key.startswith("options.") and key not in UnlearnSettings.model_fields:
            raise UserError(f"{place}.{key}: {unknown('key of unlearn', key, UnlearnSettings.model_fields)}")
        _try(settings, method, f"{place}.{key}", key, wanted)
        found[key] = _distribution(wanted)
    if not found:
        raise UserError(f"sweep.space: nothing to try for {method}; name keys of unlearn, such as learning_rate")
    return found


def _anywhere(settings: RunSettings, option: str) -> bool:
    names = (name for name in settings.methods if name != VANILLA)
    return any(option in objectives.find(name, settings.unlearning(name).preset).settings for name in names)


def _try(settings: RunSettings, method: str, place: str, key: str, wanted: Range) -> None:
    """See that a method takes the ends of a range, or each of its values."""
    for value in (wanted.low, wanted.high) if isinstance(wanted, Span) else wanted:
        try:
            made = with_parameters(settings.unlearning(method), {key: value})
            objectives.find(method, made.preset).bind(**made.options)
        except UserError as error:
            raise UserError(f"{place}: {value!r}: {error}") from error


def _distribution(wanted: Range) -> BaseDistribution:
    if not isinstance(wanted, Span):
        return CategoricalDistribution(wanted)
    if wanted.whole:
        return IntDistribution(int(wanted.low), int(wanted.high), log=wanted.log)
    return FloatDistribution(float(wanted.low), float(wanted.high), log=wanted.log)
