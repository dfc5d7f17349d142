"""p-values of paired answers: signs of whole clusters, flipped."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from safeeraser.metrics.intervals import Floats, sums

RESAMPLES = 9_999
MANY = 10_000
"""Clusters that differ, from which on the sum of random signs is taken as normal."""
_PLACES_AT_ONCE = 2**22
_SEED = 0


def sign_flip(differences: Floats, clusters: Sequence[Hashable]) -> float:
    """Two-sided p-value of a mean difference of zero, by giving each cluster's differences a common random sign.

    Where no cluster is more likely to favour one model than the other, all signs are equally likely. Exact where the
    clusters' sums are whole numbers, as those of rates are: with one answer in a cluster it is McNemar's test.
    Otherwise exact up to 13 clusters that differ, and beyond them by 9,999 draws, among which the observed signs
    count, so that p is never zero (Phipson and Smyth 2010). Equal data give equal draws.

    >>> sign_flip(np.array([1, 1, 1, 1, 1, 0]), "abcdef")
    0.0625
    """
    by_cluster = sums(differences, clusters)
    moved = by_cluster[by_cluster != 0]
    if len(moved) < 2:  # two signs of one cluster are equally far from zero
        return 1.0
    if len(moved) > MANY:
        return float(2 * ndtr(-abs(moved.sum()) / np.sqrt((moved**2).sum())))
    if np.array_equal(moved, np.round(moved)):
        return _exact(moved.astype(int))
    from scipy.stats import permutation_test  # noqa: PLC0415  takes a second

    result = permutation_test(
        (moved, np.zeros_like(moved)),
        _total_difference,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=max(1, _PLACES_AT_ONCE // len(moved)),
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)


def _exact(moved: NDArray[np.int_]) -> float:
    """The chance that random signs bring a sum as far from zero as the observed one, over all signs."""
    chances = np.ones(1)  # of each sum from -reach to reach
    for size in np.abs(moved):
        chances = (np.pad(chances, (0, 2 * size)) + np.pad(chances, (2 * size, 0))) / 2
    reach = len(chances) // 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(moved.sum())
    return min(float(chances[far].sum()), 1.0)


def _total_difference(first: Floats, second: Floats, axis: int) -> Floats:
    return np.asarray(first.sum(axis=axis) - second.sum(axis=axis))


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number so that the chance of any false find stays below the level (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found, least = [0.0] * len(p), 0.0
    for place, at in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - place) * p[at]))
        found[at] = least
    return found
