"""Dataframes of any library as named, typed numpy columns. Floor 2; imports numpy and narwhals."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from drystone.core.errors import UsageError
from drystone.core.signature import DataType, Field

Columns = dict[str, "np.ndarray[Any, Any]"]

_TYPES: dict[type[nw.dtypes.DType], DataType] = {
    nw.Boolean: "bool",
    nw.Int8: "int32",
    nw.Int16: "int32",
    nw.Int32: "int32",
    nw.UInt8: "int32",
    nw.UInt16: "int32",
    nw.Int64: "int64",
    nw.UInt32: "int64",
    nw.Float32: "float32",
    nw.Float64: "float64",
    nw.String: "string",
    nw.Categorical: "string",
    nw.Enum: "string",
}

NUMPY: dict[DataType, np.dtype[Any]] = {
    "bool": np.dtype(bool),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "string": np.dtype(object),
}


def eager(frame: Any) -> nw.DataFrame[Any]:
    """The frame behind narwhals.

    Raises:
        UsageError: it is no dataframe in memory, or has no columns or no rows.
    """
    try:
        found: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise UsageError(
            f"not a dataframe: `{type(frame).__module__}.{type(frame).__name__}`",
            because="a model's inputs are named, typed columns",
            hints=["give a pandas or polars dataframe or a pyarrow table, as in `inputs=frame[columns]`"],
        ) from None
    if not found.columns or not len(found):
        raise UsageError("the dataframe of inputs has no columns or no rows")
    return found


def fields_of(frame: nw.DataFrame[Any]) -> tuple[Field, ...]:
    """The type of each column, nullable where a value is missing.

    Integers and booleans with missing values have no form of their own in a request or in ONNX:
    they are `float64` columns.

    Raises:
        UsageError: a column is of a type that a signature does not have, such as a date.
    """
    fields = []
    for name in frame.columns:
        series = frame[name]
        dtype = _TYPES.get(series.dtype.base_type())
        if dtype is None:
            raise UsageError(
                f"column `{name}` is of type {series.dtype}, which a model's input cannot be",
                because="inputs are booleans, integers, floats and strings",
                hints=["turn it into a number or a string before training"],
            )
        nullable = bool(series.null_count())
        if dtype.startswith("float"):
            nullable = nullable or bool(np.isnan(series.to_numpy().astype(np.float64)).any())
        elif nullable and dtype != "string":
            dtype = "float64"
        fields.append(Field(name=name, dtype=dtype, nullable=nullable))
    return tuple(fields)


def columns_of(frame: nw.DataFrame[Any], fields: tuple[Field, ...]) -> Columns:
    """The columns as arrays of the fields' types; missing strings are None, missing floats NaN."""
    columns: Columns = {}
    for field in fields:
        series = frame[field.name]
        if field.dtype == "string":
            values = series.cast(nw.String).to_list()
            columns[field.name] = np.array(
                [value if isinstance(value, str) else None for value in values], dtype=object
            )
        elif field.dtype.startswith("float"):
            columns[field.name] = series.cast(nw.Float64).to_numpy().astype(NUMPY[field.dtype])
        else:
            columns[field.name] = series.to_numpy().astype(NUMPY[field.dtype])
    return columns


def as_column(field: Field, values: Any) -> np.ndarray[Any, Any]:
    """Values of one column as an array of the field's type and shape.

    Raises:
        UsageError: they are of another kind, or of another shape than the field's.
    """
    array = np.asarray(values, dtype=object if field.dtype == "string" else None)
    if array.shape[1:] != field.shape or not array.ndim:
        raise UsageError(f"column `{field.name}` has shape {array.shape[1:]}, not {field.shape}")
    if field.dtype == "string":
        return _texts(field, array)
    if array.dtype == object and field.dtype.startswith("float"):
        try:
            array = array.astype(np.float64)  # None becomes NaN
        except (TypeError, ValueError):
            raise _wrong(field, array) from None
    allowed = {"b": "b", "i": "iu", "f": "fiu"}[NUMPY[field.dtype].kind]
    if array.size and array.dtype.kind not in allowed:
        raise _wrong(field, array)
    return array.astype(NUMPY[field.dtype], copy=False)


def _texts(field: Field, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Strings, with None for what is missing; frames also write that as NaN."""
    if all(type(value) is str for value in array.flat):
        return array
    plain = [value if isinstance(value, str) or value == value else None for value in array.flat]
    if not all(value is None or isinstance(value, str) for value in plain):
        raise _wrong(field, array)
    return np.array(plain, dtype=object).reshape(array.shape)


def _wrong(field: Field, array: np.ndarray[Any, Any]) -> UsageError:
    return UsageError(f"column `{field.name}` is {field.dtype}, not {array.dtype}")
