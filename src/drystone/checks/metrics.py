"""Quality measures of predictions, each with a 95 % interval, alone or as a paired difference.

Every measure but `auc` is a function of column sums of per-row statistics, so that one bootstrap
serves all of them. Definitions agree with scikit-learn's; the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from drystone.checks.intervals import (
    MAX_UNITS,
    MIN_UNITS,
    Estimate,
    percentile_interval,
    resampled_areas,
    resampled_sums,
)
from drystone.core.errors import UsageError
from drystone.core.intervals import Array, Z, auc_interval, delong, wilson
from drystone.core.suggest import similar

#: With fewer rows of either class DeLong's variance is too rough to judge by.
MIN_CLASS = 10
_BINS = 10
_TINY = 1e-15


class Predictions(NamedTuple):
    """What a model said about rows whose answer is known.

    Attributes:
        labels: (n,) the answers; bool where there are two classes, else whatever they are.
        predicted: (n,) the model's answers, None if it gives only a score.
        score: (n,) float, the probability (or any growing function of it) of True, None if none is given.
        groups: (n,) codes of groups of dependent rows, None if all rows are independent.
    """

    labels: Array
    predicted: Array | None = None
    score: Array | None = None
    groups: Array | None = None

    def take(self, rows: Array) -> Predictions:
        """These rows alone; the groups that are left are numbered anew."""
        parts = [None if part is None else part[rows] for part in self[:3]]
        groups = None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]
        labels, predicted, score = parts
        assert labels is not None
        return Predictions(labels, predicted, score, groups)

    @property
    def units(self) -> int:
        """How many independent units there are."""
        return len(self.labels) if self.groups is None else int(self.groups.max(initial=-1)) + 1


class Unknown(NamedTuple):
    """Why there is no interval; `value` where the statistic itself is defined."""

    why: str
    n: int
    value: float | None = None


class Metric(NamedTuple):
    """A measure.

    Attributes:
        needs: what it compares with the labels.
        better: which direction is an improvement.
        binary: whether labels must be of two classes.
        rows: (n, k) statistics of each row, None for `auc`, which has none.
        value: from (..., k) sums of them to (...,) values; `replicate` marks bootstrap replicates.
        proportion: whether it is the first sum divided by the second, a count of a count.
    """

    needs: Literal["score", "predicted"]
    better: Literal["higher", "lower"]
    binary: bool
    rows: Callable[[Array, Array], Array] | None
    value: Callable[[Array, bool], Array]
    proportion: bool = False


def _ratio(sums: Array, _replicate: bool) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _root_ratio(sums: Array, replicate: bool) -> Array:
    return np.sqrt(_ratio(sums, replicate))


def _mean_of(loss: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda labels, given: np.stack([loss(labels, given), np.ones(len(labels))], axis=1)


def _log_loss(labels: Array, score: Array) -> Array:
    clipped = np.clip(score, _TINY, 1 - _TINY)
    return np.asarray(-np.log(np.where(labels, clipped, 1 - clipped)))


def _recall(labels: Array, predicted: Array) -> Array:
    return np.stack([labels & predicted, labels], axis=1).astype(np.float64)


def _precision(labels: Array, predicted: Array) -> Array:
    return np.stack([labels & predicted, predicted], axis=1).astype(np.float64)


def _f1(labels: Array, predicted: Array) -> Array:
    return np.stack([2.0 * (labels & predicted), 1.0 * labels + predicted], axis=1)


def _calibration_rows(labels: Array, score: Array) -> Array:
    """Count, sum of scores and sum of labels in ten bins with equally many rows."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(score) else score
    code = np.searchsorted(edges, score, side="right")
    member = (code[:, None] == np.arange(_BINS)).astype(np.float64)
    return np.hstack([member, member * score[:, None], member * labels[:, None]])


def _calibration(sums: Array, replicate: bool) -> Array:
    """Root of the mean squared gap between score and share of True over the bins, without the part
    that chance alone gives (Kumar, Liang & Ma 2019, the debiased estimator). In a bootstrap
    replicate chance has struck twice, so its part is taken off twice.
    """
    count, score, true = np.split(sums, 3, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = true / count
        chance = np.where(count > 1, share * (1 - share) / (count - 1), 0.0)
        gaps = np.where(count > 0, (score / count - share) ** 2 - (2 if replicate else 1) * chance, 0.0)
        squared = (gaps * count).sum(axis=-1) / count.sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "predicted", "higher", False, _mean_of(lambda y, p: (y == p).astype(np.float64)), _ratio, True
    ),
    "auc": Metric("score", "higher", True, None, _ratio),
    "brier": Metric("score", "lower", True, _mean_of(lambda y, p: (p - y) ** 2), _ratio),
    "calibration_error": Metric("score", "lower", True, _calibration_rows, _calibration),
    "f1": Metric("predicted", "higher", True, _f1, _ratio),
    "log_loss": Metric("score", "lower", True, _mean_of(_log_loss), _ratio),
    "mae": Metric("predicted", "lower", False, _mean_of(lambda y, p: np.abs(y - p)), _ratio),
    "precision": Metric("predicted", "higher", True, _precision, _ratio, True),
    "recall": Metric("predicted", "higher", True, _recall, _ratio, True),
    "rmse": Metric("predicted", "lower", False, _mean_of(lambda y, p: (y - p) ** 2), _root_ratio),
}
_NUMERIC = ("mae", "rmse")
_PROBABILITY = ("brier", "calibration_error", "log_loss")


def find(name: str) -> Metric:
    """The measure of that name.

    Raises:
        UsageError: there is none; similar names are given.
    """
    if name in METRICS:
        return METRICS[name]
    raise UsageError(
        f"no metric named `{name}`",
        hints=[
            *(f"a metric with a similar name exists: `{near}`" for near in similar(name, METRICS)),
            f"metrics are {', '.join(f'`{known}`' for known in METRICS)}",
        ],
    )


def estimate(name: str, predictions: Predictions) -> Estimate | Unknown:
    """A measure with its interval, or why there is none.

    Proportions have Wilson's interval, `auc` DeLong's, everything else, and everything where rows
    come in groups, a bootstrap interval.

    Raises:
        UsageError: no such metric, or the model or the labels are not of the kind it needs.
    """
    metric = find(name)
    given = _given(name, metric, predictions)
    if not len(given):
        return Unknown("there are no rows", 0)
    if metric.rows is None:
        return _area(predictions, given)
    rows = metric.rows(predictions.labels, given)
    value = float(metric.value(rows.sum(axis=0), False))
    if np.isnan(value):
        return Unknown(_undefined(name, predictions), len(rows))
    if metric.proportion and predictions.groups is None:
        counted, trials = rows.sum(axis=0)
        return Estimate(value, *wilson(counted, trials), int(trials))
    if few := _too_few(predictions):
        return Unknown(few, len(rows), value)
    replicates = metric.value(resampled_sums(rows, predictions.groups), True)
    return _around(value, replicates, predictions)


def difference(name: str, ours: Predictions, theirs: Predictions) -> Estimate | Unknown:
    """Our measure less theirs, on the same rows in the same order, with the interval of the pair.

    `auc` by DeLong's covariance, everything else by drawing the same rows for both.

    Raises:
        UsageError: as `estimate`.
    """
    metric = find(name)
    given, other = _given(name, metric, ours), _given(name, metric, theirs)
    if not len(given):
        return Unknown("there are no rows", 0)
    if few := _too_few(ours):
        return Unknown(few, len(given))
    if metric.rows is None:
        if few := _too_few_of_a_class(ours):
            return Unknown(few, len(given))
        areas, covariance = delong(ours.labels, np.stack([given, other]))
        value = float(areas[0] - areas[1])
        if ours.groups is not None:
            replicates = resampled_areas(ours.labels, given, ours.groups) - resampled_areas(
                ours.labels, other, ours.groups
            )
            return _around(value, replicates, ours)
        half = Z * float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
        return Estimate(value, value - half, value + half, len(given))
    first, second = metric.rows(ours.labels, given), metric.rows(theirs.labels, other)
    value = float(metric.value(first.sum(axis=0), False) - metric.value(second.sum(axis=0), False))
    if np.isnan(value):
        return Unknown(_undefined(name, ours), len(given))
    sums = resampled_sums(np.hstack([first, second]), ours.groups)
    width = first.shape[1]
    replicates = metric.value(sums[:, :width], True) - metric.value(sums[:, width:], True)
    return _around(value, replicates, ours)


def _area(predictions: Predictions, score: Array) -> Estimate | Unknown:
    if few := _too_few_of_a_class(predictions):
        return Unknown(few, len(score))
    labels = predictions.labels
    areas, covariance = delong(labels, score[None])
    value, positive = float(areas[0]), int(labels.sum())
    if predictions.groups is None:
        ends = auc_interval(value, float(covariance[0, 0]), positive, len(labels) - positive)
        return Estimate(value, *ends, len(labels))
    if few := _too_few(predictions):
        return Unknown(few, len(labels), value)
    return _around(value, resampled_areas(labels, score, predictions.groups), predictions)


def _around(value: float, replicates: Array, predictions: Predictions) -> Estimate | Unknown:
    n, units = len(predictions.labels), predictions.units
    ends = percentile_interval(replicates, units if predictions.groups is not None else min(units, MAX_UNITS))
    if ends is None:
        return Unknown("the measure is not defined in too many of the bootstrap's samples", n, value)
    # A bootstrap interval need not contain the estimate; one that does not would judge it by itself.
    return Estimate(value, min(ends[0], value), max(ends[1], value), n)


def _given(name: str, metric: Metric, predictions: Predictions) -> Array:
    labels = predictions.labels
    if metric.binary and labels.dtype != np.bool_:
        raise UsageError(
            f"`{name}` needs labels of two classes, as true and false or 1 and 0",
            because=f"the labels are {_described(labels)}",
        )
    if name in _NUMERIC and not np.issubdtype(labels.dtype, np.number):
        raise UsageError(f"`{name}` needs numbers as labels", because=f"they are {_described(labels)}")
    given = predictions.score if metric.needs == "score" else predictions.predicted
    if given is None:
        wanted = "a score for each row" if metric.needs == "score" else "an answer for each row"
        raise UsageError(
            f"`{name}` needs {wanted}, and this model gives none",
            hints=[
                f"name the output column that is one, as in `model.on(data, label=..., {metric.needs}=...)`"
            ],
        )
    if metric.binary and metric.needs == "predicted" and given.dtype != np.bool_:
        raise UsageError(f"`{name}` needs answers of two classes", because=f"they are {_described(given)}")
    if name in _PROBABILITY and len(given) and not (given.min() >= 0 and given.max() <= 1):
        raise UsageError(
            f"`{name}` needs a probability as score",
            because=f"it runs from {given.min():.4g} to {given.max():.4g}",
        )
    return given


def _described(labels: Array) -> str:
    distinct = np.unique(labels[:10_000].astype(str))
    return f"of type {labels.dtype}, such as {', '.join(f'`{value}`' for value in distinct[:3])}"


def _too_few(predictions: Predictions) -> str | None:
    units = predictions.units
    if units >= MIN_UNITS:
        return None
    return f"{units} {'rows' if predictions.groups is None else 'groups'}; at least {MIN_UNITS} are needed"


def _too_few_of_a_class(predictions: Predictions) -> str | None:
    labels = predictions.labels
    positive = int(labels.sum())
    for count, word in ((positive, "true"), (len(labels) - positive, "false")):
        if count == 0:
            return f"no label is {word}, of {len(labels)}; both classes are needed, {MIN_CLASS} rows of each"
        if count < MIN_CLASS:
            return (
                f"{count} labels are {word}, of {len(labels)}; at least {MIN_CLASS} of each class are needed"
            )
    return None


def _undefined(name: str, predictions: Predictions) -> str:
    n = len(predictions.labels)
    if name == "recall":
        return f"no label is true, of {n}"
    if name == "precision":
        return f"the model never says true, in {n} rows"
    return f"no label is true and the model never says true, in {n} rows"
