"""The fixture `model`: claims about a model's answers to the rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from drystone.checks import behaviour
from drystone.checks.behaviour import Perturbation
from drystone.checks.claims import Claim, ClaimLog, Judgement
from drystone.checks.data import Data
from drystone.checks.intervals import Estimate
from drystone.checks.measures import Measure, SlicedMeasure
from drystone.checks.metrics import Predictions, Unknown, difference, estimate, find
from drystone.checks.scoring import Answers, binary_of, labels_of, slices_of
from drystone.checks.subject import Subject
from drystone.checks.subjects import Subjects
from drystone.checks.tables import Rows, as_numpy
from drystone.core.errors import UsageError
from drystone.core.intervals import Array
from drystone.core.refs import Reference, is_valid_alias
from drystone.core.signature import Signature
from drystone.registry.loading import load
from drystone.registry.predictor import Predictor


class Model:
    """A model to make claims about; `model("churn")` is another one."""

    def __init__(self, subjects: Subjects, log: ClaimLog, file: Path, name: str | None = None) -> None:
        self._subjects, self._log, self._file, self._name = subjects, log, file, name
        self._found: Subject | None = None
        if name is not None:
            _ = self.subject  # a misspelt name is an error where it stands

    def __call__(self, name: str) -> Model:
        """The model of that name, e.g. `late-arrival` or `late-arrival@v1`.

        Raises:
            NotFound, Ambiguous: it names nothing, or several things.
        """
        return Model(self._subjects, self._log, self._file, name)

    @property
    def subject(self) -> Subject:
        """What is judged."""
        if self._found is None:
            self._found = (
                self._subjects.default("model", self._file)
                if self._name is None
                else self._subjects.find("model", self._name)
            )
            self._log.look_at(self._found, judged=False)  # to name a model is not to judge it
        return self._found

    @property
    def predictor(self) -> Predictor:
        """The loaded model, for assertions of your own: `.predict(columns)`, `.signature`.

        Raises:
            ProjectInvalid: it has no signature, or cannot be loaded.
        """
        self._log.look_at(self.subject)
        return predictor_of(self._subjects, self.subject)

    @property
    def signature(self) -> Signature:
        """The model's typed inputs and outputs."""
        return self.predictor.signature

    def on(
        self,
        data: Data,
        label: str | None = None,
        *,
        score: str | None = None,
        predicted: str | None = None,
        group: str | None = None,
        unlabelled: Literal["refuse", "drop"] = "refuse",
    ) -> Judged:
        """The model's answers to the rows of a dataset.

        Args:
            data: rows with the model's inputs as columns.
            label: the column that holds the right answers; behaviour can be judged without.
            score: the output that is the probability of true, by default `probability` or the only
                number that the model gives.
            predicted: the output that is the answer, by default the one named like the label, or
                `prediction`.
            group: a column whose equal values mark rows that are not independent, such as one
                customer's; intervals then come from drawing whole groups.
            unlabelled: what to do with rows whose label is missing.

        Raises:
            UsageError: the dataset lacks a column, or the model an output, or labels are missing.
        """
        rows = data._rows()
        self._log.look_at(rows.subject, judged=False)
        names = {"score": score, "predicted": predicted}
        answers = Answers(self._subjects, self.subject, self.predictor, rows, **names)
        labels, kept = labels_of(rows, label, unlabelled) if label is not None else (None, None)
        return Judged(self, answers, rows, names, Labels(label, labels, kept, group))


class Labels(NamedTuple):
    """The right answers, if they are known.

    Attributes:
        column: their column.
        values: one for each row that is judged.
        kept: numbers of the rows that are judged, None for all.
        group: the column that marks rows that are not independent.
    """

    column: str | None
    values: Array | None
    kept: Array | None
    group: str | None


class Judged:
    """The answers of one model to the rows of one dataset, ready to be judged."""

    def __init__(
        self, model: Model, answers: Answers, rows: Rows, names: dict[str, str | None], labels: Labels
    ) -> None:
        self._model, self._answers, self._rows, self._names = model, answers, rows, names
        self._labels = labels
        if labels.group is not None:
            rows.require([labels.group])

    def metric(self, name: str) -> Measure:
        """A quality measure: `auc accuracy brier calibration_error f1 log_loss mae precision recall rmse`.

        Raises:
            UsageError: there is none of that name, or it does not suit the model or the labels.
        """
        return Measure(name, estimate(name, self._predictions(name)), self._record)

    def by(self, column: str, *, min_rows: int = 100, bins: int = 4) -> Slices:
        """The rows sliced by the values of a column; numbers of many values by quantiles.

        Slices of fewer than `min_rows` rows are not judged; the evidence lists them.
        """
        self._rows.require([column])
        return Slices(self, column, slices_of(self._rows, column, bins, self._labels.kept), min_rows)

    def not_worse_than(self, other: str, metric: str = "auc", *, margin: float = 0.01) -> Judgement:
        """The measure is worse than another version's by less than `margin`, on the same rows.

        Args:
            other: an alias or version of the same model, e.g. `champion` or `v3`. Where the model has
                no such alias yet there is nothing to be worse than, and the claim passes. A gate counts the
                claim only as long as the alias stands where it stood.
            metric: which measure.
            margin: what counts as no worse; 0 demands at least equal.

        Raises:
            NotFound: there is no such version, or only an alias with a similar name.
        """
        ours = self._model.subject
        name = f"{metric} not worse than {other}"
        higher = find(metric).better == "higher"
        limit = -margin if higher else margin
        subjects = self._model._subjects
        if is_valid_alias(other) and not subjects.alias_exists(ours.name, other):
            why = f"no {other} yet to compare with"
            return self._record(
                name, "pass", why=why, threshold=_margin(limit, higher), opponent=other, against=""
            )
        theirs = subjects.version("model", Reference("model", ours.name, other))
        self._model._log.look_at(theirs, judged=False)
        if theirs.object == ours.object and ours.object:
            why = f"this is `{theirs.about}` itself"
            return self._record(
                name,
                "pass",
                value=0.0,
                why=why,
                threshold=_margin(limit, higher),
                opponent=other,
                against=theirs.object,
            )
        answers = Answers(subjects, theirs, predictor_of(subjects, theirs), self._rows, **self._names)
        gap = difference(metric, self._predictions(metric), self._predictions(metric, answers))

        def record(*given: Any, **rest: Any) -> Judgement:
            return self._compared(theirs.about, *given, opponent=other, against=theirs.object, **rest)

        measure = Measure(name, gap, record)
        return measure > limit if higher else measure < limit

    def invariant(self, perturbation: Perturbation, *, tolerance: float = 0.0, max: float = 0.0) -> Judgement:  # noqa: A002
        """What the perturbation changes does not change the answer, but for a share of at most `max`.

        Args:
            perturbation: takes the inputs as a dict of columns and returns them changed; see
                `drystone.checks.perturbations`.
            tolerance: how far a score may move and still be the same.
            max: share of rows whose answer may move. Rows are cases to get right here, not a sample:
                the share is judged exactly.
        """
        return behaviour.invariant(self._answers, perturbation, tolerance, max, self._record)

    def direction(
        self,
        column: str,
        *,
        up: Literal["up", "down"] = "up",
        by: float | None = None,
        max: float | None = None,  # noqa: A002
    ) -> Judgement:
        """When `column` rises the score goes `up` (or `down`).

        Args:
            column: a number among the inputs.
            up: where the score goes.
            by: how far the column rises; one standard deviation of it if left out.
            max: if given, the share of rows whose score may move the other way, judged exactly; if
                left out, the mean change must lie on the right side with its whole interval.
        """
        return behaviour.direction(self._answers, column, up, by, max, self._record)

    def faster_than(self, ms: float, *, rows: int = 1) -> Judgement:
        """A typical call with so many rows takes less than `ms` milliseconds on this machine.

        The median of repeated calls, with its distribution-free interval.
        """
        return behaviour.faster_than(self._answers, ms, rows, self._record)

    # -- inside ----------------------------------------------------------------------------------

    def _predictions(self, metric: str, answers: Answers | None = None) -> Predictions:
        """What a metric compares, as two classes where it wants them."""
        wants, known = find(metric), self._labels
        if known.values is None:
            raise UsageError(
                f"`{metric}` compares answers with labels, and no label is named",
                hints=['name its column, as in `model.on(data("evaluation"), label="late")`'],
            )
        answers = answers or self._answers
        labels, score, predicted = known.values, answers.score(), answers.predicted(known.column)
        if known.kept is not None:
            score = None if score is None else score[known.kept]
            predicted = None if predicted is None else predicted[known.kept]
        if wants.binary:
            labels = binary_of(labels, answers.classes)
            predicted = None if predicted is None else binary_of(predicted, answers.classes)
        elif predicted is not None and "O" in (labels.dtype.kind, predicted.dtype.kind):
            labels, predicted = labels.astype(str), predicted.astype(str)
        return Predictions(labels, predicted, score, self._groups())

    def _groups(self) -> Array | None:
        if self._labels.group is None:
            return None
        values = as_numpy(self._rows.column(self._labels.group))
        values = values if self._labels.kept is None else values[self._labels.kept]
        return np.asarray(np.unique(values.astype(str), return_inverse=True)[1])

    def _record(self, name: str, verdict: Any, **rest: Any) -> Judgement:
        subject = self._model.subject
        scope = f"on {self._rows.name}"
        return self._model._log.add(Claim(name, subject.object, subject.about, verdict, scope=scope, **rest))

    def _compared(self, other: str, name: str, verdict: Any, **rest: Any) -> Judgement:
        why = f"the value is the difference to `{other}`"
        rest["why"] = f"{why}; {rest['why']}" if rest.get("why") else why
        return self._record(name, verdict, **rest)


class Slices:
    """The rows of a `Judged` by the values of one column."""

    def __init__(self, judged: Judged, column: str, rows: Mapping[str, Array], min_rows: int) -> None:
        self._judged, self._column, self._rows, self._min_rows = judged, column, rows, min_rows

    def metric(self, name: str) -> SlicedMeasure:
        """A quality measure on every slice.

        Raises:
            UsageError: as `Judged.metric`.
        """
        whole = self._judged._predictions(name)
        slices: dict[str, Estimate | Unknown] = {}
        small: dict[str, int] = {}
        for value, rows in self._rows.items():
            if len(rows) < self._min_rows:
                small[value] = len(rows)
            else:
                slices[value] = estimate(name, whole.take(rows))
        return SlicedMeasure(f"{name} by {self._column}", slices, small, self._min_rows, self._judged._record)


def predictor_of(subjects: Subjects, subject: Subject) -> Predictor:
    """The loaded model of a subject, loaded once a session.

    Raises:
        ProjectInvalid: it has no signature, or cannot be loaded.
    """
    key = (str(subject.path), subject.object, "predictor")
    if key not in subjects.cache:
        subjects.cache[key] = load(subject.path)
        subject.check_unchanged()
    loaded: Predictor = subjects.cache[key]
    return loaded


def _margin(limit: float, higher: bool) -> str:
    return f"{'>' if higher else '<'} {limit:.4g}"
