"""Which measure keeps a window from passing, and what moved most."""

from __future__ import annotations

import pytest

from drystone.ledger.facts import FeatureVerdict, Performance, Verdict
from drystone.monitoring.failures import decisive, drifted


def measured(metric: str, verdict: Verdict) -> Performance:
    return Performance(metric, verdict, 100, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ("pass", "pass", None),
        ("pass", "unsure", "auc@v2"),
        ("unsure", "fail", "auc@v2"),
        ("fail", "unsure", "auc"),
        ("unsure", "unsure", "auc"),
    ],
)
def test_of_the_headlines_the_failing_one_decides_then_the_unsure_one(
    first: Verdict, second: Verdict, named: str | None
) -> None:
    found = decisive(
        [
            measured("auc", first),
            measured("bias", "fail"),
            measured("auc@v2", second),
            measured("bias@v2", "fail"),
        ]
    )
    assert (found.metric if found else None) == named


def test_where_nothing_is_measured_nothing_decides() -> None:
    assert decisive([]) is None


def test_what_moved_most_comes_first_and_a_broken_contract_is_no_drift() -> None:
    features = [
        FeatureVerdict("a", "fail", 0.01, 0.03),
        FeatureVerdict("b", "fail", why="absent"),
        FeatureVerdict("c", "fail", 0.01, 2.0),
        FeatureVerdict("d", "pass", 0.5, 9.0),
    ]
    assert [one.feature for one in drifted(features)] == ["c", "a"]
