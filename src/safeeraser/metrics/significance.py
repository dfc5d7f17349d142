"""p-values: McNemar's exact test, sign flips of whole clusters, and Holm's correction for many tests at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, permutation_test

from safeeraser.metrics.intervals import Floats, by_cluster

RESAMPLES = 9_999


def mcnemar(first: Sequence[float], second: Sequence[float]) -> float:
    """McNemar's exact test (two-sided) of two series of 0 and 1: a binomial test on the pairs that differ.

    >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    0.0625
    """
    ups = sum(after > before for before, after in zip(first, second, strict=True))
    downs = sum(after < before for before, after in zip(first, second, strict=True))
    return float(binomtest(ups, ups + downs).pvalue) if ups + downs else 1.0


def sign_flip(differences: Sequence[float], clusters: Sequence[Hashable], rng: np.random.Generator) -> float:
    """Two-sided p-value of a mean difference of zero, by giving each cluster's differences a common random sign.

    Where no cluster is more likely to favour one model than the other, all signs are equally likely. Exact where the
    clusters' sums are whole numbers, as those of rates are: with one answer in a cluster it is McNemar's test.
    Otherwise exact up to 13 clusters that differ, and beyond them by 9,999 draws, among which the observed signs
    count, so that p is never zero (Phipson and Smyth 2010).
    """
    sums, _ = by_cluster(differences, clusters)
    moved = sums[sums != 0]
    if len(moved) < 2:  # two signs of one cluster are equally far from zero
        return 1.0
    if np.array_equal(moved, np.round(moved)):
        return _exact(moved.astype(int))
    result = permutation_test(
        (moved, np.zeros_like(moved)),
        _total_difference,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        vectorized=True,
        rng=rng,
    )
    return float(result.pvalue)


def _exact(sums: NDArray[np.int_]) -> float:
    """The chance that random signs bring a sum as far from zero as the observed one, over all signs."""
    chances = np.ones(1)  # of each sum from -reach to reach
    for size in np.abs(sums):
        chances = (np.pad(chances, (0, 2 * size)) + np.pad(chances, (2 * size, 0))) / 2
    reach = len(chances) // 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(sums.sum())
    return min(float(chances[far].sum()), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): with these, the chance of even one false find stays below the level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values, dtype=float)[order]), 1.0)
    adjusted = np.empty(len(order))
    adjusted[order] = stepped
    return [float(p) for p in adjusted]


def _total_difference(first: Floats, second: Floats, axis: int) -> Floats:
    return np.asarray(first.sum(axis=axis) - second.sum(axis=axis))
