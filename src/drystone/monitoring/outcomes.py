"""Predictions beside the labels that came: which column is the answer, which the score, what is positive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from drystone.core.signature import Field, Signature
from drystone.monitoring.columns import Array, Stretch

Task = Literal["binary", "classes", "number"]
_REAL = ("float32", "float64")
_NO_VALUES: Array = np.empty(0)


class Question(NamedTuple):
    """What a model answers.

    Attributes:
        task: `binary`, `classes` (three or more) or `number`.
        predicted: the output column with the answer, None where there is only a score.
        score: the output column with the probability of the positive class, or with the number.
        classes: labels by code; of two the second is positive. Empty: whatever labels there are.
    """

    task: Task
    predicted: str | None
    score: str | None
    classes: tuple[object, ...] = ()


class Outcomes(NamedTuple):
    """Rows whose label is known.

    Attributes:
        task: as in `Question`.
        label: bool (binary), codes of classes, or float64.
        predicted: the answers like `label`, None if there are none.
        score: float64, finite; None if there is none.
    """

    task: Task
    label: Array
    predicted: Array | None
    score: Array | None


def question(signature: Signature, classes: Sequence[object]) -> Question | None:
    """What a model answers, from its signature and the classes in its manifest.

    Without classes: a boolean output, or a float one called `probability`, makes a binary question
    (0 and 1); text makes classes; else the first number is the answer. None if no output is scalar.
    """
    scalars = [field for field in signature.outputs if not field.shape]
    real = [field for field in scalars if field.dtype in _REAL]
    other = [field for field in scalars if field.dtype not in _REAL]
    probability = next((field for field in real if field.name == "probability"), None)
    if not classes and (probability or any(field.dtype == "bool" for field in other)):
        classes = (False, True)
    if len(classes) == 2:
        answer = next(iter(other), None)
        if answer is None and len(real) > 1:
            answer = real[0]  # classes that are numbers with a fraction
        score = probability or next((field for field in real if field is not answer), None)
        return Question("binary", _name(answer), _name(score), tuple(classes))
    if classes or (other and other[0].dtype == "string"):
        return Question("classes", _name(scalars[0] if scalars else None), None, tuple(classes))
    return Question("number", None, scalars[0].name) if scalars else None


def outcomes(
    asked: Question, labels: Sequence[Stretch], outputs: Mapping[str, Sequence[Stretch]]
) -> tuple[Outcomes, int]:
    """Put labels and predictions side by side.

    Args:
        asked: what the model answers.
        labels: one per prediction, null where there is none.
        outputs: columns of the predictions, in the same order.

    Returns:
        The rows with a label and a whole prediction, and how many labels were no answer to the
        question (text for a number, a class that the model does not know).
    """
    codes = _Codes(asked.classes)
    truth = _mapped(labels, _number if asked.task == "number" else codes.of)
    known = ~np.isnan(truth)
    foreign = len(truth) - sum(map(_missing, labels)) - int(known.sum())
    answers = scores = None
    if asked.predicted is not None:
        answers = _mapped(outputs.get(asked.predicted) or [[None] * len(truth)], codes.of)
        known &= ~np.isnan(answers)
    if asked.score is not None:
        scores = _mapped(outputs.get(asked.score) or [[None] * len(truth)], _number)
        known &= ~np.isnan(scores)
    kind = {"binary": np.bool_, "classes": np.int64, "number": np.float64}[asked.task]
    return Outcomes(
        asked.task,
        truth[known].astype(kind),
        None if answers is None else answers[known].astype(kind),
        None if scores is None else scores[known],
    ), foreign


class _Codes:
    """Numbers of classes, however a label of them is written: true, 1, 1.0, `"1"`."""

    def __init__(self, classes: Sequence[object]) -> None:
        self._open = not classes
        self._text = any(isinstance(name, str) for name in classes)
        self._codes = {self._key(name): code for code, name in enumerate(classes)}
        self._known: dict[tuple[type, object], int | None] = {}

    def of(self, label: object) -> int | None:
        """The code of a label; None if it is of no class."""
        if not isinstance(label, bool | int | float | str) or label != label:  # NaN is no class
            return None
        seen = (type(label), label)
        if seen not in self._known:
            key = self._key(label)
            if self._open:
                self._codes.setdefault(key, len(self._codes))
            self._known[seen] = self._codes.get(key)
        return self._known[seen]

    def _key(self, label: object) -> object:
        """The label, or the number that a text stands for where classes are numbers or booleans."""
        if not isinstance(label, str) or self._text or self._open:
            return label
        word = label.strip().lower()
        number = {"true": 1.0, "false": 0.0}.get(word, _parsed(word))
        return label if number is None else number


def _name(field: Field | None) -> str | None:
    return field.name if field else None


def _mapped(column: Sequence[Stretch], read: Callable[[object], float | None]) -> Array:
    """A column as numbers, NaN where `read` gives None; of Arrow's values it is asked once for each."""
    return np.concatenate([_NO_VALUES, *(_mapped_part(part, read) for part in column)])


def _mapped_part(part: Stretch, read: Callable[[object], float | None]) -> Array:
    if isinstance(part, list):
        return _floats(map(read, part))
    if pt.is_nested(part.type) or pt.is_null(part.type):
        return np.full(len(part), np.nan)
    if read is _number and pt.is_floating(part.type):
        numbers = part.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    coded = part if pt.is_dictionary(part.type) else part.dictionary_encode()
    values = _floats([*map(read, coded.dictionary.to_pylist()), None])
    return np.asarray(values[pc.fill_null(coded.indices, len(values) - 1).to_numpy(zero_copy_only=False)])


def _floats(numbers: Iterable[float | None]) -> Array:
    return np.array([math.nan if number is None else number for number in numbers], dtype=float)


def _missing(part: Stretch) -> int:
    return sum(value is None for value in part) if isinstance(part, list) else part.null_count


def _number(value: object) -> float | None:
    """A finite number, else None."""
    if isinstance(value, str):
        return _parsed(value)
    if not isinstance(value, bool | int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _parsed(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
