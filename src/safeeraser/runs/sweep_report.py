"""What a sweep has found: a page in Markdown, and Optuna's own plots of each method's trials."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from optuna.visualization import matplotlib as plots

from safeeraser import text
from safeeraser.files import write_text
from safeeraser.runs.report.plot import save
from safeeraser.runs.sweep import CHOICE, Best, Sweep, short

FIGURES = {"rr": "RR", "sarr": "SARR", "kept": "answers kept", "retain": "retain", "objective": "objective"}
_PLOTS: dict[str, Callable[[optuna.Study], Any]] = {
    "history": plots.plot_optimization_history,
    "slice": plots.plot_slice,
    "curves": plots.plot_intermediate_values,
}


def rows(sweep: Sweep, found: Iterable[Best]) -> list[list[str]]:
    """A head and a line for each method: figures of its best trial in %, its hyper-parameters, how its trials ended."""
    head = ["method", *FIGURES.values(), "best trial", "trials"]
    before = ["before", *(_percent(sweep.before, name) for name in FIGURES), "", ""]
    return [
        head,
        before,
        *([each.method, *(_percent(each.figures, name) for name in FIGURES), *_told(each)] for each in found),
    ]


def write(sweep: Sweep, found: Iterable[Best]) -> Path:
    """Write report.md and the plots beside it; its path."""
    every = list(found)
    lines = ["# Sweep", "", _about(sweep), "", *_table(rows(sweep, every)), ""]
    for each in every:
        lines += [f"## {text.markdown(each.method)}", ""]
        lines += [f"![{name}](plots/{path.name})" for name, path in _draw(sweep, each.method).items()] + [""]
    place = sweep.root / "report.md"
    write_text(place, "\n".join(lines))
    return place


def _about(sweep: Sweep) -> str:
    settings = sweep.settings.sweep
    wanted = ", ".join(FIGURES[name] for name in settings.objective)
    return (
        f"Measured on the selection part, {len(sweep.asked)} questions, {settings.trials} trials a method, seed "
        f"{sweep.settings.seed}. The objective is the smallest of {wanted} "
        "(SARR from above; answers kept and retain as shares of what they were before). The best of many trials looks "
        f"better here than it is: what counts is `safeeraser run {CHOICE}`, which asks the validation part."
    )


def _draw(sweep: Sweep, method: str) -> dict[str, Path]:
    """Optuna's plots of a method's trials that have something to show."""
    study, made = sweep.study(method), {}
    with warnings.catch_warnings(), mpl.rc_context({"backend": "Agg"}):
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for name, plot in _PLOTS.items():
            axes = plot(study)
            first = axes.flat[0] if hasattr(axes, "flat") else axes
            path = sweep.root / "plots" / f"{method}-{name}.png"
            path.parent.mkdir(exist_ok=True)
            save(first.figure, path)
            mpl.pyplot.close(first.figure)
            made[name] = path
    return made


def _told(best: Best) -> list[str]:
    drawn = ", ".join(f"{name}={short(value)}" for name, value in best.parameters.items())
    return [drawn, ", ".join(f"{count} {state}" for state, count in best.states.items() if count)]


def _percent(found: Mapping[str, Any], name: str) -> str:
    return f"{100 * found[name]:.1f}" if name in found else ""


def _table(lines: list[list[str]]) -> list[str]:
    told = [[text.markdown(cell) for cell in line] for line in lines]
    told.insert(1, [":---"] * len(lines[0]))
    return [f"| {' | '.join(cells)} |" for cells in told]
