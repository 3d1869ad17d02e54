"""Whether two samples of one feature come from one distribution: a p-value and an effect.

Numbers: twice the smaller of the p-values of Kolmogorov-Smirnov and of a chi-square contingency
test over the cells of `cells.py`; booleans: the contingency test alone; text: where it has rare
categories, twice the smaller of that and of a test of those the reference never saw. Large-sample
p-values err below 500 rows and in sparse tables; there the exact distribution is used: of
Kolmogorov-Smirnov by counting paths, of two cells by Fisher's test, of a table by permutation.
Permutations are drawn from a fixed seed: the same counts give the same p-value, in any row order.

The tests hold rows to be independent; rows of one hour seldom are, so p-values of real traffic are
somewhat too small. The floor under the effect (`decision.py`) is what keeps that from alarming.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, fisher_exact, ks_2samp, kstwo

from drystone.monitoring import cells as tables
from drystone.monitoring.cells import Cells
from drystone.monitoring.columns import Array, Sample

#: Fewer rows than this in either sample are not judged.
ENOUGH = 30
#: From so many rows in both samples on, large-sample p-values are right.
ASYMPTOTIC = 500
#: Cells that expect fewer rows are pooled before a large-sample test.
SPARSE = 5
#: Draws of a permutation test at most; it ends early once so many reached the observed statistic. The
#: smallest p-value is then 0.0001, enough for one feature to stand out among 250.
PERMUTATIONS, REACHED = 10_000, 50
_BATCH_ELEMENTS = 1_000_000
_BUDGET_ELEMENTS = 8_000_000
_KS_EXACT_ROWS = 10_000


class Comparison(NamedTuple):
    """What two samples say about each other.

    Attributes:
        p: probability of samples at least as different if nothing changed; None when not judged.
        effect: debiased population stability index; None when not judged.
        why: the largest change in words; when not judged, what would do.
    """

    p: float | None
    effect: float | None
    why: str = ""


def compare(reference: Sample, current: Sample) -> Comparison:
    """Compare a current sample with the reference; both must be of one kind, or without any."""
    for name, sample in (("reference", reference), ("window", current)):
        if sample.n < ENOUGH:
            return Comparison(
                None, None, f"{sample.n:,} row{'s' * (sample.n != 1)} in the {name}; {ENOUGH} would do"
            )
    kind = reference.kind or current.kind
    if kind is None:
        return Comparison(1.0, 0.0)
    reference, current = reference._replace(kind=kind), current._replace(kind=kind)
    exact = min(reference.n, current.n) < ASYMPTOTIC
    every = tables.count(reference, current)
    rare = (tables.expected(every) < (1 if exact else SPARSE)) & (np.array(every.names) != tables.MISSING)
    pooled = tables.pool(every, rare) if rare.any() else every
    p = _contingency_p(pooled, exact=exact)
    if kind in ("number", "time") and len(every.names) > 2:
        p = min(1.0, 2 * min(p, _kolmogorov_smirnov_p(reference.numbers, current.numbers)))
    if kind == "text" and rare.any():
        p = min(1.0, 2 * min(p, _unseen_p(every, rare)))
        pooled = tables.pool(every, rare, unseen_apart=True)
    return Comparison(p, tables.effect(pooled), tables.largest_change(pooled))


def _kolmogorov_smirnov_p(reference: Array, current: Array) -> float:
    """p-value of the largest gap between two distribution functions; with ties it errs upwards."""
    few, many = sorted((reference, current), key=len)
    if len(few) == 0:
        return 1.0
    if len(few) < ASYMPTOTIC and len(many) <= _KS_EXACT_ROWS:
        with warnings.catch_warnings():
            # Rounding can put an exact p-value of about 1 above 1; scipy says so and falls back.
            warnings.simplefilter("ignore", RuntimeWarning)
            return float(ks_2samp(few, many, method="exact").pvalue)
    # The gap is largest at a value of the smaller sample, or just below one.
    at, below = (
        few.searchsorted(few, side=side) / len(few) - many.searchsorted(few, side=side) / len(many)
        for side in ("right", "left")
    )
    # The exact law of one sample of the harmonic size (as scipy's "asymp"): where one sample is small
    # and the other beyond 10,000 that is right to the third digit.
    size = round(len(few) * len(many) / (len(few) + len(many)))
    return float(kstwo.sf(max(at.max(), -below.min()), size))


def _contingency_p(cells: Cells, *, exact: bool) -> float:
    """p-value of a table of two samples over k cells."""
    size = len(cells.names)
    if size < 2:
        return 1.0
    rows, every = int(cells.current.sum()), int(cells.totals.sum())
    if not exact and tables.expected(cells).min() >= SPARSE:
        return float(chi2.sf(_statistic(cells.current, cells.totals, rows, every), size - 1))
    if size == 2:
        return float(fisher_exact([cells.reference, cells.current]).pvalue)
    return _permutation_p(
        cells.totals, cells.current, lambda drawn: _statistic(drawn, cells.totals, rows, every)
    )


def _unseen_p(cells: Cells, rare: Array) -> float:
    """p-value of the rows in rare categories that the reference never saw.

    Chance alone makes some, the more the longer the tail of rare categories is. So what counts is how
    much larger their share is than that of the reference's rows in categories that the current sample
    lacks, and how often a random division of all rows gives as much. Categories with one row in all
    are interchangeable and drawn as one.
    """
    totals = cells.totals
    several, single = rare & (totals > 1), rare & (totals == 1)
    groups = totals[several]
    rows, every = int(cells.current.sum()), int(totals.sum())

    def excess(drawn: Array) -> Array:
        among, alone = drawn[:, 1:-1], drawn[:, -1]
        unseen = np.where(among == groups, groups, 0).sum(axis=1) + alone
        lacking = np.where(among == 0, groups, 0).sum(axis=1) + totals[single].sum() - alone
        return np.asarray(unseen / rows - lacking / (every - rows))

    def grouped(counts: Array) -> Array:
        return np.concatenate([[counts[~rare].sum()], counts[several], [counts[single].sum()]])

    return _permutation_p(grouped(totals), grouped(cells.current), excess)


def _permutation_p(population: Array, observed: Array, statistic: Callable[[Array], Array]) -> float:
    """Share of random divisions of the pooled rows with a statistic at least the observed one.

    Args:
        population: rows of both samples by group.
        observed: those of the current sample.
        statistic: of divisions, (draws, groups), one number each.
    """
    reached = drawn = 0
    found = float(statistic(observed[None, :])[0])
    threshold = found - 1e-9 * abs(found)
    random = np.random.default_rng(20130401)
    budget = int(np.clip(_BUDGET_ELEMENTS // len(population), 1_000, PERMUTATIONS))
    while drawn < budget and reached < REACHED:
        batch = min(budget - drawn, max(1, _BATCH_ELEMENTS // len(population)), 1_000 + drawn)
        divisions = random.multivariate_hypergeometric(population, int(observed.sum()), size=batch)
        reached += int((statistic(divisions) >= threshold).sum())
        drawn += batch
    return (reached + 1) / (drawn + 1)


def _statistic(current: Array, totals: Array, rows: int, every: int) -> Array:
    """Pearson's chi-square of the table (totals - current, current) along the last axis."""
    share = rows / every
    return np.asarray(((current - share * totals) ** 2 / totals).sum(axis=-1) / (share * (1 - share)))
