"""Measures are scikit-learn's, their intervals sound, and what cannot be measured says why."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from drystone.checks.intervals import Estimate
from drystone.checks.metrics import METRICS, Predictions, Unknown, difference, estimate
from drystone.core.errors import UsageError
from drystone.core.intervals import wilson


def sample(n: int = 400, seed: int = 1, *, groups: bool = False) -> Predictions:
    random = np.random.default_rng(seed)
    score = random.random(n)
    return Predictions(
        labels=random.random(n) < score,
        predicted=score > 0.4,
        score=score,
        groups=np.arange(n) % 50 if groups else None,
    )


EXPECTED = {
    "accuracy": lambda p: sk.accuracy_score(p.labels, p.predicted),
    "auc": lambda p: sk.roc_auc_score(p.labels, p.score),
    "brier": lambda p: sk.brier_score_loss(p.labels, p.score),
    "f1": lambda p: sk.f1_score(p.labels, p.predicted),
    "log_loss": lambda p: sk.log_loss(p.labels, p.score),
    "precision": lambda p: sk.precision_score(p.labels, p.predicted),
    "recall": lambda p: sk.recall_score(p.labels, p.predicted),
}


@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_measure_of_two_classes_is_scikit_learns_and_within_its_interval(name: str, groups: bool) -> None:
    predictions = sample(groups=groups)
    found = estimate(name, predictions)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(EXPECTED[name](predictions))
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("name", "expected"), [("mae", "mean_absolute_error"), ("rmse", "root_mean_squared_error")]
)
def test_a_measure_of_numbers_is_scikit_learns(name: str, expected: str) -> None:
    random = np.random.default_rng(2)
    labels = random.normal(size=300)
    predictions = Predictions(labels, labels + random.normal(size=300))
    found = estimate(name, predictions)
    assert found.value == pytest.approx(getattr(sk, expected)(labels, predictions.predicted))


def test_accuracy_takes_any_classes() -> None:
    labels = np.array(["a", "b", "c"] * 20)
    found = estimate("accuracy", Predictions(labels, np.array(["a"] * 60)))
    assert found == Estimate(1 / 3, *wilson(20, 60), 60)


def test_recall_rests_on_the_rows_that_are_true() -> None:
    predictions = sample()
    assert estimate("recall", predictions).n == predictions.labels.sum()


def test_a_calibrated_score_has_no_calibration_error_and_a_bent_one_has() -> None:
    random = np.random.default_rng(3)
    score = random.random(4000)
    labels = random.random(4000) < score
    straight, bent = (estimate("calibration_error", Predictions(labels, None, s)) for s in (score, score**3))
    assert isinstance(straight, Estimate)
    assert straight.low == 0
    assert straight.value < 0.02
    assert isinstance(bent, Estimate)
    # The gap at score s is s^(1/3) - s in terms of the bent score; its root mean square over s is known.
    truth = np.sqrt(np.mean((score - score**3) ** 2))
    assert bent.low < truth < bent.high


def test_the_interval_of_the_calibration_error_contains_the_truth() -> None:
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        score = random.random(1000)
        found = estimate("calibration_error", Predictions(random.random(1000) < 0.8 * score, None, score))
        assert isinstance(found, Estimate)
        hits += found.low <= np.sqrt(0.04 / 3) <= found.high
    assert hits >= 53


def test_a_difference_is_judged_on_the_same_rows() -> None:
    ours = sample(2000)
    random = np.random.default_rng(5)
    assert ours.score is not None
    theirs = ours._replace(score=np.clip(ours.score + 0.1 * random.normal(size=2000), 0.02, 0.98))
    for name in ("auc", "brier", "log_loss"):
        gap = difference(name, ours, theirs)
        assert isinstance(gap, Estimate)
        a, b = estimate(name, ours), estimate(name, theirs)
        assert isinstance(a, Estimate)
        assert gap.value == pytest.approx(a.value - (b.value or 0))
        assert gap.high - gap.low < a.high - a.low, "pairing must narrow the interval"
        assert (gap.low > 0) if METRICS[name].better == "higher" else (gap.high < 0)


@pytest.mark.parametrize("name", ["auc", "brier", "accuracy"])
def test_a_model_differs_from_itself_by_exactly_nothing(name: str) -> None:
    assert difference(name, sample(), sample())[:3] == (0, 0, 0)


def test_groups_widen_a_difference_of_auc() -> None:
    ours, theirs = sample(seed=1, groups=True), sample(seed=1, groups=True)
    theirs = theirs._replace(score=np.sqrt(theirs.score * np.random.default_rng(1).random(400)))
    assert isinstance(difference("auc", ours, theirs), Estimate)


ONE_CLASS = Predictions(np.zeros(200, bool), np.zeros(200, bool), np.linspace(0, 1, 200))


@pytest.mark.parametrize(
    ("name", "predictions", "why"),
    [
        ("auc", ONE_CLASS, "no label is true, of 200; both classes are needed, 10 rows of each"),
        ("auc", sample(12), "at least 10 of each class are needed"),
        ("recall", ONE_CLASS, "no label is true, of 200"),
        ("precision", ONE_CLASS, "the model never says true, in 200 rows"),
        ("f1", ONE_CLASS, "no label is true and the model never says true, in 200 rows"),
        ("brier", sample(7), "7 rows; at least 20 are needed"),
        ("brier", sample(0), "there are no rows"),
    ],
)
def test_what_cannot_be_measured_says_why(name: str, predictions: Predictions, why: str) -> None:
    found = estimate(name, predictions)
    assert isinstance(found, Unknown)
    assert why in found.why


def test_few_groups_of_many_rows_are_few() -> None:
    predictions = sample()._replace(groups=np.arange(400) % 7)
    assert estimate("brier", predictions) == Unknown(
        "7 groups; at least 20 are needed", 400, pytest.approx(sk.brier_score_loss(*sample()[::2][:2]))
    )


@pytest.mark.parametrize(
    ("name", "predictions", "message"),
    [
        ("aoc", sample(), "no metric named `aoc`"),
        ("auc", sample()._replace(labels=np.array(["a", "b"] * 200)), "needs labels of two classes"),
        ("auc", sample()._replace(score=None), "needs a score for each row"),
        ("recall", sample()._replace(predicted=None), "needs an answer for each row"),
        ("recall", sample()._replace(predicted=np.arange(400)), "needs answers of two classes"),
        ("brier", sample()._replace(score=np.arange(400.0)), "needs a probability"),
        ("mae", sample(), "needs numbers as labels"),
    ],
)
def test_a_measure_that_does_not_suit_is_an_error(name: str, predictions: Predictions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        estimate(name, predictions)


def test_a_misspelt_metric_is_corrected() -> None:
    with pytest.raises(UsageError) as caught:
        estimate("recal", sample())
    assert caught.value.hints[0] == "a metric with a similar name exists: `recall`"


def test_taking_rows_numbers_their_groups_anew() -> None:
    part = sample(groups=True).take(np.array([3, 53, 7]))
    assert part.units == 2
    assert part.groups is not None
    assert part.groups.tolist() == [0, 0, 1]
