"""Columns as the two-sample tests take them: numbers or counted categories, missing values apart.

A column arrives as an Arrow array (the reference sample, homogeneous stretches of a request log) or
as a list of whatever JSON held. The kind of a feature is its reference's (or its signature's); what
does not fit that kind is counted as foreign, never cast: text where a number was is a breach of
contract and not a drift.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from drystone.core.clock import from_iso

Kind = Literal["number", "boolean", "text", "time"]
#: A stretch of a column. A list is what no single Arrow type could hold.
Stretch: TypeAlias = "pa.Array[Any] | list[Any]"

_KIND_OF_DTYPE: dict[str, Kind] = {
    "bool": "boolean",
    "int32": "number",
    "int64": "number",
    "float32": "number",
    "float64": "number",
    "string": "text",
}
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_NONE: Array = np.empty(0)


class Sample(NamedTuple):
    """One column, ready to be compared.

    Attributes:
        kind: how its values are read; None when it has none (all missing).
        n: rows that fit the kind or are missing; foreign ones are not among them.
        missing: rows with null or NaN.
        numbers: float64 in ascending order, without NaN, infinities included; kinds `number` and
            `time` (seconds since the epoch).
        categories: rows by value; kinds `text` and `boolean`.
        foreign: rows whose value is of another kind; `example` is one of them, as it was written.
    """

    kind: Kind | None
    n: int
    missing: int
    numbers: Array = _NONE
    categories: Mapping[str, int] = MappingProxyType({})
    foreign: int = 0
    example: str = ""


def kind_of_dtype(dtype: str) -> Kind:
    """The kind of a signature's data type."""
    return _KIND_OF_DTYPE[dtype]


def stretch(values: list[Any]) -> Stretch:
    """Pack a list into an Arrow array where one type holds all of it; else give it back."""
    try:
        packed = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        return values
    # Arrow reads True as 1 among numbers of some widths; only a column of bools is boolean.
    if pt.is_integer(packed.type) or pt.is_floating(packed.type):
        return values if bool in set(map(type, values)) else packed
    return packed


def kind_of(column: Iterable[Stretch]) -> Kind | None:
    """The kind that most values of a column have; None when all are missing or nested."""
    votes: Counter[Kind] = Counter()
    for part in column:
        if isinstance(part, list):
            votes.update(kind for kind in map(_kind_of_value, part) if kind is not None)
        else:
            kind = _kind_of_type(part.type)
            if kind is not None:
                votes[kind] += len(part) - part.null_count
    present = [(count, kind) for kind, count in votes.items() if count]
    return max(present)[1] if present else None


def sample(column: Sequence[Stretch], kind: Kind | None) -> Sample:
    """Read a column as values of `kind`; with None, of the kind most of its values have."""
    kind = kind or kind_of(column)
    parts = [
        _list_sample(part, kind) if isinstance(part, list) else _arrow_sample(part, kind) for part in column
    ]
    categories: Counter[str] = Counter()
    for part in parts:
        categories.update(part.categories)
    return Sample(
        kind,
        sum(part.n for part in parts),
        sum(part.missing for part in parts),
        np.sort(np.concatenate([_NONE, *(part.numbers for part in parts)])),
        categories,
        sum(part.foreign for part in parts),
        next((part.example for part in parts if part.foreign), ""),
    )


def _kind_of_type(kind: pa.DataType) -> Kind | None:
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_boolean(kind):
        return "boolean"
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return "number"
    if pt.is_temporal(kind) and (pt.is_timestamp(kind) or pt.is_date(kind)):
        return "time"
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return "text"
    return None


def _kind_of_value(value: object) -> Kind | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "time" if isinstance(value, date) else None


def _arrow_sample(array: pa.Array[Any], kind: Kind | None) -> Sample:
    found = _kind_of_type(array.type)
    if array.null_count == len(array):
        return Sample(kind, len(array), len(array))
    if found is None or found != kind:
        return _list_sample(array.to_pylist(), kind)
    if kind == "time":
        array = array.cast(pa.timestamp("us")).cast(pa.int64())
    elif kind in ("text", "boolean"):
        counts = pc.value_counts(array.dictionary_decode() if pt.is_dictionary(array.type) else array)
        pairs = zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)
        categories = Counter({_category(value): count for value, count in pairs if value is not None})
        return Sample(kind, len(array), array.null_count, categories=categories)
    elif pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    numbers = array.cast(pa.float64(), safe=False).drop_null().to_numpy(zero_copy_only=False)
    numbers = numbers[~np.isnan(numbers)] / (1e6 if kind == "time" else 1.0)
    return Sample(kind, len(array), len(array) - len(numbers), numbers)


def _list_sample(values: list[Any], kind: Kind | None) -> Sample:
    missing = foreign = 0
    example = ""
    numbers: list[float] = []
    categories: Counter[str] = Counter()
    for value in values:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            missing += 1
            continue
        read = _read(value, kind)
        if read is None:
            example = example if foreign else _written(value)
            foreign += 1
        elif isinstance(read, str):
            categories[read] += 1
        else:
            numbers.append(read)
    return Sample(
        kind, len(values) - foreign, missing, np.array(numbers, dtype=float), categories, foreign, example
    )


def _read(value: Any, kind: Kind | None) -> float | str | None:
    """A present value as one of `kind`: a number, the name of a category, or None if it is foreign."""
    if kind == "boolean":
        # JSON writers of several languages say 1 and 0.
        boolean = isinstance(value, bool | int | float) and value in (0, 1)
        return _category(bool(value)) if boolean else None
    if kind == "time":
        return _seconds(value)
    if kind is None or kind != _kind_of_value(value):
        return None
    if kind == "text":
        return str(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        try:
            return from_iso(value) / 1e9
        except (ValueError, OverflowError):
            return None
    if not isinstance(value, date):
        return None
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _category(value: object) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def _written(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
