"""How far a judge agrees with people who read the answers: TPR, TNR and Cohen's kappa on each axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from safeeraser.judges.agreement.labels import Labelled
from safeeraser.judges.base import Judge
from safeeraser.metrics.intervals import DRAWS, Floats, Interval, percentiles, wilson
from safeeraser.records import Axis, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share or coefficient with its 95% interval, over `n` answers; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A judge against the labels on one axis.

    `tpr` is the share of positive labels that the judge finds, `tnr` that of negative ones; `kappa` is Cohen's
    (1960). `unscored` answers have a label and no verdict value. `differences` are those that disagree.
    """

    axis: Axis
    tpr: Share
    tnr: Share
    kappa: Share
    unscored: int
    differences: tuple[tuple[Labelled, Verdict], ...]


def agreement(judge: Judge, labelled: Iterable[Labelled], *, seed: int = 0) -> list[Agreement]:
    """Compare a judge with the labels on each axis that has any.

    TPR and TNR have Wilson's interval, kappa one bootstrapped over answers, seeded by `seed`.
    """
    pairs: dict[Axis, list[tuple[Labelled, Verdict]]] = {axis: [] for axis in Axis}
    items = list(labelled)
    judged = judge.judge([(item.example, item.generation) for item in items])
    for item, verdict in ((item, each) for item, verdicts in zip(items, judged, strict=True) for each in verdicts):
        if verdict.axis in item.labels:
            pairs[verdict.axis].append((item, verdict))
    return [_compare(axis, found, seed) for axis, found in pairs.items() if found]


def to_markdown(agreements: Iterable[Agreement]) -> str:
    """A table of agreement figures, one row an axis."""
    lines = ["| axis | answers | TPR | TNR | kappa | unscored |", "|---|---|---|---|---|---|"]
    for item in agreements:
        count = item.tpr.n + item.tnr.n
        cells = (_cell(item.tpr), _cell(item.tnr), _cell(item.kappa))
        lines.append(f"| {item.axis.value} | {count} | {' | '.join(cells)} | {item.unscored} |")
    return "\n".join(lines) + "\n"


def _compare(axis: Axis, pairs: Sequence[tuple[Labelled, Verdict]], seed: int) -> Agreement:
    scored = [(item.labels[axis], int(verdict.value > 0.5)) for item, verdict in pairs if verdict.value is not None]
    table = np.zeros((2, 2), dtype=np.float64)  # label by verdict
    for label, said in scored:
        table[label, said] += 1
    differences = [
        (item, verdict)
        for item, verdict in pairs
        if verdict.value is not None and item.labels[axis] != (verdict.value > 0.5)
    ]
    return Agreement(
        axis=axis,
        tpr=_share(int(table[1, 1]), int(table[1].sum())),
        tnr=_share(int(table[0, 0]), int(table[0].sum())),
        kappa=kappa(table.reshape(-1), seed),
        unscored=len(pairs) - len(scored),
        differences=tuple(differences),
    )


def _share(successes: int, n: int) -> Share:
    if n == 0:
        return Share(value=None, low=None, high=None, n=0)
    low, high = wilson(successes, n)
    return Share(value=successes / n, low=low, high=high, n=n)


def kappa(counts: Floats, seed: int) -> Share:
    """Cohen's kappa of counts 00, 01, 10, 11 with an interval bootstrapped over answers; None if undefined."""
    n = int(counts.sum())
    value = float(kappas(counts[None] / max(n, 1))[0])
    if np.isnan(value):
        return Share(value=None, low=None, high=None, n=n)
    low, high = _kappa_interval(counts, n, seed)
    return Share(value=value, low=low, high=high, n=n)


def _kappa_interval(counts: Floats, n: int, seed: int) -> Interval:
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=DRAWS)
    return percentiles(kappas(drawn / n))


def kappas(shares: Floats) -> Floats:
    """Cohen's kappa of rows of shares (label, verdict) = 00, 01, 10, 11; NaN where chance alone agrees always."""
    label, said = shares[:, 2] + shares[:, 3], shares[:, 1] + shares[:, 3]
    observed = shares[:, 0] + shares[:, 3]
    chance = label * said + (1 - label) * (1 - said)
    room = 1 - chance
    return np.divide(observed - chance, room, out=np.full_like(room, np.nan), where=room > 1e-12)


def _cell(share: Share) -> str:
    if share.value is None:
        return "not defined"
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"
