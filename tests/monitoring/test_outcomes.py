"""Which column answers, which is the score, and how labels are matched with classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drystone.core.signature import Field, Signature
from drystone.monitoring.outcomes import Question, outcomes, question

INPUT = (Field("x", "float64"),)
LATE, PROBABILITY = Field("late", "int64"), Field("probability", "float32")


@pytest.mark.parametrize(
    ("outputs", "classes", "asked"),
    [
        ([LATE, PROBABILITY], (0, 1), Question("binary", "late", "probability", (0, 1))),
        ([LATE, PROBABILITY], (), Question("binary", "late", "probability", (False, True))),
        ([Field("late", "bool")], (), Question("binary", "late", None, (False, True))),
        ([PROBABILITY], (), Question("binary", None, "probability", (False, True))),
        ([Field("p", "string"), PROBABILITY], ("n", "y"), Question("binary", "p", "probability", ("n", "y"))),
        (
            [Field("kind", "string"), Field("probabilities", "float32", shape=(3,))],
            ("a", "b", "c"),
            Question("classes", "kind", None, ("a", "b", "c")),
        ),
        ([Field("kind", "string")], (), Question("classes", "kind", None)),
        ([Field("price", "float64")], (), Question("number", None, "price")),
        ([Field("vector", "float64", shape=(2,))], (), None),
    ],
)
def test_a_model_is_asked_what_its_signature_answers(
    outputs: list[Field], classes: tuple[Any, ...], asked: Question | None
) -> None:
    assert question(Signature(INPUT, tuple(outputs)), classes) == asked


@pytest.mark.parametrize("written", [True, 1, 1.0, "1", "true", "True", " 1.0 "])
@pytest.mark.parametrize("classes", [(False, True), (0, 1), (0.0, 1.0)])
def test_a_positive_label_may_be_written_in_many_ways(written: object, classes: tuple[Any, ...]) -> None:
    asked = Question("binary", None, "p", classes)
    found, foreign = outcomes(asked, [[written, 0]], {"p": [[0.2, 0.4]]})
    assert (found.label.tolist(), foreign) == ([True, False], 0)


def test_the_second_class_is_the_positive_one() -> None:
    found, _ = outcomes(Question("binary", "p", None, ("yes", "no")), [["no", "yes"]], {"p": [["no", "no"]]})
    assert found.label.tolist() == [True, False]
    assert found.predicted is not None and found.predicted.tolist() == [True, True]


def test_labels_of_no_class_are_counted_and_not_negative() -> None:
    asked = Question("binary", None, "p", (0, 1))
    found, foreign = outcomes(asked, [[1, 2, "maybe", None, [1]]], {"p": [[0.1] * 5]})
    assert (len(found.label), foreign) == (1, 3)


def test_rows_whose_prediction_is_missing_are_left_out() -> None:
    asked = Question("binary", "late", "p", (0, 1))
    found, foreign = outcomes(
        asked, [[1, 1], [0, 0]], {"p": [[0.9, None, float("nan")], [0.2]], "late": [[1, 1], [0, None]]}
    )
    assert found.score is not None
    assert (found.label.tolist(), found.score.tolist(), foreign) == ([True], [0.9], 0)


def test_numbers_may_be_text_and_must_be_finite() -> None:
    found, foreign = outcomes(
        Question("number", None, "p"), [[1, "2.5", "x", float("inf")]], {"p": [[1.0, 2.0, 3.0, 4.0]]}
    )
    assert (found.label.tolist(), foreign) == ([1.0, 2.5], 2)


def test_no_rows_are_no_outcomes() -> None:
    found, _ = outcomes(Question("binary", "late", "p", (0, 1)), [], {})
    assert found.label.dtype == np.bool_ and len(found.label) == 0
