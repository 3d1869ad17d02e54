"""How well predictions met the labels that came, each measure with a 95 % interval and a verdict.

What is judged is the loss, that is how much worse a measure is than on the model's reference sample.
Both samples err, so their errors are joined (MOVER, Zou and Donner 2008: each end of the interval of a
difference from the distances of values to the ends of their intervals, in quadrature). A measure fails
where the whole interval of the loss is beyond a margin, passes where the whole interval is within it,
and is `unsure` between. Rows are held to be independent.

Margins are conventions: 0.02 of AUC, accuracy and bias; a tenth of the reference for Brier score, log
loss, MAE and RMSE. The headline alone decides about a window: the other measures also move when the
share of positives does, with a model that is as good as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self

import numpy as np

from drystone.core.intervals import Z, auc_interval, delong, wilson
from drystone.ledger.facts import Performance, Verdict
from drystone.monitoring.columns import Array
from drystone.monitoring.outcomes import Outcomes

#: Fewer labels than this, or of either class, are not judged.
ENOUGH, ENOUGH_OF_CLASS = 30, 10
_TINY = 1e-15
#: So many times the labels there are, nobody will ever have.
_HOPELESS = 1e4


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


class Measure(NamedTuple):
    """One measure of quality.

    Attributes:
        name: as it is recorded.
        better: which way is better; `zero` is as near to 0 as possible.
        margin: how much worse than the reference is still the same.
        relative: whether the margin is a share of the reference.
        estimate: computes it.
    """

    name: str
    better: Literal["up", "down", "zero"]
    margin: float
    relative: bool
    estimate: Callable[[Outcomes], Estimate | None]


class Loss(NamedTuple):
    """How much worse a measure is than on the reference; errors are those of (window, reference).

    Attributes:
        value: the loss; below 0 it is a gain.
        less: errors by which it may be less.
        more: errors by which it may be more.
    """

    value: float
    less: tuple[float, float]
    more: tuple[float, float]

    @property
    def low(self) -> float:
        """The lower end of its 95 % interval."""
        return self.value - math.hypot(*self.less)

    @property
    def high(self) -> float:
        """The upper end."""
        return self.value + math.hypot(*self.more)


class Reference(NamedTuple):
    """What the model's own reference sample gives, measured once.

    Attributes:
        outcomes: its rows.
        estimates: by measure; None where it is not defined.
    """

    outcomes: Outcomes
    estimates: Mapping[str, Estimate | None]

    @classmethod
    def of(cls, outcomes: Outcomes) -> Self:
        """Measure a reference sample."""
        return cls(outcomes, {one.name: one.estimate(outcomes) for one in _measures(outcomes)})


def judge(now: Outcomes, rows: int, reference: Reference | None) -> tuple[Performance, ...]:
    """All measures of a window, the headline first: AUC, without scores accuracy, of numbers MAE.

    Args:
        now: the predictions of the window that have labels.
        rows: all predictions of the window.
        reference: the model's reference sample, None where it has no labels.
    """
    return tuple(_judge(measure, now, rows, reference) for measure in _measures(now))


def _measures(outcomes: Outcomes) -> tuple[Measure, ...]:
    if outcomes.task == "number":
        return NUMBER
    needs_score = outcomes.score is not None
    needs_answer = outcomes.predicted is not None
    return tuple(
        measure
        for measure in BINARY
        if (needs_answer if measure.name == "accuracy" else needs_score and outcomes.task == "binary")
    )


def _judge(measure: Measure, now: Outcomes, rows: int, reference: Reference | None) -> Performance:
    found = measure.estimate(now)
    before = reference.estimates.get(measure.name) if reference is not None else None
    verdict, why = _verdict(measure, now, found, reference, before)
    return Performance(
        metric=measure.name,
        verdict=verdict,
        labelled=len(now.label),
        coverage=len(now.label) / rows if rows else 0.0,
        value=None if found is None else found.value,
        interval=None if found is None else (found.low, found.high),
        reference=None if before is None else before.value,
        why=why,
    )


def _verdict(
    measure: Measure,
    now: Outcomes,
    found: Estimate | None,
    reference: Reference | None,
    before: Estimate | None,
) -> tuple[Verdict, str]:
    if reference is None:
        return "unsure", "the model's reference sample has no labels to compare with"
    if before is None:
        return "unsure", "the reference sample is too small to tell"
    margin = measure.margin * (abs(before.value) if measure.relative else 1.0)
    labelled = len(now.label)
    if labelled < ENOUGH or found is None:
        few = _rarer(now) if labelled >= ENOUGH else f"{labelled:,} labels"
        return "unsure", f"{few} so far{_would_do(measure, reference.outcomes, before, margin)}"
    loss = _loss(measure, found, before)
    title = TITLES.get(measure.name, measure.name)
    if loss.low > margin:
        why = f"{title} {found.value:.3f} is {loss.value:.3f} worse than the reference {before.value:.3f}"
        return "fail", why
    if loss.high <= margin:
        return "pass", ""
    rest = _enough(labelled, len(reference.outcomes.label), loss, margin)
    return "unsure", f"{title} is {loss.low:.3f} to {loss.high:.3f} worse, {margin:.3f} is allowed; {rest}"


def _would_do(measure: Measure, reference: Outcomes, before: Estimate, margin: float) -> str:
    """How many labels would do if the window were like the reference."""
    loss = _loss(measure, before, before)
    needed = _needed(len(reference.label), loss, margin)
    if needed is None:
        return f"; {_enough(len(reference.label), len(reference.label), loss, margin)}"
    least = float(ENOUGH)
    if reference.task == "binary":
        least = max(least, ENOUGH_OF_CLASS / max(_rarer_share(reference), 1e-6))
    return f"; about {max(needed, round_up(least)):,} would do"


def _needed(labelled: int, loss: Loss, margin: float) -> int | None:
    """Labels that move the near end of the interval to the margin, if the loss stays what it is.

    None if none are enough, because the reference's error alone reaches farther.
    """
    error, error_before = _facing(loss, margin)
    room = (margin - loss.value) ** 2 - error_before**2
    return round_up(labelled * error**2 / room) if room > 0 else None


def _enough(labelled: int, referenced: int, loss: Loss, margin: float) -> str:
    """How many labels would do: here, in the reference sample, or of both as many times more."""
    needed = _needed(labelled, loss, margin)
    if needed is not None:
        return f"about {needed:,} labels would do"
    error, error_before = _facing(loss, margin)
    gap = (margin - loss.value) ** 2
    if gap > error**2:
        needed = round_up(referenced * error_before**2 / (gap - error**2))
        return f"about {needed:,} labels in the reference sample would do, it has {referenced:,}"
    times = (error**2 + error_before**2) / gap if gap > 0 else math.inf
    if times > _HOPELESS:
        return "the loss is just what is allowed: no number of labels would tell"
    here, there = round_up(labelled * times), round_up(referenced * times)
    return f"about {here:,} labels in the window and {there:,} in the reference sample would do"


def _facing(loss: Loss, margin: float) -> tuple[float, float]:
    """The errors of window and reference on the side of the loss where the margin is."""
    return loss.more if loss.value <= margin else loss.less


def _rarer(outcomes: Outcomes) -> str:
    which = "positive" if outcomes.label.mean() < 0.5 else "negative"
    return f"{round(_rarer_share(outcomes) * len(outcomes.label)):,} {which} labels"


def _rarer_share(outcomes: Outcomes) -> float:
    share = float(outcomes.label.mean())
    return min(share, 1 - share)


def _loss(measure: Measure, now: Estimate, before: Estimate) -> Loss:
    if measure.better == "up":
        now, before = _turned(now), _turned(before)
    elif measure.better == "zero":
        now, before = _size(now), _size(before)
    return Loss(
        now.value - before.value,
        less=(now.value - now.low, before.high - before.value),
        more=(now.high - now.value, before.value - before.low),
    )


def _turned(one: Estimate) -> Estimate:
    """The negative, so that less is better."""
    return Estimate(-one.value, -one.high, -one.low)


def _size(one: Estimate) -> Estimate:
    """The distance from 0."""
    ends = abs(one.low), abs(one.high)
    return Estimate(abs(one.value), 0.0 if one.low <= 0 <= one.high else min(ends), max(ends))


def round_up(rows: float) -> int:
    """A number of rows to two digits, upwards."""
    scale = 10 ** max(0, math.floor(math.log10(max(rows, 1))) - 1)
    return int(math.ceil(rows / scale) * scale)


# -- the measures ------------------------------------------------------------------------------------


def auc(outcomes: Outcomes) -> Estimate | None:
    """Area under the ROC curve, DeLong's interval on the logit scale.

    None where a class has fewer than 10 rows.
    """
    positive = int(outcomes.label.sum())
    negative = len(outcomes.label) - positive
    if min(positive, negative) < ENOUGH_OF_CLASS:
        return None
    areas, covariance = delong(outcomes.label, _score(outcomes)[None, :])
    area = float(areas[0])
    return Estimate(area, *auc_interval(area, float(covariance[0, 0]), positive, negative))


def accuracy(outcomes: Outcomes) -> Estimate | None:
    """Share of right answers, Wilson's interval."""
    right = outcomes.label == outcomes.predicted
    if not len(right):
        return None
    return Estimate(float(right.mean()), *wilson(int(right.sum()), len(right)))


def brier(outcomes: Outcomes) -> Estimate | None:
    """Mean squared error of the probability."""
    return _mean((_score(outcomes) - outcomes.label) ** 2)


def log_loss(outcomes: Outcomes) -> Estimate | None:
    """Mean negative log-likelihood in nats, probabilities kept 1e-15 away from 0 and 1."""
    score = np.clip(_score(outcomes), _TINY, 1 - _TINY)
    return _mean(-np.where(outcomes.label, np.log(score), np.log1p(-score)))


def bias(outcomes: Outcomes) -> Estimate | None:
    """Mean predicted probability less the share that came true."""
    return _mean(_score(outcomes) - outcomes.label)


def mean_absolute_error(outcomes: Outcomes) -> Estimate | None:
    """Mean distance of prediction and label."""
    return _mean(np.abs(_score(outcomes) - outcomes.label))


def root_mean_squared_error(outcomes: Outcomes) -> Estimate | None:
    """Root of the mean squared distance; the interval is the root of that of the mean."""
    squared = _mean((_score(outcomes) - outcomes.label) ** 2)
    return None if squared is None else Estimate(*(math.sqrt(max(0.0, part)) for part in squared))


def _score(outcomes: Outcomes) -> Array:
    assert outcomes.score is not None
    return outcomes.score


def _mean(values: Array) -> Estimate | None:
    """A mean with its normal interval."""
    if len(values) < 2:
        return None
    value = float(values.mean())
    half = Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value, value - half, value + half)


TITLES = {"auc": "AUC", "brier": "Brier score", "log_loss": "log loss", "mae": "MAE", "rmse": "RMSE"}
BINARY = (
    Measure("auc", "up", 0.02, False, auc),
    Measure("accuracy", "up", 0.02, False, accuracy),
    Measure("brier", "down", 0.1, True, brier),
    Measure("log_loss", "down", 0.1, True, log_loss),
    Measure("bias", "zero", 0.02, False, bias),
)
NUMBER = (
    Measure("mae", "down", 0.1, True, mean_absolute_error),
    Measure("rmse", "down", 0.1, True, root_mean_squared_error),
)
