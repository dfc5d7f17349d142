"""95% intervals of rates, means and differences: Wilson's, Newcombe's, and a bootstrap over clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from scipy.stats import t as student

CONFIDENCE = 0.95
DRAWS = 2_000
_PLACES_AT_ONCE = 2**22

Interval = tuple[float, float]
Floats = NDArray[np.float64]


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval (1927), without continuity correction, of a share of `n` > 0 independent answers."""
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def clustered(values: Sequence[float], clusters: Sequence[Hashable], rng: np.random.Generator) -> Interval:
    """Percentile bootstrap of the mean of `values` in 0..1, drawing whole clusters with replacement.

    `clusters` says which values belong together (the same picture, say), for these do not vary on their own.
    The bootstrap is blind where all values are 0, or all 1: there the interval is Wilson's, with as many
    trials as there are clusters. From a single cluster nothing can be said: 0 to 1.
    """
    sums, sizes = by_cluster(values, clusters)
    if len(sums) == 1:
        return 0.0, 1.0
    if set(values) in ({0.0}, {1.0}):
        return wilson(round(values[0]) * len(sums), len(sums))
    return percentiles(_resampled(sums, sizes, rng))


def _resampled(sums: Floats, sizes: Floats, rng: np.random.Generator) -> Floats:
    """The means of resamples, drawn a few at a time: together those of 100,000 clusters would take gigabytes."""
    at_once = max(1, _PLACES_AT_ONCE // len(sums))
    means = []
    for start in range(0, DRAWS, at_once):
        drawn = rng.integers(len(sums), size=(min(at_once, DRAWS - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def percentiles(statistics: Floats) -> Interval:
    """The middle 95% of a statistic over the draws of a bootstrap; draws that leave it undefined (NaN) do not count."""
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(statistics, [outside, 100 - outside])
    return float(low), float(high)


def newcombe(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Newcombe's interval (1998, method 10) of the difference between two paired rates, second minus first.

    Both hold 0 or 1 for the same answers, in the same order. Wilson's two intervals are put together with the
    correlation of the pairs, so that it says something too where no pair differs, or every one does.
    """
    n = len(first)
    (low_1, high_1), (low_2, high_2) = wilson(round(sum(first)), n), wilson(round(sum(second)), n)
    rate_1, rate_2 = sum(first) / n, sum(second) / n
    correlation = _phi(first, second)
    difference = rate_2 - rate_1

    def reach(down: float, up: float) -> float:
        return float(np.sqrt(max(down**2 - 2 * correlation * down * up + up**2, 0.0)))

    return difference - reach(rate_2 - low_2, high_1 - rate_1), difference + reach(high_2 - rate_2, rate_1 - low_1)


def _phi(first: Sequence[float], second: Sequence[float]) -> float:
    """Newcombe's correlation of pairs: phi, with half an answer taken off where it is positive; 0 if undefined."""
    pairs = list(zip(first, second, strict=True))
    both, neither = pairs.count((1, 1)), pairs.count((0, 0))
    only_1, only_2 = pairs.count((1, 0)), pairs.count((0, 1))
    margins = (both + only_1) * (only_2 + neither) * (both + only_2) * (only_1 + neither)
    if margins == 0:
        return 0.0
    cross, n = both * neither - only_1 * only_2, len(pairs)
    corrected = max(cross - n / 2, 0) if cross > 0 else cross
    return float(corrected / np.sqrt(margins))


def clustered_difference(values: Sequence[float], clusters: Sequence[Hashable], rng: np.random.Generator) -> Interval:
    """Percentile bootstrap of the mean of paired differences in -1..1, drawing whole clusters with replacement.

    The bootstrap is blind where every cluster has the same mean. There the interval allows for as many unlike
    clusters as Wilson's interval does that has seen none. From a single cluster nothing can be said: -1 to 1.
    """
    sums, sizes = by_cluster(values, clusters)
    if len(sums) == 1:
        return -1.0, 1.0
    if np.ptp(sums / sizes) == 0:
        return constant(float(sums[0] / sizes[0]), len(sums))
    return percentiles(_resampled(sums, sizes, rng))


def constant(difference: float, clusters: int) -> Interval:
    """The interval of a difference in -1..1 that is the same in every cluster seen.

    >>> [round(end, 3) for end in constant(0.0, 96)]
    [-0.038, 0.038]
    """
    unseen = wilson(0, clusters)[1]
    return difference - unseen * (1 + difference), difference + unseen * (1 - difference)


def score_interval(share: float, variance: float, degrees: float) -> Interval:
    """Wilson's interval of a share strictly between 0 and 1 that is known with this variance.

    The effective number of answers is share (1 - share) / variance, and Student's t with these degrees of freedom takes
    the place of the normal quantile, as in surveys (Korn and Graubard 1998). It never leaves 0..1.
    """
    if variance == 0:
        return share, share
    n = share * (1 - share) / variance
    z = float(student.ppf((1 + CONFIDENCE) / 2, degrees))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def by_cluster(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum of the values of each cluster, and how many there are."""
    index: dict[Hashable, int] = {}
    member = np.array([index.setdefault(cluster, len(index)) for cluster in clusters])
    return np.bincount(member, weights=values).astype(np.float64), np.bincount(member).astype(np.float64)
