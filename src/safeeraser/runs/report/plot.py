"""One picture of a run: how much each model forgot, against how much it refuses that it should answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from safeeraser.benchmarks.selection import Part
from safeeraser.records import Metric
from safeeraser.text import line

# Okabe and Ito's colours, which colour-blind readers tell apart; yellow is too faint on white
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_T = TypeVar("_T")
_NAME = 28  # characters of a label
_NEAR = 16  # points; a label further away gets a line to its point
_OFFSETS = [
    (distance * x, distance * y)
    for distance in (10, 16, 24, 34, 46, 60, 76, 94)
    for x, y in ((1, -1), (1, 1), (-1, -1), (-1, 1), (1, 0), (-1, 0), (0, -1), (0, 1))
]


@dataclass(frozen=True, slots=True)
class _Point:
    """A model's place in per cent, each with its interval: (value, low, high)."""

    model: str
    over_refusal: tuple[float, float, float]
    forgotten: tuple[float, float, float]


def draw(metrics: Sequence[Metric], models: Sequence[str], path: Path) -> None:
    """Write a PNG with one labelled point a model: 1 - ASR (generality) over SARR, with 95% intervals.

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
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels find their place in the layout as it is now
    _label(axes, points)
    _save(figure, path)


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
        color=_COLOURS[number % len(_COLOURS)],
        marker=_MARKERS[number // len(_COLOURS) % len(_MARKERS)],
        markersize=8 + 5 * covered_by,
        markeredgecolor="white",
        elinewidth=1.4,
        capsize=3,
        clip_on=False,
        zorder=3,
    )


def _label(axes: Axes, points: Sequence[_Point]) -> None:
    """Put each model's name by its point, where it covers neither another name nor a point nor a bar."""
    taken = [box for point in points for box in _boxes(axes, point)]
    for number, point in enumerate(points):
        label = axes.annotate(
            _short(point.model),
            (point.over_refusal[0], point.forgotten[0]),
            (0, 0),
            textcoords="offset points",
            color=_COLOURS[number % len(_COLOURS)],
            fontsize=10,
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 5},
            parse_math=False,
            zorder=4,
        )
        taken.append(_place(axes, label, taken))


def _place(axes: Axes, label: Annotation, taken: Sequence[Bbox]) -> Bbox:
    """Move a label to the offset with the least overlap, the nearest of several; returns where it lies."""
    frame = axes.get_window_extent()
    boxes = [_at(label, axes, offset) for offset in _OFFSETS]
    costs = [sum(_overlap(box, other) for other in taken) + 4 * _outside(box, frame) for box in boxes]
    best = costs.index(min(costs))
    x, y = _OFFSETS[best]
    label.set_position((x, y))
    label.set_horizontalalignment(_side(x, "right", "center", "left"))
    label.set_verticalalignment(_side(y, "top", "center", "bottom"))
    if label.arrow_patch is not None:
        label.arrow_patch.set_visible(max(abs(x), abs(y)) > _NEAR)
    return boxes[best]


def _at(label: Annotation, axes: Axes, offset: tuple[int, int]) -> Bbox:
    """The pixels that a label covers at an offset (in points) from its point, with a margin."""
    size = np.array(Text.get_window_extent(label).size)  # an Annotation's own extent would hold its line too
    anchor = axes.transData.transform(label.xy) + np.array(offset) * (axes.figure.dpi / 72)
    low = anchor - size * [_side(step, 1.0, 0.5, 0.0) for step in offset]
    return Bbox([low, low + size]).padded(2)


def _side(step: int, negative: _T, zero: _T, positive: _T) -> _T:
    return negative if step < 0 else positive if step > 0 else zero


def _boxes(axes: Axes, point: _Point) -> list[Bbox]:
    """What a point covers in pixels: its marker and its two bars."""
    (x, x_low, x_high), (y, y_low, y_high) = point.over_refusal, point.forgotten
    corners = axes.transData.transform([(x, y), (x_low, y), (x_high, y), (x, y_low), (x, y_high)])
    centre, left, right, below, above = corners
    return [
        Bbox([centre - 9, centre + 9]),
        Bbox([left - 3, right + 3]),
        Bbox([below - 3, above + 3]),
    ]


def _overlap(one: Bbox, other: Bbox) -> float:
    common = Bbox.intersection(one, other)
    return 0.0 if common is None else float(common.width * common.height)


def _outside(box: Bbox, frame: Bbox) -> float:
    return float(box.width * box.height) - _overlap(box, frame)


def _short(model: str) -> str:
    name = line(model)
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _save(figure: Figure, path: Path) -> None:
    """Write the PNG under a name of its own, then rename it. Equal plots give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, format="png", metadata={"Software": None})
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
