"""The fixture `data`: expectations about a dataset.

A dataset is judged as it is, not as a sample of something: a share of its rows is exactly what it
is, so a claim about it is `pass` or `fail`, and `unsure` only where there are no rows. The interval
that goes with a share is for the reader who does take the rows for a sample; no verdict rests on it.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from drystone.checks.claims import Claim, ClaimLog, holds, number
from drystone.checks.subject import Subject
from drystone.checks.subjects import Subjects
from drystone.checks.tables import Condition, Operator, Rows, missing, present, scalar_like
from drystone.core.clock import from_iso, to_iso
from drystone.core.errors import UsageError
from drystone.core.intervals import wilson
from drystone.ledger.facts import Verdict

_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
#: Kinds of column by the words people use; any other word is one of pyarrow's type names.
_TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "bool": pa.types.is_boolean,
    "int": pa.types.is_integer,
    "float": pa.types.is_floating,
    "number": lambda kind: (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    ),
    "string": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_text_code(kind),
    "time": pa.types.is_timestamp,
    "date": pa.types.is_date,
}


class Data:
    """A dataset to make claims about; `data("flights")` is another one.

    Each claim is judged and recorded where it is made; the test fails at its end if one failed, so
    that one run tells everything that is wrong. All claims return what they were called on.
    """

    def __init__(
        self,
        subjects: Subjects,
        log: ClaimLog,
        file: Path,
        now: Callable[[], int],
        name: str | None = None,
        conditions: tuple[Condition, ...] = (),
    ) -> None:
        self._subjects, self._log, self._file, self._now = subjects, log, file, now
        self._name, self._conditions = name, conditions
        self._opened: Rows | None = None
        if name is not None:
            self._rows()  # what is misspelt is an error where it stands

    def __call__(self, name: str) -> Data:
        """The dataset of that name, e.g. `training`, `months/2013-04` or `flights@v3`.

        Raises:
            NotFound, Ambiguous: it names nothing, or several things.
        """
        return Data(self._subjects, self._log, self._file, self._now, name)

    def where(self, column: str, operator: Operator, value: Any) -> Data:
        """The rows that meet a condition, e.g. `data("flights").where("month", "==", 4)`.

        Args:
            column: which column.
            operator: one of `== != < <= > >=`; a missing value meets none.
            value: what to compare with; a text does for a time, and without a zone is in the column's.

        Raises:
            UsageError: there is no such column, or it cannot be compared with the value.
        """
        conditions = (*self._conditions, Condition(column, operator, value))
        name = self._name if self._name is not None else self.subject.name
        return Data(self._subjects, self._log, self._file, self._now, name, conditions)

    @property
    def subject(self) -> Subject:
        """What is judged."""
        return self._rows().subject

    @property
    def table(self) -> pa.Table:
        """The whole dataset as a pyarrow table, for assertions of your own."""
        return self._rows(judged=True).table

    def expect(self, column: str) -> Column:
        """A column to make claims about.

        Raises:
            UsageError: there is no such column.
        """
        rows = self._rows(judged=True)
        return Column(self, column, rows.column(column))

    def rows(self, *, min: int | None = None, max: int | None = None) -> Data:  # noqa: A002
        """The dataset has at least `min` and at most `max` rows."""
        count = self._rows(judged=True).count
        good = (min is None or count >= min) and (max is None or count <= max)
        words = [f">= {min:,}" if min is not None else "", f"<= {max:,}" if max is not None else ""]
        self._claim(
            "rows", "pass" if good else "fail", " and ".join(filter(None, words)), value=count, n=count
        )
        return self

    def columns(self, wanted: Mapping[str, str] | Iterable[str], *, exactly: bool = False) -> Data:
        """The dataset has these columns, of these types where they are given.

        Args:
            wanted: names, or names with types: `bool int float number string time date`, or pyarrow's
                own name of a type such as `int16`.
            exactly: whether any other column fails the claim.
        """
        schema = self._rows(judged=True).schema
        types = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted, "")
        wrong = [f"`{name}` is missing" for name in types if name not in schema.names]
        for name, kind in types.items():
            if name in schema.names and not _is_type(kind, schema.field(name).type):
                wrong.append(f"`{name}` is {schema.field(name).type}, not {kind}")
        if exactly:
            wrong += [f"`{name}` is not expected" for name in schema.names if name not in types]
        threshold = f"{', '.join(types)}{' and no other' if exactly else ''}"
        self._claim("columns", "fail" if wrong else "pass", threshold, why="; ".join(wrong))
        return self

    def without(self, *names: str) -> Data:
        """The dataset has none of these columns, such as a label that must not leak."""
        there = [name for name in names if name in self._rows(judged=True).schema.names]
        why = f"it has {', '.join(f'`{name}`' for name in there)}" if there else ""
        self._claim(f"without {', '.join(names)}", "fail" if there else "pass", "absent", why=why)
        return self

    def unique(self, *columns: str, max: float = 0.0) -> Data:  # noqa: A002
        """No two rows have the same values in these columns, but for a share of at most `max`.

        The share is that of rows that could go without a value being lost; a missing value is one.
        """
        rows = self._rows(judged=True)
        if not columns:
            raise UsageError("`unique` needs a column", hints=['as in `data.unique("flight_id")`'])
        rows.require(columns)
        table = pa.table({str(number): rows.column(name) for number, name in enumerate(columns)})
        surplus = len(table) - len(table.group_by(table.column_names).aggregate([]))
        self._share(f"unique {', '.join(columns)}", surplus, len(table), max, "repeat another row")
        return self

    def fresh(self, column: str, *, within: str, now: str | None = None) -> Data:
        """The newest time in a column is no older than `within`, e.g. `2d`, `12h`, `30m`, `1w`.

        Times without a zone are UTC. Times later than `now` do not count: one wrong clock would make
        the data fresh for ever.

        Args:
            column: a column of times or dates, or of texts that are ISO 8601 times.
            within: the greatest age.
            now: ISO 8601 time to judge by; the time of the session if left out.

        Raises:
            UsageError: `within` is no period, or the column holds no times.
        """
        limit, unit = _period(within)
        moment = self._now() if now is None else _moment(now)
        times = _nanoseconds(self._rows(judged=True).column(column), column)
        past = times.filter(pc.less_equal(times, moment))
        later = len(times) - len(past)
        name, threshold = f"fresh {column}", f"<= {number(limit)} {unit}"
        also = f"; {later:,} times after {to_iso(moment)} do not count" if later else ""
        if not len(past):
            verdict: Verdict = "fail" if later else "unsure"
            self._claim(name, verdict, threshold, n=len(times), why=f"there is no time in it{also}")
            return self
        newest = pc.max(past).as_py()
        age = (moment - newest) / (_PERIODS[unit] * 1e9)
        why = f"the newest is {to_iso(newest)}{also}"
        good = holds(age, "<=", limit)
        self._claim(name, "pass" if good else "fail", threshold, value=age, n=len(times), why=why)
        return self

    # -- inside ----------------------------------------------------------------------------------

    def _rows(self, *, judged: bool = False) -> Rows:
        if self._opened is None:
            found = (
                self._subjects.default("data", self._file)
                if self._name is None
                else self._subjects.find("data", self._name)
            )
            self._opened = Rows(self._subjects, found, self._conditions)
        if judged:
            self._log.look_at(self._opened.subject)
        return self._opened

    def _claim(self, name: str, verdict: Verdict, threshold: str, **rest: Any) -> None:
        subject, scope = self.subject, self._rows().scope
        claim = Claim(name, subject.object, subject.about, verdict, threshold=threshold, scope=scope, **rest)
        self._log.add(claim)

    def _share(self, name: str, bad: int, n: int, limit: float, what: str, also: str = "") -> None:
        """Judge a share of rows, exactly."""
        if not 0 <= limit <= 1:
            raise UsageError(f"`max` is a share of the rows, between 0 and 1: {limit}")
        threshold = f"<= {number(limit)}"
        if not n:
            self._claim(name, "unsure", threshold, n=0, why=f"there is no row to judge{also}")
            return
        verdict: Verdict = "pass" if bad / n <= limit else "fail"
        why = f"{bad:,} of {n:,} rows {what}{also}"
        self._claim(
            name, verdict, threshold, value=bad / n, interval=wilson(bad, n), n=n, exact=True, why=why
        )


class Column:
    """A column of a dataset, and claims about it. Missing values are judged by `missing` alone."""

    def __init__(self, data: Data, name: str, values: pa.ChunkedArray) -> None:
        self._data, self._name = data, name
        coded = pa.types.is_dictionary(values.type)
        self._values = values.cast(values.type.value_type) if coded else values

    def missing(self, *, max: float = 0.0) -> Column:  # noqa: A002
        """At most this share of the rows has no value (null, or NaN)."""
        bad = pc.sum(missing(self._values)).as_py() or 0
        self._data._share(f"{self._name} missing", bad, len(self._values), max, "have no value")
        return self

    def between(self, low: Any, high: Any, *, max: float = 0.0) -> Column:  # noqa: A002
        """Values lie between `low` and `high`, both included, but for a share of at most `max`.

        Raises:
            UsageError: the column cannot be compared with the limits.
        """
        values = present(self._values)
        try:
            outside = pc.or_(
                pc.less(values, scalar_like(low, values.type)),
                pc.greater(values, scalar_like(high, values.type)),
            )
        except (pa.ArrowException, TypeError) as error:
            raise UsageError(
                f"`{self._name}` cannot be compared with {low!r} and {high!r}",
                because=f"the column is of type {values.type}",
            ) from error
        ends = pc.min_max(values)
        also = f"; values run from {_shown(ends['min'])} to {_shown(ends['max'])}" if len(values) else ""
        bad = pc.sum(outside).as_py() or 0
        what = f"lie outside {_shown(low)} to {_shown(high)}"
        self._data._share(f"{self._name} between", bad, len(values), max, what, also)
        return self

    def one_of(self, values: Iterable[Any], *, max: float = 0.0) -> Column:  # noqa: A002
        """Values are among these, but for a share of at most `max`.

        Raises:
            UsageError: the values are of another type than the column.
        """
        self._among(list(values), f"{self._name} one of", max)
        return self

    def known(self, reference: Data | Iterable[Any], *, max: float = 0.0) -> Column:  # noqa: A002
        """Values occur in this column of another dataset (or in a list), but for a share of at most `max`."""
        if isinstance(reference, Data):
            values = reference._rows().column(self._name)
            self._among(pc.unique(values).to_pylist(), f"{self._name} known", max)
        else:
            self._among(list(reference), f"{self._name} known", max)
        return self

    def _among(self, allowed: list[Any], name: str, limit: float) -> None:
        values = present(self._values)
        try:
            known = pa.array([value for value in allowed if value is not None]).cast(values.type)
        except (pa.ArrowException, TypeError) as error:
            raise UsageError(
                f"`{self._name}` cannot be among {allowed[:3]!r}",
                because=f"the column is of type {values.type}",
            ) from error
        strange = values.filter(pc.invert(pc.is_in(values, value_set=known)))
        examples = ", ".join(_shown(value) for value in pc.unique(strange).slice(0, 5).to_pylist())
        also = f": {examples}" if examples else ""
        self._data._share(name, len(strange), len(values), limit, "have other values", also)


def _is_text_code(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type))


def _is_type(word: str, kind: pa.DataType) -> bool:
    if not word:
        return True
    if word in _TYPES:
        return bool(_TYPES[word](kind))
    try:
        return bool(pa.type_for_alias(word) == kind)
    except ValueError:
        raise UsageError(
            f"no such type of a column: `{word}`",
            hints=[f"types are {', '.join(f'`{one}`' for one in _TYPES)}"],
        ) from None


def _shown(value: Any) -> str:
    value = value.as_py() if isinstance(value, pa.Scalar) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return (
        value.isoformat() if isinstance(value, date) else textwrap.shorten(repr(value), 80, placeholder="…")
    )


def _period(text: str) -> tuple[float, str]:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhdw])", text)
    if not match:
        raise UsageError(
            f"not a period: `{text}`", hints=["a period is a number and one of `s m h d w`, as in `2d`"]
        )
    return float(match[1]), match[2]


def _moment(text: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        raise UsageError(f"not a time: `{text}`", hints=["write it as `2013-04-01T00:00:00Z`"]) from None


def _nanoseconds(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """The times of a column that are there, as nanoseconds since the epoch, UTC."""
    texts = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if texts or pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        for zone in ("UTC", None):  # a cast wants to know whether texts have a zone
            with contextlib.suppress(pa.ArrowException):
                return column.cast(pa.timestamp("ns", tz=zone)).cast(pa.int64()).drop_null()
    raise UsageError(f"`{name}` holds no times", because=f"the column is of type {column.type}")
