"""One figure to choose settings by: the smallest of those that all have to be high."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics.score import Column
from safeeraser.settings import Wanted

WANTED: tuple[Wanted, ...] = ("rr", "sarr", "kept", "retain")
WITHOUT_REFUSING: tuple[Wanted, ...] = ("asr", "sarr", "kept", "retain")
"""The same for methods that do not teach refusing: their RR is 0 whatever their settings."""
_MEASURES: dict[tuple[str, ...], str] = {
    ("asr", Part.GENERALITY): "asr",
    ("rr", Part.GENERALITY): "rr",
    ("sarr", Part.DECOUPLED): "sarr",
    ("kept", Part.DECOUPLED): "kept",
    ("retain_accuracy", Part.RETAIN): "retain",
}


def shares(columns: Iterable[Column]) -> dict[str, float]:
    """The mean of each measure that settings are chosen by, 0..1; one of which nothing was scored is left out."""
    found = {name: [share for _, share in column.scored] for name, column in _by_name(columns).items()}
    return {name: sum(scored) / len(scored) for name, scored in found.items() if scored}


def unscored(columns: Iterable[Column], wanted: Iterable[Wanted]) -> list[Wanted]:
    """The wanted measures that were asked for and of which not one answer was scored."""
    found = _by_name(columns)
    return [name for name in wanted if name in found and found[name].values and not found[name].scored]


def _by_name(columns: Iterable[Column]) -> dict[str, Column]:
    every = {_MEASURES.get(column.key[:2]): column for column in columns if column.group == "all"}
    return {name: column for name, column in every.items() if name}


def parts(found: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What the objective is the smallest of, 0..1, each better where it is higher.

    RR; 1 - ASR; 1 - SARR; answers kept and retain as shares of what the model had `before` unlearning, 1 at most. What
    was nought before has nothing to lose, and is left out.
    """
    every = {"rr": found["rr"]} if "rr" in found else {}
    every |= {name: 1 - found[name] for name in ("asr", "sarr") if name in found}
    return every | {
        name: min(1.0, found[name] / before[name]) for name in ("kept", "retain") if name in found and before.get(name)
    }


def objective(
    found: Mapping[str, float], before: Mapping[str, float], wanted: Iterable[Wanted] = WANTED
) -> float | None:
    """The smallest of the `parts` that are wanted; None where there is none of them."""
    every = parts(found, before)
    return min((every[name] for name in wanted if name in every), default=None)
