"""95% intervals: Wilson's for counts, a bootstrap over clusters for everything else. numpy and scipy only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

CONFIDENCE = 0.95
DRAWS = 2_000

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
    index: dict[Hashable, int] = {}
    member = np.array([index.setdefault(cluster, len(index)) for cluster in clusters])
    if len(index) == 1:
        return 0.0, 1.0
    mean = sum(values) / len(values)
    if mean in (0.0, 1.0):
        return wilson(round(mean) * len(index), len(index))
    sums = np.bincount(member, weights=values)
    sizes = np.bincount(member)
    drawn = rng.integers(len(index), size=(DRAWS, len(index)))
    return percentiles(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


def percentiles(statistics: Floats) -> Interval:
    """The middle 95% of a statistic over the draws of a bootstrap; draws that leave it undefined (NaN) do not count."""
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(statistics, [outside, 100 - outside])
    return float(low), float(high)
