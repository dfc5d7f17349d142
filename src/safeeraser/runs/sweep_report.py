"""What a sweep has found: its page, the same in Markdown, and Optuna's own plots of each method's trials."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from optuna.visualization import matplotlib as plots

from safeeraser import text
from safeeraser.files import write_text
from safeeraser.records import VANILLA
from safeeraser.runs import costs, pages
from safeeraser.runs.pages import Tried
from safeeraser.runs.report.costs import section
from safeeraser.runs.report.markdown import table
from safeeraser.runs.report.plot import save
from safeeraser.runs.sweep import Best, Sweep
from safeeraser.runs.sweep_folder import CHOICE, alone
from safeeraser.runs.trials import ERROR, STATES, ended, short

FIGURES = {"asr": "ASR", "rr": "RR", "sarr": "SARR", "kept": "answers kept", "retain": "retain"}
FIGURES |= {"objective": "objective"}
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
    """Write report.html, and report.md with Optuna's plots beside it; the page's path."""
    with alone(sweep.root):
        every, took = list(found), costs.tried(sweep.root, list(sweep.kit.methods))
        failed = [f"{sweep.failure(method)}." for method in sweep.kit.methods if not sweep.best(method)]
        write_text(sweep.root / "report.md", _markdown(sweep, every, took, failed))
        return pages.write_sweep(
            sweep.root,
            [Tried(name=VANILLA, judged=sweep.judged(sweep.vanilla)[0]), *(_tried(sweep, each) for each in every)],
            [trial for method in sweep.kit.methods for trial in _trials(sweep, method)],
            took=took,
            about=" ".join([_about(sweep), *failed]),
            provenance=sweep.provenance(),
            commands=[shlex.join(["safeeraser", "run", str(sweep.root / CHOICE)])],
        )


def _markdown(sweep: Sweep, found: Sequence[Best], took: Sequence[costs.Stage], failed: Iterable[str]) -> str:
    """The report, whose plots are drawn beside it."""
    head, *body = [[text.markdown(cell) for cell in line] for line in rows(sweep, found)]
    blocks = ["# Sweep", " ".join([_about(sweep), *map(text.markdown, failed)]), table(head, body)]
    for each in found:
        plots = "\n".join(f"![{name}](plots/{path.name})" for name, path in _draw(sweep, each.method).items())
        blocks += [f"## {text.markdown(each.method)}", plots]
    return "\n\n".join([*blocks, *section(took)]) + "\n"


def _tried(sweep: Sweep, best: Best) -> Tried:
    settings = {"unlearn": best.settings.model_dump(mode="json")}
    losses = best.folder / "training" / "loss.jsonl"
    return Tried(name=best.method, judged=sweep.judged(best.folder)[0], settings=settings, losses=losses)


def _trials(sweep: Sweep, method: str) -> list[dict[str, Any]]:
    """Every trial of a method as the page shows it."""
    best = sweep.best(method)
    return [
        {
            "method": method,
            "number": each.number,
            "best": best is not None and each.number == best.number,
            "figures": each.user_attrs.get("figures", {}),
            "parameters": _drawn(each.params),
            "ended": each.user_attrs.get(ERROR) or STATES[each.state],
        }
        for each in ended(sweep.study(method))
    ]


def _about(sweep: Sweep) -> str:
    by: dict[str, list[str]] = {}
    for method in sweep.kit.methods:
        counted = [FIGURES[name] for name in sweep.wanted(method) if name not in sweep.missing(method)]
        by.setdefault(", ".join(counted), []).append(method)
    wanted = "; ".join(f"for {', '.join(methods)} of {told}" for told, methods in by.items())
    asked = " and ".join(f"of {name} ({count} questions)" for name, count in sweep.counts.items() if count)
    return (
        f"Measured on the selection part {asked}, {sweep.trials} trials a method, seed "
        f"{sweep.settings.seed}. The objective is the smallest {wanted} "
        "(ASR and SARR from above; answers kept and retain as shares of what they were before). The best of many "
        f"trials looks better here than it is: what counts is `safeeraser run {CHOICE}`, which asks the validation "
        "part."
    )


def _draw(sweep: Sweep, method: str) -> dict[str, Path]:
    """Optuna's plots of a method's trials that have something to show."""
    study, made = sweep.study(method), {}
    watched = any(each.intermediate_values for each in study.get_trials(deepcopy=False))
    with warnings.catch_warnings(), mpl.rc_context({"backend": "Agg"}):
        warnings.simplefilter("ignore")  # that they are experimental, or have one trial only
        for name, plot in _PLOTS.items():
            if name == "curves" and not watched:
                continue
            axes = plot(study)
            first = axes.flat[0] if hasattr(axes, "flat") else axes
            path = sweep.root / "plots" / f"{method}-{name}.png"
            path.parent.mkdir(exist_ok=True)
            save(first.figure, path)
            mpl.pyplot.close(first.figure)
            made[name] = path
    return made


def _told(best: Best) -> list[str]:
    return [_drawn(best.parameters), ", ".join(f"{count} {state}" for state, count in best.states.items() if count)]


def _drawn(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={short(value)}" for name, value in parameters.items())


def _percent(found: Mapping[str, Any], name: str) -> str:
    return f"{100 * found[name]:.1f}" if name in found else ""
