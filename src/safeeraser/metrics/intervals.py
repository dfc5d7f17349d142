"""Means with intervals that allow for answers which belong together: cluster-robust variances, exact-form intervals.

Answers about one picture do not vary on their own, so everything here knows clusters. docs/metrics.md gives the
sources, and the simulations that show how far the intervals cover.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

from safeeraser.metrics.clusters import merged

CONFIDENCE = 0.95
NOTHING = 1e-15
"""A variance below this is rounding."""
DRAWS = 2_000

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of `n` values, and how sure it is. Of several data sets of one shape at once, fields are arrays.

    The variance of the mean has a part `between` seeds and one `within` them, which clusters give: the first has
    `seed_degrees` of freedom, the second `degrees`. `naive` is what the part within would be if all values were
    independent. `clusters` is the number of equally large clusters that would weigh as these do.
    """

    mean: Floats
    between: Floats
    within: Floats
    naive: Floats
    seed_degrees: int
    degrees: int
    clusters: float
    n: int

    @property
    def variance(self) -> Floats:
        """The variance of the mean."""
        return self.between + self.within

    def reach(self, tail: float) -> Floats:
        """How far Student's interval reaches to each side, where `tail` of the distribution is below its upper end.

        The reaches of the two parts are added as the parts are, by their squares: two seeds that happen to agree then
        lend the clusters' degrees of freedom no trust. Satterthwaite's (1946), which go by the parts as they are found,
        do: with two seeds such "95%" intervals hold the truth in as few as 87%.
        """
        over_seeds, over_clusters = stdtrit(self.seed_degrees, tail), stdtrit(self.degrees, tail)
        squared: Floats = over_seeds**2 * self.between + over_clusters**2 * self.within
        return squared**0.5


def spread(values: Floats, clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None) -> Spread:
    """The mean of `values` [..., n] with its variance, from what each cluster of them adds to the mean.

    Clusters never make it smaller than it would be if all values were independent. Of values from several `seeds` it
    is the mean of the seeds' means, and the variance between those is added. Noise that belongs to one seed and one
    cluster is then in both parts, and so the sum errs on the wide side (Cameron, Gelbach and Miller 2011 subtract it,
    which needs many seeds). Of questions without a picture those of one text go together (`clusters.merged`).
    """
    seed, count = _numbered(seeds if seeds is not None else [0] * len(clusters))
    cluster, m = _numbered(merged(clusters))
    n = len(cluster)
    means = _sums(values, seed) / np.bincount(seed)
    weight = 1 / np.bincount(seed)[seed] / count
    residual = (values - means[..., seed]) * weight
    naive = (residual**2).sum(axis=-1) * n / max(n - 1, 1)
    within = np.maximum((_sums(residual, cluster) ** 2).sum(axis=-1) * m / max(m - 1, 1), naive)
    between = means.var(axis=-1, ddof=1) / count if count > 1 else np.zeros_like(within)
    return Spread(
        mean=means.mean(axis=-1),
        between=between,
        within=within,
        naive=naive,
        seed_degrees=max(count - 1, 1),
        degrees=max(m - 1, 1),
        clusters=float(1 / (_sums(weight, cluster) ** 2).sum()),
        n=n,
    )


def share(found: Spread, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """The interval of a mean of values in 0..1: Clopper and Pearson's (1934), of the effective number of values.

    This is what Korn and Graubard (1998) propose for surveys of clusters: n over the design effect, made smaller for
    the degrees of freedom. Few answers of the rarer kind say little about how alike those of a cluster are, so the
    variance within seeds is moved towards that of wholly alike clusters, by one part in 1 + the clusters that the
    rarer kind would fill. Where nothing varies, as at 0 and 1, clusters count. From a single cluster nothing can be
    said: 0 to 1.
    """
    p, m, n = np.clip(found.mean, 0, 1), found.clusters, found.n
    if m < 1 + 1e-9:
        return np.zeros_like(p), np.ones_like(p)
    unsure = 1 / (1 + np.minimum(p, 1 - p) * m)
    alike = found.naive * (n - 1) / (m - 1)
    moved = replace(found, within=found.within + unsure * np.maximum(alike - found.within, 0))
    varies, tail, one = moved.variance > NOTHING, (1 + confidence) / 2, p * (1 - p) * n / (n - 1)
    effective = np.divide(one, moved.variance, out=np.full_like(p, m), where=varies)
    reach = stdtrit(np.maximum(effective, n) - 1, tail) * one**0.5
    effective = np.divide(reach**2, moved.reach(tail) ** 2, out=np.full_like(p, m), where=varies)
    yes, no = p * effective, (1 - p) * effective
    low = np.where(yes > 0, betaincinv(np.maximum(yes, 1e-12), no + 1, 1 - tail), 0.0)
    high = np.where(no > 0, betaincinv(yes + 1, np.maximum(no, 1e-12), tail), 1.0)
    return np.minimum(low, p), np.maximum(high, p)


def mean_interval(found: Spread, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Student's interval of a mean of any values; the whole line from a single cluster."""
    reach = np.full_like(found.mean, np.inf)
    if found.clusters > 1 + 1e-9:
        reach = found.reach((1 + confidence) / 2)
    return found.mean - reach, found.mean + reach


def difference(up: Spread, down: Spread, both: Spread, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """The interval of a mean of differences in -1..1, `both`, which is what went `up` less what went `down`.

    The two shares' intervals are put together with their correlation (MOVER: Zou and Donner 2008), which follows from
    the reaches of the three means. It has a width where no pair differs, or every one does.
    """
    (low_up, high_up), (low_down, high_down) = share(up, confidence), share(down, confidence)
    tail = (1 + confidence) / 2
    scale = 2 * up.reach(tail) * down.reach(tail)
    covered = up.reach(tail) ** 2 + down.reach(tail) ** 2 - both.reach(tail) ** 2
    correlation = np.clip(np.divide(covered, scale, out=np.zeros_like(scale), where=scale > 0), -1, 1)

    def reach(one: Floats, other: Floats) -> Floats:
        squared: Floats = np.maximum(one**2 - 2 * correlation * one * other + other**2, 0.0)
        return squared**0.5

    return (
        np.maximum(both.mean - reach(up.mean - low_up, high_down - down.mean), -1.0),
        np.minimum(both.mean + reach(high_up - up.mean, down.mean - low_down), 1.0),
    )


def estimate(
    values: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> tuple[float, float, float]:
    """The mean of values in 0..1 with its 95% interval."""
    found = spread(np.array(values, dtype=np.float64), clusters, seeds)
    low, high = share(found)
    return float(found.mean), float(low), float(high)


def sums(values: Floats, clusters: Sequence[Hashable]) -> Floats:
    """The sum of the values of each cluster, in the order in which clusters appear."""
    return _sums(values, _numbered(merged(clusters))[0])


def _numbered(labels: Sequence[Hashable]) -> tuple[NDArray[np.intp], int]:
    """Each label's number in the order of their first appearance, and how many there are."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp), len(numbers)


def _sums(values: Floats, group: NDArray[np.intp]) -> Floats:
    """Sums of values [..., n] over each group, in the order of the groups' numbers."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    found: Floats = np.add.reduceat(values[..., order], starts, axis=-1)
    return found


def percentiles(statistics: Floats) -> Interval:
    """The middle 95% of a statistic over the draws of a bootstrap; draws that leave it undefined (NaN) do not count."""
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(statistics, [outside, 100 - outside])
    return float(low), float(high)
