"""Verdicts of features and windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import false_discovery_control

from drystone.ledger.facts import Performance, Verdict
from drystone.monitoring import decision
from drystone.monitoring.columns import sample
from drystone.monitoring.two_sample import Comparison, compare


def quality(verdict: Verdict) -> Performance:
    return Performance("auc", verdict, 100, 1.0, why=f"because {verdict}")


def test_p_values_are_adjusted_over_the_features_of_the_window() -> None:
    p = [0.001, 0.02, 0.04, 0.5]
    found = decision.drift({f"x{k}": Comparison(value, 0.1) for k, value in enumerate(p)})
    assert [one.p for one in found] == pytest.approx(false_discovery_control(p))
    assert [one.verdict for one in found] == ["fail", "fail", "pass", "pass"]


def test_a_small_effect_is_no_drift_and_says_so() -> None:
    (found,) = decision.drift({"x": Comparison(1e-9, 0.019, "a: 1 % → 2 %")})
    assert found.verdict == "pass"
    assert found.why == "a: 1 % → 2 %; a change, but smaller than 0.02"


def test_an_unsure_feature_does_not_count_among_the_judged() -> None:
    judged, unsure = decision.drift({"x": Comparison(0.04, 1.0), "y": Comparison(None, None, "3 rows")})
    assert (judged.verdict, judged.p) == ("fail", 0.04)
    assert (unsure.verdict, unsure.p, unsure.effect, unsure.why) == ("unsure", None, None, "3 rows")


def test_no_features_are_no_verdicts() -> None:
    assert decision.drift({}) == ()


@pytest.mark.parametrize("n", [100, 1000])
def test_a_window_of_twenty_unchanged_features_alarms_at_most_once_in_twenty(n: int) -> None:
    random = np.random.default_rng(n)
    alarms = 0
    for _ in range(20):
        samples = [
            (
                sample([pa.array(random.normal(size=2000))], None),
                sample([pa.array(random.normal(size=n))], None),
            )
            for _ in range(20)
        ]
        found = decision.drift({str(k): compare(*pair) for k, pair in enumerate(samples)})
        alarms += any(one.verdict == "fail" for one in found)
    assert alarms <= 4  # more happens to a right rule in 1 of 400 such simulations


DRIFTED = decision.drift({"x": Comparison(1e-9, 1.0)})
STEADY = decision.drift({"x": Comparison(0.5, 0.0)})
UNSURE = decision.drift({"x": Comparison(None, None, "3 rows")})
BROKEN = (decision.broken("x", "text"),)


@pytest.mark.parametrize(
    ("features", "headlines", "verdict"),
    [
        (STEADY, [], "pass"),
        (STEADY, ["pass"], "pass"),
        (STEADY, ["unsure"], "unsure"),
        (STEADY, ["fail"], "fail"),
        (DRIFTED, [], "unsure"),
        (DRIFTED, ["pass"], "pass"),
        (DRIFTED, ["unsure"], "unsure"),
        (DRIFTED, ["fail"], "fail"),
        (UNSURE, [], "unsure"),
        (UNSURE, ["pass"], "pass"),
        (BROKEN, ["pass"], "fail"),
        ((), [], "unsure"),
        (STEADY, ["pass", "unsure"], "unsure"),
        (STEADY, ["pass", "fail"], "fail"),
    ],
)
def test_performance_decides_drift_is_a_clue_and_a_broken_contract_fails(
    features: tuple[decision.FeatureVerdict, ...], headlines: list[Verdict], verdict: Verdict
) -> None:
    found, why = decision.window(features, [quality(word) for word in headlines])
    assert found == verdict
    assert bool(why) == (verdict != "pass")
