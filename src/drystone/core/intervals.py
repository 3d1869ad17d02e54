"""95 % confidence intervals of proportions and of areas under ROC curves, in numpy alone.

Of this floor it is the one module that imports numpy: nothing here may import it.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

#: The normal quantile that leaves 2.5 % on either side.
Z = 1.959963984540054


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927); it never leaves [0, 1] and never has width 0.

    Raises:
        ValueError: `n` is not positive, or `successes` is not between 0 and `n`.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"no proportion: {successes} of {n}")
    share = successes / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def midranks(values: Array) -> Array:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def delong(labels: Array, scores: Array) -> tuple[Array, Array]:
    """Areas under the ROC curves of k scores of the same rows, and their covariance.

    DeLong, DeLong & Clarke-Pearson 1988, by the midranks of Sun & Xu 2014, in O(n log n).

    Args:
        labels: (n,) bool; at least two of each class.
        scores: (k, n), higher meaning more likely True.

    Returns:
        (k,) areas and their (k, k) covariance.
    """
    positive, negative = scores[:, labels], scores[:, ~labels]
    m, n = positive.shape[1], negative.shape[1]
    whole = np.stack([midranks(row) for row in np.hstack([positive, negative])])
    within_positive = np.stack([midranks(row) for row in positive])
    within_negative = np.stack([midranks(row) for row in negative])
    # How much of the other class each row beats, and is beaten by.
    of_positive = (whole[:, :m] - within_positive) / n
    of_negative = 1 - (whole[:, m:] - within_negative) / m
    covariance = np.cov(of_positive) / m + np.cov(of_negative) / n
    return of_positive.mean(axis=1), np.atleast_2d(covariance)


def auc_interval(area: float, variance: float, positive: int, negative: int) -> tuple[float, float]:
    """The interval of one area, normal on the logit scale, so that it stays within (0, 1).

    Where the sample separates perfectly DeLong's variance is 0, which says nothing; there the area
    counts as a proportion of as many trials as the smaller class has rows.
    """
    if variance <= 0 or not 0 < area < 1:
        trials = min(positive, negative)
        return wilson(area * trials, trials)
    centre = math.log(area / (1 - area))
    half = Z * math.sqrt(variance) / (area * (1 - area))
    return _expit(centre - half), _expit(centre + half)


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
