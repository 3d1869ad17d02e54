"""Measures agree with scikit-learn, intervals cover the truth, verdicts follow the intervals."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from drystone.core.intervals import wilson
from drystone.monitoring import performance
from drystone.monitoring.outcomes import Outcomes
from drystone.monitoring.performance import Reference, judge


def binary(n: int, *, signal: float = 1.0, seed: int = 0, rate: float = 0.0, tilt: float = 0.0) -> Outcomes:
    """Labels drawn with the probabilities that a perfect model gives, made worse or biased."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    truth = random.random(n) < 1 / (1 + np.exp(-(signal * x + rate)))
    score = 1 / (1 + np.exp(-(x + rate + tilt)))
    return Outcomes("binary", truth, score > 0.5, score)


def numbers(n: int, noise: float, seed: int = 0) -> Outcomes:
    random = np.random.default_rng(seed)
    truth = random.normal(size=n)
    return Outcomes("number", truth, None, truth + noise * random.normal(size=n))


def test_every_measure_is_scikit_learns() -> None:
    one = binary(500)
    found = {measure.metric: measure.value for measure in judge(one, 500, None)}
    assert one.score is not None
    assert found == {
        "auc": pytest.approx(metrics.roc_auc_score(one.label, one.score)),
        "accuracy": pytest.approx(metrics.accuracy_score(one.label, one.predicted)),
        "brier": pytest.approx(metrics.brier_score_loss(one.label, one.score)),
        "log_loss": pytest.approx(metrics.log_loss(one.label, one.score)),
        "bias": pytest.approx(one.score.mean() - one.label.mean()),
    }
    other = numbers(500, 0.3)
    found = {measure.metric: measure.value for measure in judge(other, 500, None)}
    assert found == {
        "mae": pytest.approx(metrics.mean_absolute_error(other.label, other.score)),
        "rmse": pytest.approx(metrics.root_mean_squared_error(other.label, other.score)),
    }


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=40, max_size=80))
def test_the_area_counts_pairs_with_ties_as_half(rows: list[tuple[bool, int]]) -> None:
    label = np.array([truth for truth, _ in rows])
    score = np.array([value for _, value in rows], dtype=float)
    found = performance.auc(Outcomes("binary", label, None, score))
    pairs = score[label][:, None] - score[~label][None, :]
    if min(label.sum(), (~label).sum()) < 10:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
        assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("metric", ["auc", "accuracy", "brier", "log_loss", "bias"])
def test_95_of_100_intervals_hold_the_truth(metric: str) -> None:
    measure = next(one for one in performance.BINARY if one.name == metric)
    whole = measure.estimate(binary(400_000, seed=1))
    assert whole is not None
    held = 0
    for seed in range(300):
        found = measure.estimate(binary(200, seed=seed))
        assert found is not None
        held += found.low <= whole.value <= found.high
    assert 0.91 <= held / 300 <= 0.99


@pytest.mark.parametrize("sign", [1, -1])
def test_perfect_separation_is_not_certainty(sign: int) -> None:
    label = np.arange(40) < 20
    found = performance.auc(Outcomes("binary", label, None, sign * np.where(label, 1.0, 0.0)))
    assert found is not None
    assert (found.low, found.high) == (wilson(20, 20) if sign > 0 else wilson(0, 20))


REFERENCE = Reference.of(binary(30_000, seed=2))


def test_decay_fails_and_the_headline_comes_first() -> None:
    found = judge(binary(3000, signal=0.3, seed=3), 6000, REFERENCE)
    assert (found[0].metric, found[0].verdict, found[0].coverage) == ("auc", "fail", 0.5)
    assert "worse than the reference" in found[0].why


def test_the_same_quality_passes() -> None:
    assert {one.verdict for one in judge(binary(20_000, seed=4), 20_000, REFERENCE)} == {"pass"}


def test_an_improvement_never_fails() -> None:
    assert {one.verdict for one in judge(binary(5000, signal=3, seed=5), 5000, REFERENCE)[:4]} == {"pass"}


def test_a_calibration_error_fails_bias_and_not_the_ranking() -> None:
    found = {one.metric: one.verdict for one in judge(binary(20_000, tilt=0.6, seed=6), 20_000, REFERENCE)}
    assert (found["auc"], found["bias"]) == ("pass", "fail")


def test_a_bias_that_went_away_is_no_failure() -> None:
    biased = binary(5000, tilt=0.6, seed=7)
    assert judge(binary(5000, seed=8), 5000, Reference.of(biased))[-1].verdict == "pass"


def test_noise_within_the_margin_seldom_fails() -> None:
    failures = sum(judge(binary(400, seed=seed), 400, REFERENCE)[0].verdict == "fail" for seed in range(200))
    assert failures <= 6


def answers(n: int, share: float, seed: int) -> Outcomes:
    """Answers of three classes of which this share is right."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 3, n)
    return Outcomes("classes", label, np.where(random.random(n) < share, label, (label + 1) % 3), None)


@pytest.mark.parametrize("n", [200, 1500, 8000])
@pytest.mark.parametrize(
    ("loss", "seldom"), [(0.0, {"fail"}), (0.02, {"fail", "pass"}), (0.05, {"pass"})], ids=str
)
def test_whatever_the_size_a_pass_or_a_fail_is_seldom_wrong(n: int, loss: float, seldom: set[str]) -> None:
    """The margin of accuracy is 0.02; every time both samples are drawn anew."""
    found = [
        judge(answers(n, 0.8 - loss, 2 * seed), n, Reference.of(answers(4000, 0.8, 2 * seed + 1)))[0].verdict
        for seed in range(400)
    ]
    assert all(found.count(word) <= 0.05 * 400 for word in seldom), Counter(found)
    if n == 8000 and loss != 0.02:
        assert found.count("fail" if loss else "pass") > 200, Counter(found)


def right(share: int, of: int, *, times: int = 1) -> Outcomes:
    """Answers of which exactly so many are right."""
    label = np.zeros(of * times, dtype=np.int64)
    return Outcomes("classes", label, np.arange(of * times) % of >= share, None)


def test_a_loss_that_may_or_may_not_be_beyond_the_margin_is_unsure() -> None:
    reference = Reference.of(right(800, 1000, times=40))
    found = [judge(right(770, 1000, times=times), 0, reference)[0] for times in (4, 7, 8)]
    assert [one.verdict for one in found] == ["unsure", "unsure", "fail"]
    assert found[0].why == "accuracy is 0.017 to 0.044 worse, 0.020 is allowed; about 7,800 labels would do"


def test_a_reference_of_few_labels_is_what_needs_more() -> None:
    found = judge(right(785, 1000, times=200), 0, Reference.of(right(800, 1000)))[0]
    assert found.verdict == "unsure"
    what = found.why.split("; ")[1]
    needed = int(what.removeprefix("about ").split(" ")[0].replace(",", ""))
    assert what == f"about {needed:,} labels in the reference sample would do, it has 1,000"
    for share, verdict in ((1.2, "pass"), (0.8, "unsure")):
        reference = Reference.of(right(800, 1000, times=round(share * needed / 1000)))
        assert judge(right(785, 1000, times=200), 0, reference)[0].verdict == verdict


def test_a_loss_near_the_margin_takes_more_of_both() -> None:
    found = judge(right(785, 1000), 0, Reference.of(right(800, 1000, times=4)))[0]
    assert found.verdict == "unsure"
    words = found.why.split("; ")[1].split(" ")
    here, there = int(words[1].replace(",", "")), int(words[7].replace(",", ""))
    assert (
        " ".join(words)
        == f"about {here:,} labels in the window and {there:,} in the reference sample would do"
    )
    enough = judge(right(785, 1000, times=here // 900), 0, Reference.of(right(800, 1000, times=there // 900)))
    assert enough[0].verdict == "pass"
    less = judge(right(785, 1000, times=here // 1500), 0, Reference.of(right(800, 1000, times=there // 1500)))
    assert less[0].verdict == "unsure"


def test_few_labels_and_a_small_reference_say_what_both_take() -> None:
    small = Reference.of(binary(300, seed=14))
    found = judge(binary(10, seed=15), 10, small)[0]
    assert found.verdict == "unsure"
    assert (
        found.why.startswith("10 labels so far; about ") and " in the reference sample would do" in found.why
    )


def test_a_loss_at_the_margin_is_beyond_any_number_of_labels() -> None:
    found = judge(right(780, 1000), 0, Reference.of(right(800, 1000, times=4)))[0]
    assert found.verdict == "unsure"
    assert found.why.endswith("; the loss is just what is allowed: no number of labels would tell")


@pytest.mark.parametrize("n", [0, 5, 29])
def test_few_labels_are_unsure_and_say_how_many_would_do(n: int) -> None:
    found = judge(binary(n, seed=9), 1000, REFERENCE)[0]
    assert found.verdict == "unsure"
    assert found.why.startswith(f"{n} labels so far; about ")


def test_the_number_of_labels_that_would_do_would_do() -> None:
    found = judge(binary(20, seed=10), 1000, REFERENCE)[0]
    assert found.verdict == "unsure"
    needed = int(found.why.split("about ")[1].split(" ")[0].replace(",", ""))
    verdicts = Counter(judge(binary(2 * needed, seed=seed), 9000, REFERENCE)[0].verdict for seed in range(40))
    assert verdicts["pass"] > 28 and not verdicts["fail"]
    verdicts = Counter(
        judge(binary(needed // 4, seed=seed), 9000, REFERENCE)[0].verdict for seed in range(40)
    )
    assert verdicts["unsure"] > 28 and not verdicts["fail"]


def test_one_class_only_has_no_area() -> None:
    one = binary(200, seed=12)
    negative = one._replace(label=np.zeros(200, dtype=bool))
    found = judge(negative, 200, REFERENCE)[0]
    assert (found.verdict, found.value) == ("unsure", None)
    assert found.why.startswith("0 positive labels so far; about ")


def test_without_reference_labels_there_is_a_value_and_no_verdict() -> None:
    found = judge(binary(2000, seed=13), 2000, None)
    assert {one.verdict for one in found} == {"unsure"}
    assert all(one.value is not None and one.reference is None for one in found)


def test_a_regressor_is_judged_by_its_mean_error() -> None:
    reference = Reference.of(numbers(3000, 0.3))
    assert [one.verdict for one in judge(numbers(3000, 0.3, 1), 3000, reference)] == ["pass", "pass"]
    assert [one.verdict for one in judge(numbers(3000, 0.5, 1), 3000, reference)] == ["fail", "fail"]


def test_classes_are_judged_by_accuracy() -> None:
    codes = np.arange(900) % 3
    good = Outcomes("classes", codes, codes, None)
    reference = Reference.of(good)
    bad = good._replace(predicted=np.where(np.arange(900) % 2, codes, 0))
    assert [(one.metric, one.verdict) for one in judge(bad, 900, reference)] == [("accuracy", "fail")]
    assert [(one.metric, one.verdict) for one in judge(good, 900, reference)] == [("accuracy", "pass")]


@given(st.integers(1, 10**9))
def test_rounded_numbers_are_two_digits_and_never_less(rows: int) -> None:
    found = performance.round_up(rows)
    assert rows <= found <= rows * 1.1 + 1
    assert found / 10 ** max(0, int(math.log10(found)) - 1) == found // 10 ** max(
        0, int(math.log10(found)) - 1
    )
