"""The attacks of the page: the table of attacks and models, and curves over budgets."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.metrics.attacked import ASR, NONE, PROBE

_DRAWN = (ASR, PROBE)
_FROM_NOTHING = ("prefill", "relearn")  # at 0 of these nothing was attacked


@dataclass(frozen=True, slots=True)
class Attacks:
    """What attacks.json holds. Figures have their model's `column`, and the `point` whose answers they are over."""

    outcomes: Sequence[Mapping[str, Any]]
    curves: Sequence[Mapping[str, Any]]
    not_run: Sequence[str]
    provenance: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path, columns: Mapping[str, str]) -> Attacks:
        """Read them. `columns` gives each model's column. Raises UserError for a file that is not of this version."""
        file = folder / "attacks.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            outcomes, points = (
                [{**each, "column": columns.get(each["model"], each["model"])} for each in content[name]]
                for name in ("outcomes", "curves")
            )
            skipped = [
                f"{each['attack']} ({', '.join(each['points'])}) on {columns.get(each['model'], each['model'])}: "
                f"{each['reason']}"
                for each in content["not_run"]
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{file}: not attacks of this version ({error}); `safeeraser attack` makes it") from error
        outcomes = [{**each, "point": _variant(folder, each)} for each in outcomes]
        return cls(outcomes, points, skipped, content["provenance"])


def _variant(folder: Path, outcome: Mapping[str, str]) -> str:
    """The variant whose answers a figure is over: a figure of several attempts has more behind its name."""
    variant = outcome["variant"]
    return variant if (folder / outcome["attack"] / variant).is_dir() else variant.rpartition(" ")[0]


def table(attacks: Attacks) -> list[dict[str, Any]]:
    """Attack, variant and model, with each figure by its name and what was recovered."""
    return [
        {
            **{name: each[name] for name in ("attack", "variant", "point")},
            "model": each["column"],
            "figures": {metric["name"]: metric for metric in each["metrics"]}
            | ({"recovered": each["recovered"]} if each["recovered"] else {}),
            "differences": each["differences"],
        }
        for each in attacks.outcomes
    ]


def curves(attacks: Attacks) -> list[dict[str, Any]]:
    """ASR, or how often a probe is right, over the budget of each attack: a line for each model and series.

    Lines of an attack that can be made little begin at 0, where nothing is attacked.
    """
    lines: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for each in attacks.curves:
        if each["measure"] in _DRAWN and each["value"] is not None:
            key = (each["measure"], each["attack"], each["column"], each["series"])
            lines[key].append(_point(each, each["budget"]))
    for (measure, attack, column, _), points in lines.items():
        start = _left_alone(attacks, column)
        if measure == ASR and attack.startswith(_FROM_NOTHING) and start is not None and start["value"] is not None:
            points.append(_point(start, 0))
    return [
        {"measure": measure, "attack": attack, "model": column, "of": series, "points": sorted(points)}
        for (measure, attack, column, series), points in lines.items()
        if len(points) > 1
    ]


def _left_alone(attacks: Attacks, column: str) -> Mapping[str, Any] | None:
    """The ASR of a model that is not attacked."""
    found = (each["metrics"] for each in attacks.outcomes if (each["attack"], each["column"]) == (NONE, column))
    return next((metric for metrics in found for metric in metrics if metric["name"] == ASR), None)


def _point(metric: Mapping[str, Any], at: float) -> list[float]:
    """A point of a curve: where, the figure, the ends of its interval, n."""
    return [at, metric["value"], metric["low"], metric["high"], metric["n"]]
