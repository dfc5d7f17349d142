"""How far an attack gets with more of its budget: a panel an attack, a line a model and series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from safeeraser.metrics.attacked import ASR, Point
from safeeraser.runs.report.plot import COLOURS, MARKERS, save
from safeeraser.text import line

_COLUMNS = 3
_WIDE = 8  # times the smallest budget, from which on the axis is logarithmic


def draw_curves(points: Sequence[Point], budgets: Mapping[str, str], path: Path) -> bool:
    """Write a PNG of ASR over the budget, for attacks that `budgets` names the unit of and that have several of it.

    Says whether there is anything to be drawn; without it nothing is written.
    """
    known = [each for each in points if each.measure == ASR and each.value is not None and budgets.get(each.attack)]
    panels = [
        attack
        for attack in dict.fromkeys(each.attack for each in known)
        if len({each.budget for each in known if each.attack == attack}) > 1
    ]
    if not panels:
        return False
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    models = list(dict.fromkeys(each.model for each in known))
    for number, attack in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        _draw(axes, [each for each in known if each.attack == attack], models)
        axes.set_title(attack, loc="left", fontsize=10)
        axes.set(xlabel=budgets[attack], ylabel="ASR, %", ylim=(-4, 104))
    save(figure, path)
    return True


def _draw(axes: Axes, points: Sequence[Point], models: Sequence[str]) -> None:
    for number, series in enumerate(dict.fromkeys(each.series for each in points)):
        for colour, model in zip(COLOURS * len(models), models, strict=False):
            mine = sorted(
                (each for each in points if (each.series, each.model) == (series, model)), key=lambda each: each.budget
            )
            if mine:
                shares = [[100 * (value or 0.0) for value in (each.value, each.low, each.high)] for each in mine]
                values, lows, highs = zip(*shares, strict=True)
                places = [each.budget for each in mine]
                label = line(f" {model} {series}".rstrip())
                axes.plot(places, values, color=colour, marker=MARKERS[number % len(MARKERS)], label=label)
                axes.fill_between(places, lows, highs, color=colour, alpha=0.12, linewidth=0)
    budgets = sorted({each.budget for each in points})
    if budgets[0] > 0 and budgets[-1] >= _WIDE * budgets[0]:
        axes.set_xscale("log")
    axes.set_xticks(budgets, [f"{each:g}" for each in budgets])
    axes.minorticks_off()
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    for text in axes.legend(fontsize=7, frameon=False).get_texts():
        text.set_parse_math(False)
