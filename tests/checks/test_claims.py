"""The rule: pass where all of the interval satisfies a claim, fail where none does, unsure between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.checks.claims import Claim, ClaimLog, decide, found, holds, number, worst
from drystone.checks.intervals import Estimate
from drystone.checks.measures import Measure, SlicedMeasure, judge, judge_slices
from drystone.checks.metrics import Unknown

OPERATORS = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
}
ENDS = st.integers(-5, 5).map(float)


@given(st.tuples(ENDS, ENDS).map(sorted), st.sampled_from(sorted(OPERATORS)), ENDS)
def test_the_verdict_follows_from_the_ends_of_the_interval(
    ends: list[float], operator: str, bound: float
) -> None:
    satisfied = [OPERATORS[operator](end, bound) for end in ends]
    expected = "pass" if all(satisfied) else "unsure" if any(satisfied) else "fail"
    assert decide((ends[0], ends[1]), operator, bound) == expected


@given(ENDS, st.sampled_from(sorted(OPERATORS)), ENDS)
def test_what_is_known_exactly_is_never_unsure(value: float, operator: str, bound: float) -> None:
    assert holds(value, operator, bound) == OPERATORS[operator](value, bound)


def test_the_worst_verdict_counts() -> None:
    assert worst(["pass", "unsure", "fail"]) == "fail"
    assert worst(["pass", "unsure"]) == "unsure"
    assert worst([]) == "pass"


def logged() -> tuple[ClaimLog, object]:
    log = ClaimLog()
    return log, lambda name, verdict, **rest: log.add(Claim(name, "b3:x", "model:m", verdict, **rest))


def test_a_comparison_records_a_claim_with_the_place_it_stands_at() -> None:
    log, record = logged()
    judgement = Measure("auc", Estimate(0.8, 0.75, 0.85, 500), record) >= 0.7
    assert judgement
    (claim,) = log.claims
    assert (claim.verdict, claim.value, claim.interval, claim.n) == ("pass", 0.8, (0.75, 0.85), 500)
    assert claim.threshold == ">= 0.7"
    assert claim.at.rpartition(":")[0] == __file__


def test_only_a_failed_claim_is_false_and_it_explains_itself() -> None:
    _, record = logged()
    assert Measure("brier", Estimate(0.8, 0.75, 0.85, 500), record) < 0.82, "unsure is not false"
    judgement = Measure("auc", Estimate(0.8, 0.75, 0.85, 500), record) > 0.9
    assert not judgement
    assert repr(judgement) == "auc 0.8 [0.75, 0.85] n=500, required > 0.9: fail"


def test_both_ends_can_be_claimed_at_once() -> None:
    log, record = logged()
    assert 0.7 <= Measure("auc", Estimate(0.8, 0.75, 0.85, 500), record) <= 0.9
    assert [claim.threshold for claim in log.claims] == [">= 0.7", "<= 0.9"]
    assert [claim.name for claim in log.claims] == ["auc", "auc #2"], "each claim has a name of its own"


def test_unsure_says_how_many_rows_would_tell() -> None:
    verdict, why = judge(Estimate(0.8, 0.7, 0.9, 100), ">=", 0.75)
    assert verdict == "unsure"
    assert why == (
        "the value satisfies the claim, its interval contains 0.75; about 400 rows would tell, there are 100"
    )
    assert "violates" in judge(Estimate(0.7, 0.6, 0.8, 100), ">=", 0.75)[1]
    assert judge(Estimate(0.7, 0.6, 0.8, 100), ">=", 0.7)[1].startswith("the value is the threshold itself")


def test_a_measure_without_an_interval_is_unsure_with_its_reason() -> None:
    assert judge(Unknown("no label is true", 9), ">=", 0.5) == ("unsure", "no label is true")


def slices(*lows: float) -> dict[str, Estimate]:
    return {f"s{i}": Estimate(low + 0.05, low, low + 0.1, 200) for i, low in enumerate(lows)}


def test_a_slice_that_may_have_failed_by_chance_among_many_is_unsure() -> None:
    almost = {"bad": Estimate(0.59, 0.5, 0.695, 200)}
    (alone,) = judge_slices(almost, ">=", 0.7)
    assert alone.verdict == "fail"
    among = judge_slices({**almost, **slices(*[0.75] * 30)}, ">=", 0.7)
    assert (among[0].name, among[0].verdict) == ("bad", "unsure")
    assert "among 31 slices" in among[0].why
    assert {part.verdict for part in among[1:]} == {"pass"}


def test_a_slice_that_clearly_fails_fails_among_many() -> None:
    assert judge_slices(slices(0.2, *[0.75] * 30), ">=", 0.7)[0].verdict == "fail"


def test_slices_pass_only_together_and_the_worst_is_shown() -> None:
    log, record = logged()
    SlicedMeasure("auc by x", slices(0.75, 0.8), {"tiny": 3}, 100, record) >= 0.7  # noqa: B015
    SlicedMeasure("auc by y", slices(0.75, 0.66), {}, 100, record) >= 0.7  # noqa: B015
    SlicedMeasure("auc by z", {}, {"tiny": 3}, 100, record) >= 0.7  # noqa: B015
    good, doubtful, empty = log.claims
    assert (good.verdict, good.value) == ("pass", pytest.approx(0.8))
    assert good.why == "of 2 slices 2 pass; the worst is `s0`; left out with fewer than 100 rows: tiny 3"
    assert doubtful.verdict == "unsure"
    assert "1 unsure (s1 200)" in doubtful.why
    assert empty.verdict == "unsure"
    assert "there is no slice" in empty.why


def test_fewer_is_worse_for_an_upper_bound() -> None:
    log, record = logged()
    SlicedMeasure("brier by x", slices(0.1, 0.3), {}, 100, record) <= 0.5  # noqa: B015
    assert log.claims[0].value == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12346, "0.1235"), (1234567.0, "1,234,567"), (3.0, "3"), (float("nan"), "nan"), (1e-7, "1e-07")],
)
def test_numbers_for_people(value: float, text: str) -> None:
    assert number(value) == text


def test_what_was_found_in_words() -> None:
    assert found(0.741, (0.733, 0.749), 12_000) == "0.741 [0.733, 0.749] n=12,000"
    assert found(2000, None, 2000) == "2,000"
    assert found(None, None, None) == ""
