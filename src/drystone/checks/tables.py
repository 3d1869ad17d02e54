"""Reading datasets as pyarrow columns, only those that a check asks for."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from drystone.checks.subject import Subject
from drystone.checks.subjects import Subjects, files_of, format_of
from drystone.core.errors import ProjectInvalid, UsageError
from drystone.core.suggest import similar

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(NamedTuple):
    """Which rows of a dataset are meant."""

    column: str
    operator: Operator
    value: Any

    def __str__(self) -> str:
        value = self.value
        if isinstance(value, datetime):
            value = value.date() if value.time() == time() else value.isoformat()
        return f"{self.column} {self.operator} {value}"


class Rows:
    """The rows of one dataset, or those that meet conditions, read as needed and kept.

    Attributes:
        scope: the conditions in words, "" for all rows; `name` has the dataset's name before it.

    Raises:
        ProjectInvalid: it is no table that can be read.
        UsageError: a condition names no column, or compares it with what it cannot be compared with.
    """

    def __init__(self, subjects: Subjects, subject: Subject, conditions: tuple[Condition, ...] = ()) -> None:
        self.subject, self.conditions = subject, conditions
        self.scope = f"where {' and '.join(map(str, conditions))}" if conditions else ""
        self.name = f"{subject.name} {self.scope}".rstrip()
        #: Names these rows among all that a session may read.
        self.key = (str(subject.path), subject.object, self.scope)
        self._cache = subjects.cache
        self._dataset = self._once("dataset", lambda: _open(subject))
        self.schema: pa.Schema = self._dataset.schema
        self._filter = self._expression()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self._once("count", lambda: self._dataset.count_rows(filter=self._filter)))

    @property
    def table(self) -> pa.Table:
        """All columns."""
        return self._once("table", lambda: self._read(None))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            UsageError: there is none of that name; similar ones are given.
        """
        self.require([name])
        if (table := self._cache.get((*self.key, "table"))) is not None:
            return table.column(name)
        return self._once(f"column {name}", lambda: self._read([name]).column(0))

    def require(self, names: Iterable[str]) -> None:
        """Make sure that these columns exist.

        Raises:
            UsageError: one does not.
        """
        known = self.schema.names
        for name in names:
            if name not in known:
                listed = ", ".join(f"`{one}`" for one in known[:12]) + (", …" if len(known) > 12 else "")
                raise UsageError(
                    f"`{self.subject.about}` has no column `{name}`",
                    hints=[
                        *(f"a column with a similar name exists: `{near}`" for near in similar(name, known)),
                        f"its columns are {listed}",
                    ],
                )

    def _read(self, columns: list[str] | None) -> pa.Table:
        try:
            table = self._dataset.to_table(columns=columns, filter=self._filter)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.subject, error) from error
        self.subject.check_unchanged()
        return table

    def _expression(self) -> pc.Expression | None:
        """The conditions as pyarrow takes them."""
        whole = None
        for condition in self.conditions:
            self.require([condition.column])
            if condition.operator not in _COMPARE:
                listed = ", ".join(f"`{one}`" for one in _COMPARE)
                raise UsageError(
                    f"not a comparison: `{condition.operator}`", hints=[f"comparisons are {listed}"]
                )
            kind = self.schema.field(condition.column).type
            try:
                wanted = scalar_like(condition.value, kind)
                part = _COMPARE[condition.operator](pc.field(condition.column), wanted)
                self._dataset.scanner(filter=part)
            except (pa.ArrowException, TypeError) as error:
                raise UsageError(
                    f"`{condition.column}` cannot be compared with {condition.value!r}",
                    because=f"the column is of type {kind}",
                ) from error
            whole = part if whole is None else whole & part
        return whole

    def _once(self, what: str, make: Callable[[], Any]) -> Any:
        key = (*self.key, what)
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]


def scalar_like(value: Any, kind: pa.DataType) -> pa.Scalar:
    """A value that can be compared with a column of this type.

    A text becomes a time where the column holds times; one without a zone is in the column's zone.

    Raises:
        pyarrow.ArrowException: it is no such value.
    """
    scalar = pa.scalar(value)
    if pa.types.is_timestamp(kind) and kind.tz is not None and pa.types.is_string(scalar.type):
        with contextlib.suppress(pa.ArrowException):
            return pc.assume_timezone(scalar.cast(pa.timestamp(kind.unit)), kind.tz)
    return scalar.cast(kind) if pa.types.is_temporal(kind) else scalar


def missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which elements are missing: null, or NaN in a column of floats."""
    return pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))


def present(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The elements that are not missing."""
    return column.filter(pc.invert(missing(column)))


def as_numpy(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[Any]]:
    """A column for a model: strings as objects with None, numbers with NaN where they are missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    return np.asarray(column.to_numpy())


def _open(subject: Subject) -> pa.dataset.Dataset:
    files = files_of(subject.path)
    kind = format_of(files[0])
    if kind is None:
        raise ProjectInvalid(
            f"`{subject.place}` cannot be read as a table",
            because="its name ends in none of the known formats",
        )
    try:
        return pa.dataset.dataset([str(file) for file in files], format=kind)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(subject, error) from error


def _unreadable(subject: Subject, error: Exception) -> ProjectInvalid:
    return ProjectInvalid(
        f"`{subject.place}` cannot be read as a table", because=str(error).strip().splitlines()[0]
    )
