"""A judge against labels on answers drawn by its verdicts: TPR, TNR, kappa, and rates corrected for its errors.

A sample that is balanced over verdicts holds too many of the rare ones. So each stratum counts by its size in the
population: the shares of its cells (label by verdict), times its size, add up to the table that the whole population
would have.

All intervals are of one kind: the middle 95% of 2,000 draws in which every stratum's shares, and every observed rate,
are drawn from their posterior under Jeffreys' prior (half an answer more in each cell). Unlike a bootstrap, this does
not close to a point where all labels agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from safeeraser.judges.agreement.labels import Labelled
from safeeraser.judges.agreement.sample import Key
from safeeraser.metrics.intervals import DRAWS, Floats, percentiles
from safeeraser.records import Axis, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share or coefficient with its 95% interval, over `n` answers; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        return "not defined" if self.value is None else f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Read:
    """What people and a judge (None: not scored) say of an answer on one axis, and of which stratum it is."""

    label: int
    verdict: float | None
    stratum: str = ""
    stratum_size: int | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A judge on one axis of one stream. Of `draws` each row holds TPR and TNR; NaN where one is not defined."""

    tpr: Share
    tnr: Share
    kappa: Share
    unscored: int
    draws: Floats


def reads(
    labelled: Iterable[Labelled], verdicts: Mapping[Key, Mapping[Axis, float | None]]
) -> dict[tuple[Stream, Axis], list[Read]]:
    """Labels beside one judge's verdicts, by stream and axis; those on which the judge has no verdict are left out."""
    found: dict[tuple[Stream, Axis], list[Read]] = defaultdict(list)
    for item in labelled:
        for axis, label in item.labels.items():
            said = verdicts.get((item.model, item.example.id, item.generation.sample), {})
            if axis in said:
                found[item.example.stream, axis].append(Read(label, said[axis], item.stratum, item.stratum_size))
    return dict(found)


def accuracy(found: Sequence[Read], *, seed: int = 0) -> Accuracy:
    """TPR, TNR and kappa in the population that the answers were drawn from. A verdict above 0.5 counts as a yes."""
    scored = [each for each in found if each.verdict is not None]
    positive = sum(each.label for each in scored)
    cells, drawn = _cells(scored, np.random.default_rng(seed))
    return Accuracy(
        tpr=_share(_tpr(cells[None])[0], _tpr(drawn), positive),
        tnr=_share(_tnr(cells[None])[0], _tnr(drawn), len(scored) - positive),
        kappa=_share(_kappa(cells[None])[0], _kappa(drawn), len(scored)),
        unscored=len(found) - len(scored),
        draws=np.stack([_tpr(drawn), _tnr(drawn)], axis=1),
    )


def kappa(pairs: Iterable[tuple[float, float]], *, seed: int = 0) -> Share:
    """Cohen's kappa (1960) of what two judges say of the same answers; values above 0.5 count as a yes."""
    found = [Read(int(one > 0.5), other) for one, other in pairs]
    cells, drawn = _cells(found, np.random.default_rng(seed))
    return _share(_kappa(cells[None])[0], _kappa(drawn), len(found))


def rogan_gladen(observed: Floats, tpr: Floats, tnr: Floats) -> Floats:
    """The rate behind an observed one (Rogan and Gladen 1978): (observed + TNR - 1) / (TPR + TNR - 1), kept in 0..1.

    NaN where TPR + TNR is not above 1: such a judge knows nothing.

    >>> rogan_gladen(np.array([0.38]), np.array([0.9]), np.array([0.8])).round(4).tolist()
    [0.2571]
    """
    informed = tpr + tnr - 1
    rate = np.divide(observed + tnr - 1, informed, out=np.full_like(informed, np.nan), where=informed > 1e-12)
    return np.clip(rate, 0.0, 1.0)


def corrected(values: Sequence[float], judge: Accuracy, *, seed: int = 0) -> tuple[Share, Share]:
    """The observed rate of a judge's verdicts, and the rate when its errors are taken into account.

    The judge must err as often on these answers as on the labelled ones. A draw in which it knows nothing makes both
    ends of the interval wider: there the rate could be anything.
    """
    n = len(values)
    if n == 0:
        nothing = Share(value=None, low=None, high=None, n=0)
        return nothing, nothing
    positive = sum(value > 0.5 for value in values)
    drawn = np.random.default_rng(seed).beta(positive + 0.5, n - positive + 0.5, size=DRAWS)
    observed = _share(positive / n, drawn, n)
    if judge.tpr.value is None or judge.tnr.value is None:
        return observed, Share(value=None, low=None, high=None, n=n)
    point = rogan_gladen(np.array([positive / n]), np.array([judge.tpr.value]), np.array([judge.tnr.value]))[0]
    rates = rogan_gladen(drawn, judge.draws[:, 0], judge.draws[:, 1])
    if np.isnan(point):
        return observed, Share(value=None, low=None, high=None, n=n)
    low, high = percentiles(np.nan_to_num(rates, nan=0.0))[0], percentiles(np.nan_to_num(rates, nan=1.0))[1]
    return observed, Share(value=float(point), low=low, high=high, n=n)


def _cells(scored: Sequence[Read], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Shares of the population by label and verdict (00, 01, 10, 11): the estimate [4], and draws of it [draws, 4]."""
    estimate, drawn = np.zeros(4), np.zeros((DRAWS, 4))
    strata: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for each in scored:
        strata[each.stratum, each.stratum_size].append(2 * each.label + ((each.verdict or 0.0) > 0.5))
    for (stratum, size), places in sorted(strata.items(), key=lambda item: item[0][0]):
        counts = np.bincount(places, minlength=4).astype(np.float64)
        cells = _possible(stratum, counts)
        weight = len(places) if size is None else size
        estimate += weight * counts / len(places)
        drawn[:, cells] += weight * rng.dirichlet(counts[cells] + 0.5, size=DRAWS)
    total = max(estimate.sum(), 1.0)
    return estimate / total, drawn / total


def _possible(stratum: str, counts: Floats) -> list[int]:
    """The cells that a stratum may have: one of a single verdict was drawn by it, and has no other."""
    said = [verdict for verdict in (0, 1) if counts[verdict] + counts[2 + verdict]]
    return [0, 1, 2, 3] if not stratum or len(said) == 2 else [said[0], 2 + said[0]]


def _tpr(cells: Floats) -> Floats:
    return _ratio(cells[:, 3], cells[:, 2] + cells[:, 3])


def _tnr(cells: Floats) -> Floats:
    return _ratio(cells[:, 0], cells[:, 0] + cells[:, 1])


def _kappa(cells: Floats) -> Floats:
    """Cohen's kappa of rows of cells; NaN where chance alone agrees always."""
    label, said = cells[:, 2] + cells[:, 3], cells[:, 1] + cells[:, 3]
    chance = label * said + (1 - label) * (1 - said)
    return _ratio(cells[:, 0] + cells[:, 3] - chance, 1 - chance)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 1e-12)


def _share(value: float, drawn: Floats, n: int) -> Share:
    if n == 0 or np.isnan(value):
        return Share(value=None, low=None, high=None, n=n)
    low, high = percentiles(drawn)  # of a value at the end of its range, every draw is on one side
    return Share(value=float(value), low=min(low, float(value)), high=max(high, float(value)), n=n)
