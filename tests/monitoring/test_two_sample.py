"""Two samples of one feature: false alarms stay at 5 %, real changes are seen, nothing crashes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp

from drystone.monitoring import cells
from drystone.monitoring.columns import sample, stretch
from drystone.monitoring.decision import FALSE_ALARMS, LEAST_EFFECT
from drystone.monitoring.two_sample import Comparison, compare

Draw = Callable[[np.random.Generator, int], Any]

WORLDS: dict[str, Draw] = {
    "continuous": lambda random, n: random.normal(size=n),
    "mostly zero": lambda random, n: np.where(random.random(n) < 0.6, 0, random.exponential(size=n)),
    "partly missing": lambda random, n: np.where(random.random(n) < 0.1, np.nan, random.normal(size=n)),
    "few integers": lambda random, n: random.poisson(3, n),
    "rare boolean": lambda random, n: random.random(n) < 0.05,
    "few categories": lambda random, n: random.choice(["a", "b", "c"], n, p=[0.7, 0.25, 0.05]),
    "many rare categories": lambda random, n: np.minimum(random.zipf(1.5, n), 10**6).astype(str),
    "ids": lambda random, n: random.integers(0, 10**9, n).astype(str),
}


def compared(reference: Any, current: Any) -> Comparison:
    """Compare two columns, arrays or lists, by the reference's kind."""
    before = sample([stretch(list(reference)) if isinstance(reference, list) else pa.array(reference)], None)
    now = sample([stretch(list(current)) if isinstance(current, list) else pa.array(current)], before.kind)
    return compare(before, now)


def alarmed(found: Comparison) -> bool:
    return found.p is not None and found.effect is not None and found.p <= 0.05 and found.effect >= 0.02


# -- the null ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    ("before", "now", "repeats"), [(30, 30, 80), (2000, 100, 60), (1000, 1000, 60), (5000, 20_000, 15)]
)
def test_nothing_changed_and_at_most_one_in_twenty_alarms(
    world: str, before: int, now: int, repeats: int
) -> None:
    random = np.random.default_rng([before, now, *world.encode()])
    draw = WORLDS[world]
    found = [compared(draw(random, before), draw(random, now)).p for _ in range(repeats)]
    alarms = sum(p is not None and p <= FALSE_ALARMS for p in found)
    # A right test gives more than this in 1 of 1,000 such simulations.
    assert alarms <= 0.05 * repeats + 3.1 * math.sqrt(0.05 * 0.95 * repeats)


def test_a_category_that_chance_alone_makes_unseen_is_no_drift() -> None:
    random = np.random.default_rng(7)
    levels = [f"N{tail}" for tail in range(3000)]
    for _ in range(5):
        assert not alarmed(compared(random.choice(levels, 2000), random.choice(levels, 2000)))


# -- changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [100, 1000, 20_000])
def test_a_shift_is_seen(n: int) -> None:
    random = np.random.default_rng(n)
    found = compared(random.normal(size=5000), random.normal(0.7, size=n))
    assert alarmed(found)
    assert found.effect == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("outlier", [1e4, 1e12, math.inf])
def test_one_outlier_on_either_side_hides_no_shift(outlier: float) -> None:
    random = np.random.default_rng(1)
    before, now = random.normal(size=5000), random.normal(1, size=2000)
    assert alarmed(compared(np.append(before, outlier), np.append(now, -outlier)))


@pytest.mark.parametrize("n", [100, 1000])
def test_values_that_turn_missing_are_a_drift(n: int) -> None:
    random = np.random.default_rng(2)
    now = random.normal(size=n)
    found = compared(random.normal(size=5000), np.where(random.random(n) < 0.6, np.nan, now))
    assert alarmed(found)
    assert found.why.startswith("missing: 0 % →")


def test_an_all_missing_window_is_a_drift() -> None:
    assert alarmed(compared(np.random.default_rng(3).normal(size=1000), [None] * 100))


def test_values_where_none_ever_was_are_a_drift() -> None:
    assert alarmed(compared([None] * 1000, [1.5] * 100))
    assert alarmed(compared([None] * 1000, ["a"] * 100))


def test_infinities_are_a_drift_and_have_their_own_cell() -> None:
    random = np.random.default_rng(4)
    now = random.normal(size=1000)
    now[:100] = -math.inf
    found = compared(random.normal(size=1000), now)
    assert alarmed(found)
    assert found.why.startswith("-infinity: 0 % → 10 %")


@pytest.mark.parametrize("n", [100, 2000])
def test_an_unseen_category_is_a_drift_even_among_many_rare_ones(n: int) -> None:
    random = np.random.default_rng(5)
    known = random.integers(0, 300, 900).astype(str)
    now = random.integers(0, 300, n).astype(str)
    now[: n // 5] = [f"new {k}" for k in range(n // 5)]
    found = compared(known, now)
    assert alarmed(found)


def test_ids_of_another_fleet_are_a_drift() -> None:
    random = np.random.default_rng(6)
    before = [f"N{tail}" for tail in random.integers(0, 300, 1500)]
    assert not alarmed(compared(before, [f"N{tail}" for tail in random.integers(0, 300, 400)]))
    found = compared(before, [f"D{tail}" for tail in random.integers(0, 300, 400)])
    assert alarmed(found)


@pytest.mark.parametrize("constant", [0.0, 7, True, "JFK"])
@pytest.mark.parametrize("n", [60, 1000])
def test_a_constant_that_varies_is_a_drift_and_one_that_does_not_is_none(constant: Any, n: int) -> None:
    other = {0.0: 1e-9, 7: 8, True: False, "JFK": "LGA"}[constant]
    same = compared([constant] * 1000, [constant] * n)
    assert (same.p, same.effect) == (1.0, 0.0)
    assert alarmed(compared([constant] * 1000, [constant] * (n - n // 5) + [other] * (n // 5)))


def test_a_constant_is_judged_by_the_exact_test() -> None:
    found = compared([7.0] * 300, [7.0] * 98 + [9.0, 8.0])
    assert found.p is not None and found.p >= fisher_exact([[300, 0], [98, 2]]).pvalue / 1.01


def test_times_are_compared_whichever_way_they_are_written() -> None:
    day = np.datetime64("2013-04-01T00:00", "s")
    before = day + np.random.default_rng(8).integers(0, 86_400, 1000)
    same = [f"{time}Z" for time in day + np.random.default_rng(9).integers(0, 86_400, 1000)]
    later = [f"{time}Z" for time in day + 86_400 + np.random.default_rng(9).integers(0, 86_400, 1000)]
    assert not alarmed(compared(before, same))
    found = compared(before, later)
    assert alarmed(found)
    assert ">= 2013-04-01T2" in found.why


def test_a_frequent_value_that_moves_a_little_is_a_drift() -> None:
    random = np.random.default_rng(15)
    before, now = (
        np.where(random.random(2000) < 0.5, 0, 1 + random.exponential(size=2000)) for _ in range(2)
    )
    assert not alarmed(compared(before, now))
    found = compared(before, np.where(now == 0, random.uniform(0.001, 0.01, 2000), now))
    assert alarmed(found)
    assert found.why.startswith(("0: ", "0 to "))


def test_a_large_window_may_show_a_change_too_small_to_matter() -> None:
    random = np.random.default_rng(10)
    found = compared(random.normal(size=20_000), random.normal(0.05, size=100_000))
    assert found.p is not None and found.p < 1e-4
    assert found.effect is not None and found.effect < LEAST_EFFECT


# -- what the numbers are ----------------------------------------------------------------------------


def test_it_agrees_with_scipy_on_categories() -> None:
    random = np.random.default_rng(11)
    before, now = random.integers(0, 4, 3000).astype(str), random.integers(0, 4, 900).astype(str)
    table = [np.unique(side, return_counts=True)[1] for side in (before, now)]
    assert compared(before, now).p == pytest.approx(chi2_contingency(table, correction=False).pvalue)


@pytest.mark.parametrize("shift", [0, 0.06, 0.2])
def test_it_agrees_with_scipy_on_numbers(shift: float) -> None:
    random = np.random.default_rng(12)
    before, now = random.normal(size=3000), random.normal(shift, size=900)
    edges = np.sort(before)[299:-1:300]
    table = [np.bincount(np.searchsorted(edges, side, side="right"), minlength=10) for side in (before, now)]
    contingency = chi2_contingency(table, correction=False).pvalue
    gap = ks_2samp(before, now, method="asymp").pvalue
    assert compared(before, now).p == pytest.approx(2 * min(contingency, gap))


def test_a_permutation_test_comes_near_the_large_sample_test() -> None:
    random = np.random.default_rng(13)
    before, now = (
        random.integers(0, 5, 490).astype(str),
        random.choice(list("01234"), 490, p=[0.24, *[0.19] * 4]),
    )
    table = [np.unique(side, return_counts=True)[1] for side in (before, now)]
    expected = chi2_contingency(table, correction=False).pvalue
    assert compared(before, now).p == pytest.approx(expected, rel=0.3)


def test_the_effect_of_equal_shares_is_what_theory_says_it_is() -> None:
    found = cells.Cells(["a", "b"], np.array([500_000, 500_000]), np.array([400_000, 600_000]))
    assert cells.effect(found) == pytest.approx(0.1 * math.log(1.5), rel=1e-3)


def test_the_effect_of_nothing_is_no_larger_in_small_windows() -> None:
    random = np.random.default_rng(14)
    effects = [compared(random.normal(size=5000), random.normal(size=200)).effect for _ in range(100)]
    assert np.mean([effect for effect in effects if effect is not None]) < 0.02


def test_too_few_rows_are_unsure_and_say_how_many_would_do() -> None:
    found = compared([1.0] * 100, [1.0] * 29)
    assert found == Comparison(None, None, "29 rows in the window; 30 would do")
    assert compared([1.0] * 29, [1.0] * 100).why == "29 rows in the reference; 30 would do"


# -- anything at all ---------------------------------------------------------------------------------

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 10**400, -(10**400)]),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
)
columns = st.one_of(
    *(
        st.lists(kind, max_size=60)
        for kind in (anything, st.floats(), st.integers(0, 3), st.text("ab", max_size=2))
    )
)


@given(columns, columns, st.integers(1, 3))
def test_no_columns_crash_it(before: list[Any], now: list[Any], times: int) -> None:
    found = compared(before * times, now * times)
    if found.p is None:
        assert found.effect is None and "would do" in found.why
    else:
        assert 0 <= found.p <= 1
        assert found.effect is not None and 0 <= found.effect < math.inf


@given(columns, columns, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(before: list[Any], now: list[Any], random: Any) -> None:
    first = compared(before * 2, now * 2)
    before, now = before * 2, now * 2
    random.shuffle(before)
    random.shuffle(now)
    assert compared(before, now) == first


@given(st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 1.0])), min_size=30, max_size=80))
def test_a_column_has_not_drifted_from_itself(column: list[Any]) -> None:
    found = compared(column, column)
    assert found.effect == 0
    assert found.p is not None and found.p > 0.05
