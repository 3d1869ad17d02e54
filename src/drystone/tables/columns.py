"""How the values of each column are distributed in both versions, and how far that moved.

Everything is an aggregate in one pass or two, so memory does not grow with the rows. One thread does
it: DuckDB adds floats in the order in which threads finish, and a review of the same files should
say the same.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from drystone.tables.facts import Cell, ColumnReview, Kind, Summary
from drystone.tables.source import LONGEST, Column, Pair, cell, kind_of

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Text with more different values is taken for names or prose, of which no top list tells anything.
_FEW = 1000
_TOP = 5
_WIDE = 200  # columns per query
_Side = Literal["old", "new"]


class _First(NamedTuple):
    """What one pass tells about a column of one version; numbers and times as floats, times as seconds."""

    type: str
    kind: Kind
    values: int
    nulls: int
    finite: int
    distinct: int | None
    least: Cell
    greatest: Cell
    largest: float
    quantiles: tuple[float, ...]


def review_columns(pair: Pair) -> tuple[ColumnReview, ...]:
    """Every column of either version."""
    threads = pair.row("SELECT current_setting('threads')")[0]
    pair.rows("SET threads = 1")
    try:
        found: list[ColumnReview] = []
        for start in range(0, len(pair.columns), _WIDE):
            some = pair.columns[start : start + _WIDE]
            first = {side: _first_pass(pair, side, some) for side in ("old", "new")}
            found += _second_pass(pair, some, first["old"], first["new"])
        return tuple(found)
    finally:
        pair.rows(f"SET threads = {threads}")


def _number(column: Column, kind: Kind) -> str:
    plain = f"c{column.number}"
    return f"epoch({plain})" if kind == "time" else f"CAST({plain} AS DOUBLE)"


def _first_pass(pair: Pair, side: _Side, columns: Sequence[Column]) -> dict[int, _First]:
    present = [
        (column, type_) for column in columns if (type_ := column.old if side == "old" else column.new)
    ]
    if not present:
        return {}
    items = ["count(*)"]
    for column, type_ in present:
        plain, kind = f"c{column.number}", kind_of(type_)
        items.append(f"count({plain})")
        items.append("NULL" if kind == "other" else f"approx_count_distinct({plain})")
        if kind not in ("number", "time"):
            items += ["NULL"] * 6
            continue
        number = _number(column, kind)
        finite = f"FILTER (WHERE isfinite({number}))"
        items += [f"count(*) {finite}", f"min({plain}) {finite}", f"max({plain}) {finite}"]
        if kind == "time":  # as text, because Python knows no time after the year 9999
            items[-2:] = [f"CAST({item} AS VARCHAR)" for item in items[-2:]]
        items += [f"min({number}) {finite}", f"max({number}) {finite}"]
        items.append(f"approx_quantile({number}, {list(QUANTILES)}) {finite}")
    total, *values = pair.row(f"SELECT {', '.join(items)} FROM {side}", side)
    found = {}
    for place, (column, type_) in enumerate(present):
        count, distinct, finite_count, least, greatest, low, high, quantiles = values[8 * place :][:8]
        found[column.number] = _First(
            type_,
            kind_of(type_),
            count,
            total - count,
            count if finite_count is None else finite_count,
            None if distinct is None else min(distinct, count),
            cell(least),
            cell(greatest),
            max(abs(low or 0.0), abs(high or 0.0)),
            # DuckDB takes the smallest positive number for the greatest of values below it
            tuple(min(max(each, low), high) for each in quantiles or ()),
        )
    return found


def _second_pass(
    pair: Pair, columns: Sequence[Column], old: dict[int, _First], new: dict[int, _First]
) -> list[ColumnReview]:
    cuts = {
        column.number: sorted(
            {cut for side in (old, new) if column.number in side for cut in side[column.number].quantiles}
        )
        for column in columns
    }
    numbers = {
        "old": _numbers(pair, "old", columns, old, cuts),
        "new": _numbers(pair, "new", columns, new, cuts),
    }
    found = []
    for column in columns:
        before, after = old.get(column.number), new.get(column.number)
        tops, moved = _words(pair, column, before, after) if column.kind == "words" else (((), ()), None)
        moments = [numbers[side].get(column.number) for side in ("old", "new")]
        if column.kind in ("number", "time"):
            moved = _distance(before, after, *moments)
        summaries = [
            None if first is None else _summary(first, moment, top)
            for first, moment, top in zip((before, after), moments, tops, strict=True)
        ]
        found.append(ColumnReview(column.name, column.kind, summaries[0], summaries[1], moved))
    return found


class _Moments(NamedTuple):
    mean: float | None
    std: float | None
    below: tuple[int, ...]


def _numbers(
    pair: Pair, side: _Side, columns: Sequence[Column], first: dict[int, _First], cuts: dict[int, list[float]]
) -> dict[int, _Moments]:
    """Mean, deviation, and how many values lie at or below each cut."""
    items: list[str] = []
    wanted: list[tuple[Column, float]] = []
    for column in columns:
        one = first.get(column.number)
        if one is None or one.kind not in ("number", "time"):
            continue
        number = _number(column, one.kind)
        finite = f"isfinite({number})"
        # a power of two, so that nothing is rounded, by which no square overflows
        scale = 2.0 ** min(1023, max(-1000, math.frexp(one.largest)[1])) if one.largest else 1.0
        scaled = f"{number} / {_float(scale)}"
        wanted.append((column, scale))
        items += [f"avg({scaled}) FILTER (WHERE {finite})", f"stddev_samp({scaled}) FILTER (WHERE {finite})"]
        items += [
            f"count(*) FILTER (WHERE {finite} AND {number} <= {_float(cut)})" for cut in cuts[column.number]
        ]
    if not items:
        return {}
    values = list(pair.row(f"SELECT {', '.join(items)} FROM {side}", side))
    found = {}
    for column, scale in wanted:
        width = len(cuts[column.number])
        mean, std, below, values = values[0], values[1], values[2 : 2 + width], values[2 + width :]
        found[column.number] = _Moments(
            None if mean is None else mean * scale, None if std is None else std * scale, tuple(below)
        )
    return found


def _float(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)"


def _distance(
    old: _First | None, new: _First | None, before: _Moments | None, after: _Moments | None
) -> float | None:
    if not (old and new and before and after and old.finite and new.finite):
        return None
    steps = zip(before.below, after.below, strict=True)
    return max((abs(a / old.finite - b / new.finite) for a, b in steps), default=0.0)


def _words(
    pair: Pair, column: Column, old: _First | None, new: _First | None
) -> tuple[tuple[tuple[tuple[Cell, int], ...], ...], float | None]:
    """The most frequent values of both sides, and how much share changed hands."""
    none: tuple[tuple[tuple[Cell, int], ...], ...] = ((), ())
    if any(side is not None and (side.distinct or 0) > _FEW for side in (old, new)):
        return none, None
    parts = [
        f"SELECT CAST(c{column.number} AS VARCHAR) AS v, {way} AS side FROM {name}"
        f" WHERE c{column.number} IS NOT NULL"
        for name, way, side in (("old", 0, old), ("new", 1, new))
        if side is not None
    ]
    rows = pair.rows(
        f"SELECT left(v, {LONGEST + 1}), count(*) FILTER (WHERE side = 0), count(*) FILTER (WHERE side = 1)"
        f" FROM ({' UNION ALL '.join(parts)}) GROUP BY v ORDER BY count(*) DESC, v LIMIT {4 * _FEW}",
        "old",
        "new",
    )
    counted = [
        sorted(((row[0], row[i]) for row in rows if row[i]), key=lambda each: -each[1]) for i in (1, 2)
    ]
    tops = tuple(tuple((cell(value), count) for value, count in side[:_TOP]) for side in counted)
    if not (old and new and old.values and new.values):
        return tops, None
    return tops, sum(max(0.0, row[1] / old.values - row[2] / new.values) for row in rows)


def _summary(first: _First, moments: _Moments | None, top: tuple[tuple[Cell, int], ...]) -> Summary:
    quantiles: tuple[Cell, ...] = first.quantiles
    if first.kind == "time":
        quantiles = tuple(map(_time, first.quantiles))
    of_numbers = moments if first.kind == "number" else None
    return Summary(
        first.type,
        first.values,
        first.nulls,
        first.values - first.finite,
        first.distinct,
        of_numbers.mean if of_numbers else None,
        of_numbers.std if of_numbers else None,
        first.least,
        first.greatest,
        quantiles,
        top,
    )


def _time(seconds: float) -> str | None:
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError):
        return None  # beyond the years that Python knows
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
