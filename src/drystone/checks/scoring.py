"""From a model, rows and column names to arrays that can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from drystone.checks.subject import Subject
from drystone.checks.subjects import Subjects
from drystone.checks.tables import Rows, as_numpy, missing
from drystone.core.errors import UsageError, WorkFailed
from drystone.core.intervals import Array
from drystone.core.suggest import similar
from drystone.registry.predictor import Predictor

_SCORE = "probability"
_MOST_SLICES = 50


class Answers:
    """What a model answers to the rows of a dataset, asked once a session.

    Args:
        score: name of the output that is the probability of true, None to find it.
        predicted: name of the output that is the answer, None to find it.

    Attributes:
        classes: the two labels in the order in which a probability is of the second, if the model says.

    Raises:
        UsageError: the rows lack an input, or hold it in a form the model does not take.
        WorkFailed: the model answers with numbers that are none.
    """

    def __init__(
        self,
        subjects: Subjects,
        subject: Subject,
        predictor: Predictor,
        rows: Rows,
        *,
        score: str | None = None,
        predicted: str | None = None,
    ) -> None:
        self.subject, self.predictor, self.rows = subject, predictor, rows
        self.classes = predictor.manifest.classes
        self._score, self._predicted = score, predicted
        rows.require(self.inputs)
        key = (str(subject.path), subject.object, *rows.key)
        if key not in subjects.cache:
            subjects.cache[key] = self.ask(self.columns())
        self.outputs: dict[str, Array] = subjects.cache[key]

    @property
    def inputs(self) -> list[str]:
        """Names of the model's inputs."""
        return [field.name for field in self.predictor.signature.inputs]

    def columns(self, count: int | None = None) -> dict[str, Array]:
        """The model's inputs from the rows, or from the first `count` of them."""
        return {name: as_numpy(self.rows.column(name))[:count] for name in self.inputs}

    def ask(self, columns: Mapping[str, Any]) -> dict[str, Array]:
        """The model's outputs for these inputs."""
        outputs = self.predictor.predict(columns)
        for name, values in outputs.items():
            if values.dtype.kind == "f" and (bad := int((~np.isfinite(values)).sum())):
                raise WorkFailed(
                    f"`{self.subject.about}` answers with NaN or infinity in {bad:,} of {len(values):,} rows",
                    because=f"output `{name}` on `{self.rows.subject.about}`",
                )
        return outputs

    def score(self, outputs: dict[str, Array] | None = None) -> Array | None:
        """The output that is the probability of true: the named one, `probability`, or the only number."""
        outputs = self.outputs if outputs is None else outputs
        name = self._score
        if name is None:
            numbers = [
                field.name for field in self.predictor.signature.outputs if field.dtype.startswith("float")
            ]
            name = _SCORE if _SCORE in outputs else numbers[0] if len(numbers) == 1 else None
        return None if name is None else _scalar(self._output(name, outputs), name)

    def predicted(self, label: str | None, outputs: dict[str, Array] | None = None) -> Array | None:
        """The output that is the answer: the named one, the one named like the label, or the first
        that is no probability.
        """
        outputs = self.outputs if outputs is None else outputs
        name = self._predicted
        if name is None:
            others = [one for one in outputs if not one.startswith("probabilit")]
            name = label if label in outputs else others[0] if others else None
        return None if name is None else _scalar(self._output(name, outputs), name)

    def response(self, outputs: dict[str, Array] | None = None) -> tuple[Array, bool]:
        """What behaviour is judged by, the score or else the answer, and whether it is a number."""
        given = self.score(outputs)
        if given is None:
            given = self.predicted(None, outputs)
        if given is None:
            raise UsageError(
                f"`{self.subject.about}` has no output to judge by",
                hints=[f'name one, as in `model.on(data, score="{next(iter(self.outputs))}")`'],
            )
        return (given.astype(np.float64), True) if given.dtype.kind in "fiu" else (given, False)

    def _output(self, name: str, outputs: dict[str, Array]) -> Array:
        if name not in outputs:
            raise UsageError(
                f"`{self.subject.about}` has no output `{name}`",
                hints=[
                    *(f"an output with a similar name exists: `{near}`" for near in similar(name, outputs)),
                    f"its outputs are {', '.join(f'`{one}`' for one in outputs)}",
                ],
            )
        return outputs[name]


def labels_of(rows: Rows, label: str, unlabelled: str) -> tuple[Array, Array | None]:
    """The labels, and which rows have one where some have none and those are to be dropped.

    Raises:
        UsageError: labels are missing and are not to be dropped.
    """
    column = rows.column(label)
    absent = np.asarray(missing(column).to_numpy()).astype(bool)
    if not absent.any():
        return as_numpy(column), None
    if unlabelled != "drop":
        raise UsageError(
            f"{int(absent.sum()):,} of {len(absent):,} rows of `{rows.subject.about}` have no `{label}`",
            because="a quality of the other rows need not be that of all",
            hints=['judge those that have one with `model.on(data, label=..., unlabelled="drop")`'],
        )
    kept = np.flatnonzero(~absent)
    return as_numpy(column.take(pa.array(kept))), kept


def binary_of(values: Array, classes: tuple[Any, ...]) -> Array:
    """Values of two classes as booleans; any others as they are.

    True is the second of the model's classes, or 1.
    """
    if values.dtype == np.bool_:
        return values
    if values.dtype == object and all(isinstance(value, bool) for value in values):
        return values.astype(np.bool_)
    if len(classes) == 2 and all(value in classes for value in np.unique(values).tolist()):
        return np.asarray(values == classes[1])
    if values.dtype.kind in "iuf" and np.isin(values, (0, 1)).all():
        return values.astype(np.bool_)
    return values


def slices_of(rows: Rows, column: str, bins: int, kept: Array | None) -> dict[str, Array]:
    """Row numbers by the value of a column; numbers of many values fall into quantile bins.

    Raises:
        UsageError: the column has too many values to be sliced by.
    """
    values = as_numpy(rows.column(column))
    values = values if kept is None else values[kept]
    if values.dtype.kind in "iuf" and len(np.unique(values[np.isfinite(values)])) > max(bins, 12):
        return _binned(values.astype(np.float64), bins)
    absent = np.array([value is None or value != value for value in values], dtype=bool)
    words = np.where(absent, "missing", values.astype(str))
    names, codes = np.unique(words, return_inverse=True)
    if len(names) > _MOST_SLICES:
        raise UsageError(
            f"`{column}` has {len(names):,} values, too many to slice by", hints=["slice by a coarser column"]
        )
    return {str(name): np.flatnonzero(codes == code) for code, name in enumerate(names)}


def _binned(values: Array, bins: int) -> dict[str, Array]:
    there = np.isfinite(values)
    edges = np.unique(np.quantile(values[there], np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    found = {}
    for code in range(len(edges) + 1):
        low = f"{edges[code - 1]:.4g} to " if code else "below "
        name = f"{edges[-1]:.4g} and above" if code == len(edges) else f"{low}{edges[code]:.4g}"
        found[name] = np.flatnonzero(there & (codes == code))
    if not there.all():
        found["missing"] = np.flatnonzero(~there)
    return found


def _scalar(values: Array, name: str) -> Array:
    if values.ndim != 1:
        raise UsageError(
            f"output `{name}` has {values.shape[1:]} numbers for each row; one is needed",
            hints=['name another output, as in `model.on(data, label=..., score="probability")`'],
        )
    return values
