"""Intervals agree with scipy and scikit-learn, and contain the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from drystone.core.intervals import auc_interval, delong, midranks, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 30), (3, 30), (15, 30), (29, 30), (30, 30), (412, 20_000)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_share_has_width_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    low, high = wilson(*case)
    assert 0 <= low <= case[0] / case[1] <= high <= 1
    assert high > low


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(k, n)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_midranks_are_scipys_average_ranks(values: list[int]) -> None:
    assert midranks(np.array(values)).tolist() == stats.rankdata(values).tolist()


def placements(labels: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's structural components by their definition, over all pairs."""
    wins = np.sign(score[labels][:, None] - score[~labels][None]) / 2 + 0.5
    return wins.mean(axis=1), wins.mean(axis=0)


def test_delong_is_its_definition_over_all_pairs_ties_included() -> None:
    random = np.random.default_rng(4)
    labels = random.random(60) < 0.4
    scores = np.round(np.stack([random.normal(size=60) + labels, random.normal(size=60)]), 1)
    areas, covariance = delong(labels, scores)
    positive, negative = zip(*(placements(labels, score) for score in scores), strict=True)
    m, n = labels.sum(), (~labels).sum()
    assert areas == pytest.approx([roc_auc_score(labels, score) for score in scores])
    assert covariance == pytest.approx(np.cov(positive) / m + np.cov(negative) / n)


def test_a_perfect_separation_of_few_rows_is_not_certain() -> None:
    low, high = auc_interval(1.0, 0.0, 12, 500)
    assert (low, high) == wilson(12, 12)
    assert low < 0.8


@pytest.mark.parametrize(("positive", "negative", "distance"), [(10, 40, 1.5), (40, 200, 0.8)])
def test_the_interval_of_auc_contains_the_truth_in_95_of_100_samples(
    positive: int, negative: int, distance: float
) -> None:
    random = np.random.default_rng(5)
    labels = np.arange(positive + negative) < positive
    truth = stats.norm.cdf(distance / math.sqrt(2))
    hits = []
    for _ in range(400):
        areas, covariance = delong(labels, (random.normal(size=labels.size) + distance * labels)[None])
        low, high = auc_interval(areas[0], covariance[0, 0], positive, negative)
        hits.append(bool(low <= truth <= high))
    assert 0.91 <= sum(hits) / len(hits) <= 0.99  # the seed is fixed
