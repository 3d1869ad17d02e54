"""Bootstrap intervals at 95 %, and what follows from an interval; see also `core.intervals`.

All randomness comes from one fixed seed: the same data give the same interval, so a verdict never
changes by itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drystone.core.intervals import Array, Z

LEVEL = 0.95
REPLICATES = 1000
SEED = 20130101
#: With fewer independent units (rows, or groups) no bootstrap interval is given.
MIN_UNITS = 20
#: More independent rows than this are first dealt at random into so many groups, which are then
#: drawn: the variance of a sum is the same, its estimate uncertain by 1.6 %, the cost independent of n.
MAX_UNITS = 2000


class Estimate(NamedTuple):
    """A statistic, its 95 % confidence interval, and the rows it rests on."""

    value: float
    low: float
    high: float
    n: int


def resampled_sums(statistics: Array, groups: Array | None = None) -> Array:
    """Bootstrap replicates of the column sums of per-row statistics.

    Rows are drawn with replacement, or whole groups of rows where rows of one group are not
    independent (cluster bootstrap: Davison & Hinkley 1997, §3.8).

    Args:
        statistics: (n, k).
        groups: (n,) codes 0..G-1 of the group of each row, or None.

    Returns:
        (REPLICATES, k).
    """
    random = np.random.default_rng(SEED)
    if groups is None and len(statistics) > MAX_UNITS:
        groups = random.permutation(len(statistics)) % MAX_UNITS
    units = statistics if groups is None else _by_group(statistics, groups)
    return np.stack([_draw(random, len(units)) @ units for _ in range(REPLICATES)])


def resampled_areas(labels: Array, scores: Array, groups: Array) -> Array:
    """Cluster-bootstrap replicates of the area under the ROC curve.

    Args:
        labels: (n,) bool.
        scores: (n,).
        groups: (n,) codes 0..G-1.

    Returns:
        (REPLICATES,); NaN where a replicate drew a single class.
    """
    order = np.argsort(scores, kind="stable")
    labels, groups = labels[order], groups[order]
    _, first = np.unique(scores[order], return_index=True)
    count = int(groups.max()) + 1
    random = np.random.default_rng(SEED)
    areas = np.empty(REPLICATES)
    for replicate in range(REPLICATES):
        weight = _draw(random, count)[groups]
        positive = np.add.reduceat(np.where(labels, weight, 0.0), first)
        negative = np.add.reduceat(np.where(labels, 0.0, weight), first)
        below = np.cumsum(negative) - negative / 2  # ties count half
        pairs = positive.sum() * negative.sum()
        areas[replicate] = (positive * below).sum() / pairs if pairs else np.nan
    return areas


def percentile_interval(replicates: Array, units: int) -> tuple[float, float] | None:
    """The expanded percentile interval of bootstrap replicates (Hesterberg 2015, §5.3).

    The plain percentile interval is too narrow in small samples by about the factor between
    Student's t and the normal; the percentiles are moved out by it.

    Args:
        replicates: (B,) values of the statistic; NaN where it is not defined.
        units: independent units that were drawn, at least two.

    Returns:
        None if more than one replicate in twenty is NaN.
    """
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < LEVEL * len(replicates):
        return None
    tail = normal_tail(math.sqrt(units / (units - 1)) * _student(units - 1))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def normal_tail(z: float) -> float:
    """The probability that a standard normal variable exceeds `z`."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def doubt(estimate: Estimate, threshold: float, *, above: bool) -> float:
    """One-sided p-value of the hypothesis that the truth is at or above (below) the threshold.

    The side of the interval that faces the threshold is read as Z standard errors of a normal
    variable, so the p-value is 0.025 exactly where the interval ends at the threshold.
    """
    value, low, high, _ = estimate
    gap = threshold - value if above else value - threshold
    error = (high - value if threshold > value else value - low) / Z
    if error <= 0:
        return 1.0 if gap <= 0 else 0.0
    return normal_tail(gap / error)


def rows_needed(estimate: Estimate, threshold: float) -> int | None:
    """How many rows would move the near end of the interval to the threshold, if the value stays.

    The width of an interval shrinks with the root of the rows. Two significant digits; None where
    the value is the threshold itself, which no number of rows tells apart.
    """
    value, low, high, n = estimate
    gap = abs(value - threshold)
    half = value - low if value > threshold else high - value
    if gap <= 0 or n <= 0:
        return None
    factor = (half / gap) ** 2
    needed = max(n + 1, math.ceil(n * factor))
    scale: int = 10 ** max(0, len(str(needed)) - 2)
    return math.ceil(needed / scale) * scale


def _draw(random: np.random.Generator, count: int) -> Array:
    """How often each of `count` units occurs in a sample of that size with replacement."""
    drawn = np.bincount(random.integers(0, count, size=count), minlength=count)
    return drawn.astype(np.float64)


def _by_group(statistics: Array, groups: Array) -> Array:
    return np.stack([np.bincount(groups, weights=column) for column in statistics.T], axis=1)


def _student(freedom: int) -> float:
    """Student's t quantile at 97.5 %, by Cornish & Fisher's expansion; within 0.1 % from 10 on."""
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    return Z + first / freedom + second / freedom**2 + third / freedom**3
