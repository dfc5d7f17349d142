"""The names that a configuration may use. Methods and attacks are imported only to look one up: that takes seconds."""

from __future__ import annotations

from safeeraser.settings import Names


def names() -> Names:
    """Every name that comes with the package, and those that other packages add."""
    return Names(attacks=_attacks, benchmarks=_benchmarks, methods=_methods, models=_models)


def _attacks() -> tuple[str, ...]:
    from safeeraser.attacks.table import ATTACKS

    return ATTACKS.names


def _benchmarks() -> tuple[str, ...]:
    from safeeraser.benchmarks import SOURCES

    return tuple(SOURCES)


def _methods() -> tuple[str, ...]:
    from safeeraser import objectives
    from safeeraser.records import VANILLA

    return (VANILLA, *objectives.names())


def _models() -> tuple[str, ...]:
    from safeeraser.models import MODELS

    return tuple(name for name in MODELS if name.islower())
