"""Columns are read by the kind of their reference; what is of another kind is counted, never cast."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.signature import Field
from drystone.monitoring.columns import Kind, kind_of, sample, stretch
from drystone.monitoring.contract import breach


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        ([True, False], "boolean"),
        ([1, True, 0, 3], "number"),
        (["a", None], "text"),
        ([None, None], None),
        ([[1], [2]], None),
        ([], None),
    ],
)
def test_the_kind_is_that_of_most_values(values: list[Any], kind: Kind | None) -> None:
    assert kind_of([stretch(values)]) == kind


def test_text_among_numbers_is_foreign_and_is_not_cast() -> None:
    found = sample([stretch([1.0, "2", None, True, math.inf])], "number")
    assert found.numbers.tolist() == [1.0, math.inf]
    assert (found.n, found.missing, found.foreign, found.example) == (3, 1, 2, "'2'")


def test_a_column_of_text_is_foreign_where_numbers_were() -> None:
    assert sample([pa.array(["1", "2"])], "number").foreign == 2


def test_zero_and_one_are_booleans_where_booleans_were() -> None:
    found = sample([pa.array([0, 1, 1]), [True, 2, "true"]], "boolean")
    assert found.categories == {"true": 3, "false": 1}
    assert found.foreign == 2


@pytest.mark.parametrize(
    "dtype", [pa.int8(), pa.float32(), pa.decimal128(5, 2), pa.dictionary(pa.int8(), pa.float64())]
)
def test_every_width_of_number_is_a_number(dtype: pa.DataType) -> None:
    assert sample(
        [
            pa.array([1, 2, None], pa.float64()).cast(dtype.value_type).dictionary_encode()
            if pa.types.is_dictionary(dtype)
            else pa.array([1, 2, None], dtype)
        ],
        None,
    ).numbers.tolist() == [1, 2]


mixed = st.lists(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=2))
)


@given(mixed, st.sampled_from([None, "number", "boolean", "text", "time"]), st.integers(0, 5))
def test_every_row_is_counted_once_however_a_column_is_cut(
    values: list[Any], kind: Kind | None, at: int
) -> None:
    whole = sample([stretch(values)], kind)
    assert whole.n + whole.foreign == len(values)
    assert whole.n == whole.missing + len(whole.numbers) + sum(whole.categories.values())
    parts = sample([stretch(values[:at]), stretch(values[at:])], whole.kind)
    assert np.array_equal(np.sort(parts.numbers), np.sort(whole.numbers))
    assert (parts.categories, parts.missing, parts.foreign) == (
        whole.categories,
        whole.missing,
        whole.foreign,
    )


@pytest.mark.parametrize(
    ("field", "column", "why"),
    [
        (Field("x", "float64"), [1, 2.5], None),
        (Field("x", "float64"), ["1", 2.0], "1 of 2 values are not numbers, such as '1'"),
        (Field("x", "float64"), ["1", "2"], "2 of 2 values are not numbers, such as '1'"),
        (Field("x", "int64"), [1, 2.0], None),
        (Field("x", "int64"), [1, 2.5], "1 of 2 values are not whole numbers"),
        (Field("x", "string"), [1, 2], "2 of 2 values are not text, such as 1"),
        (Field("x", "bool"), [True, 0], None),
        (Field("x", "string"), ["a", None], "1 of 2 values are missing; the signature allows none"),
        (Field("x", "string", nullable=True), ["a", None], None),
        (Field("x", "float32", shape=(3,)), [[1, 2, 3], [4, 5, 6]], None),
        (Field("x", "float64"), None, "the column is absent"),
    ],
)
def test_a_contract_is_broken_by_type_absence_and_forbidden_nulls(
    field: Field, column: list[Any] | None, why: str | None
) -> None:
    assert breach(field, None if column is None else [stretch(column)], 2) == why
