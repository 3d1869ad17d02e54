"""Values of a request as typed columns: each checked against its field of the signature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drystone.core.signature import Field
from drystone.registry.frames import NUMPY
from drystone.serving.refusal import Refused

#: JSON types that each data type takes. An integer is a float too; nothing else is converted.
_TAKES: dict[str, frozenset[type]] = {
    "bool": frozenset({bool}),
    "int32": frozenset({int}),
    "int64": frozenset({int}),
    "float32": frozenset({float, int}),
    "float64": frozenset({float, int}),
    "string": frozenset({str}),
}
_JSON = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", type(None): "null"}
_WANTED = {"bool": "true or false", "string": "a string", "float32": "a number", "float64": "a number"}


def column(field: Field, values: list[Any]) -> np.ndarray[Any, Any]:
    """One value per row, as an array of the field's type and shape.

    A missing value is null, and only where the field may be missing.

    Raises:
        Refused: a value of another type, out of range, missing, or of another shape.
    """
    if not field.shape:
        return elements(field, values, len(values))
    for _ in field.shape:
        values = _unnested(field, values)
    return elements(field, values, len(values) // math.prod(field.shape))


def elements(field: Field, values: list[Any], rows: int) -> np.ndarray[Any, Any]:
    """The same for elements that lie flat, row after row.

    Raises:
        Refused: as `column`.
    """
    shape = (rows, *field.shape)
    if len(values) != math.prod(shape):
        raise Refused(
            400,
            f"`{field.name}` has {len(values)} elements, {rows} rows of it have {math.prod(shape)}",
            field=field.name,
            hint=f"each row has {math.prod(field.shape)}",
        )
    _check_types(field, values)
    dtype = NUMPY[field.dtype]
    if field.dtype == "string":
        return _strings(field, values).reshape(shape)
    try:
        with np.errstate(over="raise"):
            wide = np.array(values, dtype=np.float64) if dtype.kind == "f" else np.array(values, dtype=dtype)
            array = wide.astype(dtype, copy=False)
    except (OverflowError, FloatingPointError):
        raise _out_of_range(field) from None
    if np.isinf(array).any():  # `1e9999` is a number, and no float
        raise _out_of_range(field)
    return array.reshape(shape)


def _out_of_range(field: Field) -> Refused:
    hint = f"it is {field.dtype}"
    return Refused(400, f"`{field.name}` has a value out of range", field=field.name, hint=hint)


def unnested(field: Field, values: list[Any], most: int) -> list[Any]:
    """Elements of nested lists in row-major order; lists that lie flat stay as they are.

    Args:
        field: what they are, for the refusal.
        values: perhaps nested.
        most: how deep at most.

    Raises:
        Refused: lists of different lengths side by side, or nested deeper.
    """
    for _ in range(most):
        if not values or type(values[0]) is not list:
            break
        values = _unnested(field, values)
    return values


def _unnested(field: Field, values: list[Any]) -> list[Any]:
    lengths = {len(value) if type(value) is list else -1 for value in values}
    if len(lengths) > 1 or -1 in lengths:
        raise Refused(
            400,
            f"`{field.name}` is ragged: its rows are not all of one shape",
            field=field.name,
            hint=f"each row of it is {_described(field)}",
        )
    return [element for value in values for element in value]


def _check_types(field: Field, values: list[Any]) -> None:
    found = set(map(type, values))
    takes = _TAKES[field.dtype]
    if found <= takes:
        return
    nothing = type(None)
    if field.nullable and field.dtype in ("float32", "float64", "string"):
        takes = takes | {nothing}
        if found <= takes:
            return
    wrong = next(type(value) for value in values if type(value) not in takes)
    row = next(index for index, value in enumerate(values) if type(value) is wrong) // math.prod(field.shape)
    if wrong is nothing:
        raise Refused(
            400,
            f"`{field.name}` is missing in row {row} (the first is 0)",
            field=field.name,
            hint=f"send {_described(field)}: the model was trained without missing values here",
        )
    raise Refused(
        400,
        f"`{field.name}` is {_JSON.get(wrong, 'a list or object')} in row {row} (the first is 0)",
        field=field.name,
        hint=f"send {_described(field)}",
    )


def _described(field: Field) -> str:
    one = _WANTED.get(field.dtype, "an integer")
    null = " or null" if field.nullable else ""
    many = f" in a list of shape {list(field.shape)}" if field.shape else ""
    return f"{one} ({field.dtype}){null}{many}"


def _strings(field: Field, values: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    for value in values:
        if value is not None and "\0" in value:
            raise Refused(
                400, f"`{field.name}` holds a zero character", field=field.name, hint="leave it out"
            )
    return array
