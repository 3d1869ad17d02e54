"""Bootstrap intervals contain the truth as often as they say, and say how many rows would do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from drystone.checks.intervals import (
    MAX_UNITS,
    Estimate,
    doubt,
    percentile_interval,
    resampled_areas,
    resampled_sums,
    rows_needed,
)
from drystone.core.intervals import delong


def covered(hits: list[bool]) -> bool:
    """Whether a nominal 95 % holds: the seeds are fixed, so the bounds only allow for that."""
    return 0.91 <= sum(hits) / len(hits) <= 0.99


def mean_interval(values: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, float]:
    sums = resampled_sums(np.stack([values, np.ones(len(values))], axis=1), groups)
    units = min(len(values), MAX_UNITS) if groups is None else int(groups.max()) + 1
    found = percentile_interval(sums[:, 0] / sums[:, 1], units)
    assert found is not None
    return found


@pytest.mark.parametrize("n", [25, 2200])
def test_the_bootstrap_contains_the_truth_in_95_of_100_samples_small_or_dealt_into_groups(n: int) -> None:
    random = np.random.default_rng(6)
    hits = []
    for _ in range(70):
        low, high = mean_interval(random.normal(size=n) + 3)
        hits.append(low <= 3 <= high)
    assert covered(hits)


def test_rows_of_one_group_do_not_count_as_many() -> None:
    random = np.random.default_rng(7)
    groups = np.repeat(np.arange(40), 75)  # more rows than are drawn one by one
    values = random.normal(size=40)[groups] + 0.1 * random.normal(size=3000)
    alone, grouped = mean_interval(values), mean_interval(values, groups)
    assert grouped[1] - grouped[0] > 3 * (alone[1] - alone[0])


def test_resampled_areas_centre_on_the_area_and_count_ties_half() -> None:
    random = np.random.default_rng(8)
    labels = random.random(300) < 0.5
    score = np.round(random.normal(size=300) + labels, 1)
    areas = resampled_areas(labels, score, np.arange(300))
    assert areas.mean() == pytest.approx(roc_auc_score(labels, score), abs=0.005)
    spread = delong(labels, score[None])[1][0, 0] ** 0.5
    assert areas.std() == pytest.approx(spread, rel=0.15)


def test_the_same_data_give_the_same_interval() -> None:
    values = np.random.default_rng(9).exponential(size=5000)
    assert mean_interval(values) == mean_interval(values)


def test_a_statistic_that_is_often_undefined_has_no_interval() -> None:
    replicates = np.ones(100)
    replicates[:10] = np.nan
    assert percentile_interval(replicates, 50) is None


def test_doubt_is_the_tail_at_the_threshold() -> None:
    estimate = Estimate(0.5, 0.3, 0.6, 100)
    assert doubt(estimate, 0.6, above=True) == pytest.approx(0.025)
    assert doubt(estimate, 0.3, above=False) == pytest.approx(0.025)
    assert doubt(estimate, 0.5, above=True) == pytest.approx(0.5)
    assert doubt(estimate, 0.4, above=True) > 0.8
    assert doubt(Estimate(0.5, 0.5, 0.5, 9), 0.6, above=True) == 0


@given(
    st.floats(0.05, 0.95), st.floats(0.01, 0.2), st.floats(0.001, 0.2), st.integers(10, 10**6), st.booleans()
)
def test_the_rows_that_are_said_to_be_needed_are_enough(
    value: float, half: float, gap: float, n: int, over: bool
) -> None:
    threshold = value - gap if over else value + gap
    needed = rows_needed(Estimate(value, value - half, value + half, n), threshold)
    assert needed is not None
    assert needed > n
    assert half * math.sqrt(n / needed) <= gap * (1 + 1e-9)


def test_no_number_of_rows_tells_a_value_from_itself() -> None:
    assert rows_needed(Estimate(0.7, 0.6, 0.8, 50), 0.7) is None
