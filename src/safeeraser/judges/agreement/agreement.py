"""A judge that judges labelled answers now, held against what people say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from safeeraser.judges.agreement.figures import Accuracy, Read, accuracy
from safeeraser.judges.agreement.labels import Labelled
from safeeraser.judges.base import Judge
from safeeraser.records import Axis, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A judge against the labels on one axis; `differences` are the answers on which it disagrees."""

    axis: Axis
    accuracy: Accuracy
    differences: tuple[tuple[Labelled, Verdict], ...]


def agreement(judge: Judge, labelled: Iterable[Labelled], *, seed: int = 0) -> list[Agreement]:
    """Compare a judge with the labels on each axis that has any. Every answer counts once, however it was drawn."""
    pairs: dict[Axis, list[tuple[Labelled, Verdict]]] = {axis: [] for axis in Axis}
    items = list(labelled)
    judged = judge.judge([(item.example, item.generation) for item in items])
    for item, verdict in ((item, each) for item, verdicts in zip(items, judged, strict=True) for each in verdicts):
        if verdict.axis in item.labels:
            pairs[verdict.axis].append((item, verdict))
    return [
        Agreement(
            axis=axis,
            accuracy=accuracy([Read(item.labels[axis], verdict.value) for item, verdict in found], seed=seed),
            differences=tuple(
                (item, verdict)
                for item, verdict in found
                if verdict.value is not None and item.labels[axis] != (verdict.value > 0.5)
            ),
        )
        for axis, found in pairs.items()
        if found
    ]


def to_markdown(agreements: Iterable[Agreement]) -> str:
    """A table of agreement figures, one row an axis."""
    lines = ["| axis | answers | TPR | TNR | kappa | unscored |", "|---|---|---|---|---|---|"]
    for each in agreements:
        found = each.accuracy
        lines.append(
            f"| {each.axis} | {found.kappa.n} | {found.tpr} | {found.tnr} | {found.kappa} | {found.unscored} |"
        )
    return "\n".join(lines) + "\n"
