"""One picture of a run: how much each model forgot, against how much it refuses that it should answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from safeeraser.benchmarks.selection import Part
from safeeraser.files import whole_file
from safeeraser.records import Metric
from safeeraser.text import line

# Okabe and Ito's colours, which colour-blind readers tell apart; yellow is too faint on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_NAME = 28  # characters of a name in the legend


@dataclass(frozen=True, slots=True)
class _Point:
    """A model's place in per cent, each with its interval: (value, low, high)."""

    model: str
    over_refusal: tuple[float, float, float]
    forgotten: tuple[float, float, float]


def draw(metrics: Sequence[Metric], models: Sequence[str], path: Path) -> None:
    """Write a PNG with one point a model: 1 - ASR (generality) over SARR, with 95% intervals and a legend.

    Good is the upper left corner. A model of which one of the two was not scored is named below the plot.
    """
    points = [point for model in models if (point := _point(metrics, model))]
    missing = [model for model in models if model not in {point.model for point in points}]
    figure = Figure(figsize=(7.2, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _frame(axes, missing)
    for number, point in enumerate(points):
        _draw(axes, point, number, covered_by=sum(_coincide(point, later) for later in points[number + 1 :]))
    if points:
        legend = figure.legend(loc="outside right upper", fontsize=9, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    save(figure, path)


def _point(metrics: Sequence[Metric], model: str) -> _Point | None:
    found = {(item.name, item.part): item for item in metrics if (item.model, item.group) == (model, "all")}
    refusal = _percent(found.get(("sarr", Part.DECOUPLED)))
    unsafe = _percent(found.get(("asr", Part.GENERALITY)))
    if refusal is None or unsafe is None:
        return None
    value, low, high = unsafe
    return _Point(model, refusal, (100 - value, 100 - high, 100 - low))


def _percent(metric: Metric | None) -> tuple[float, float, float] | None:
    if metric is None or metric.value is None or metric.low is None or metric.high is None:
        return None
    return 100 * metric.value, 100 * metric.low, 100 * metric.high


def _frame(axes: Axes, missing: Sequence[str]) -> None:
    axes.set(xlim=(-6, 106), ylim=(-6, 106))
    axes.set_xlabel("Over-refusal: SARR, % (lower is better)")
    axes.set_ylabel("Forget quality: 100 − ASR on new pictures, % (higher is better)")
    axes.set_title("Forget quality against over-refusal", loc="left", fontweight="bold")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if missing:
        names = ", ".join(_short(model) for model in missing)
        axes.annotate(
            f"not scored: {names}",
            (0, 0),
            (0, -46),
            "axes fraction",
            "offset points",
            fontsize=9,
            color="#555555",
            parse_math=False,
        )


def _coincide(one: _Point, other: _Point) -> bool:
    return abs(one.over_refusal[0] - other.over_refusal[0]) < 1 and abs(one.forgotten[0] - other.forgotten[0]) < 1


def _draw(axes: Axes, point: _Point, number: int, covered_by: int) -> None:
    """Draw a point with its bars; one that others will cover is larger, so that it shows as a ring."""
    x, x_low, x_high = point.over_refusal
    y, y_low, y_high = point.forgotten
    axes.errorbar(
        [x],
        [y],
        xerr=[[max(x - x_low, 0)], [max(x_high - x, 0)]],
        yerr=[[max(y - y_low, 0)], [max(y_high - y, 0)]],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number // len(COLOURS) % len(MARKERS)],
        markersize=8 + 5 * covered_by,
        markeredgecolor="white",
        elinewidth=1.4,
        capsize=3,
        clip_on=False,
        zorder=3,
        label=_short(point.model),
    )


def _short(model: str) -> str:
    name = line(model)
    name = f" {name}" if not name or name.startswith("_") else name  # a legend would leave it out
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def save(figure: Figure, path: Path) -> None:
    """Write the PNG whole. Equal plots give equal bytes."""
    with whole_file(path) as scratch:
        figure.savefig(scratch, format="png", metadata={"Software": None})
