"""The one rule of point-in-time joins, as SQL for DuckDB.

A row is known from `known = max(event, arrived)` on. At time t a key's value comes from its known row
with the greatest (event, arrived, row id). A row that on its arrival is older than what is known then
never has that place: without such rows, and with the greatest of each `known`, every key has a timeline
on which the latest row at or before t is the answer, so one as-of join gives it.

Times are BIGINT ticks since the epoch: microseconds, or nanoseconds where a column has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drystone.core.errors import ProjectInvalid
from drystone.features.session import Prepared, quoted

#: Microseconds up to which nanosecond ticks are exact (year 2255), with room to add a delay; what lies
#: beyond, such as year 9999, counts as this.
_LIMIT = 9_000_000_000_000_000


def ticks(column: str, kind: str, *, nano: bool) -> str:
    """SQL for a DATE or TIMESTAMP of any precision as ticks; naive is UTC, infinity is null."""
    if kind.endswith("_NS"):
        return f"epoch_ns({column})"  # then `nano` holds
    micros = f"epoch_us({column}::{'TIMESTAMPTZ' if 'WITH TIME ZONE' in kind else 'TIMESTAMP'})"
    # `greatest` and `least` pass over nulls, so a null must not meet them
    clamped = f"CASE WHEN {micros} IS NOT NULL THEN greatest(least({micros}, {_LIMIT}), -{_LIMIT}) * 1000 END"
    return clamped if nano else micros


def latest(view: Prepared, keys: Sequence[tuple[str, str]], *, nano: bool) -> str:
    """SQL that gives, for each row of `__spine` in its order, the view's plain columns.

    Args:
        view: the view.
        keys: pairs of a column of `__spine` and the key column of the view that it equals.
        nano: whether `__spine.__t` and all ticks are nanoseconds.
    """
    by = ", ".join(quoted(key) for _, key in keys)
    aged = "true"
    if view.header.max_age is not None:
        aged = f"spine.__t - timeline.__event <= {_length(view.header.max_age, nano)}"
    features = ", ".join(
        f"CASE WHEN {aged} THEN timeline.{quoted(name)} END AS {quoted(name)}" for name in view.roles.features
    )
    return f"""
        WITH known AS ({_known(view, [key for _, key in keys], view.roles.features, nano=nano)}),
        timeline AS (
            SELECT * FROM known
            QUALIFY __event >= max(__event) OVER (
                    PARTITION BY {by} ORDER BY __known, __event, __arrived, __rid ROWS UNBOUNDED PRECEDING)
                AND row_number() OVER (
                    PARTITION BY {by}, __known ORDER BY __event DESC, __arrived DESC, __rid DESC) = 1)
        SELECT {features}
        FROM __spine AS spine ASOF LEFT JOIN timeline
            ON {_equal(keys, "timeline")} AND spine.__t >= timeline.__known
        ORDER BY spine.__row"""


def aggregates(view: Prepared, keys: Sequence[tuple[str, str]], *, nano: bool) -> str:
    """SQL that gives, for each row of `__spine` in its order, the view's windowed columns.

    Where a row is known a fixed time after its event, spine and rows lie on one axis and each window
    is a frame of it, n log n for any aggregate (the condition of a spine row is null, so it does not
    count). Where arrivals vary a window is no frame: rows meet the spine rows of their own and the next
    stretch of the window's length, and are then filtered, which takes as many pairs as windows hold rows.

    Raises:
        ProjectInvalid: rows become known too late to be in a window.
    """
    for window in view.windows:
        if view.header.delay >= window.length:
            raise ProjectInvalid(
                "a window is not longer than the delay of its rows, so it never holds one", at=view.at
            )
    values = _on_one_axis if view.roles.arrival is None else _by_stretches
    # a null key or time names nobody, so its aggregates are null, and a count is not 0
    present = " AND ".join(f"{quoted(column)} IS NOT NULL" for column, _ in [*keys, ("__t", "")])
    columns = ", ".join(
        f"CASE WHEN {present} THEN {window.column} END AS {window.column}" for window in view.windows
    )
    return f"""
        SELECT * EXCLUDE (__row) FROM (
            SELECT __row, {view.items} FROM (
                SELECT __row, {columns}
                FROM __spine AS spine JOIN ({values(view, keys, nano=nano)}) USING (__row)))
        ORDER BY __row"""


def _on_one_axis(view: Prepared, keys: Sequence[tuple[str, str]], *, nano: bool) -> str:
    frames = ", ".join(
        f"{window.call} FILTER (WHERE {window.condition}) OVER ("
        f"PARTITION BY {', '.join(quoted(key) for _, key in keys)} ORDER BY __known "
        f"RANGE BETWEEN {_length(window.length - view.header.delay, nano) - 1} PRECEDING AND CURRENT ROW"
        f") AS {window.column}"
        for window in view.windows
    )
    own = ", ".join(f"{quoted(column)} AS {quoted(key)}" for column, key in keys)
    rows = _known(view, [key for _, key in keys], view.inputs, nano=nano)
    return f"""
        SELECT * FROM (
            SELECT __row, {frames} FROM (
                SELECT * EXCLUDE (__event, __arrived, __rid) FROM ({rows})
                UNION ALL BY NAME SELECT __row, __t AS __known, {own} FROM __spine))
        WHERE __row IS NOT NULL"""


def _by_stretches(view: Prepared, keys: Sequence[tuple[str, str]], *, nano: bool) -> str:
    rows = _known(view, [key for _, key in keys], view.inputs, nano=nano)
    joined = "__spine"
    for length in sorted({window.length for window in view.windows}):
        span = _length(length, nano)
        calls = ", ".join(
            f"{window.call} FILTER (WHERE {window.condition}) AS {window.column}"
            for window in view.windows
            if window.length == length
        )
        joined += f"""
            JOIN (SELECT spine.__row, {calls} FROM __spine AS spine LEFT JOIN (
                    SELECT *, __event // {span} + step AS __stretch
                    FROM ({rows}), (VALUES (0), (1)) steps(step)
                ) AS near ON {_equal(keys, "near")} AND near.__stretch = spine.__t // {span}
                    AND near.__event > spine.__t - {span} AND near.__known <= spine.__t
                GROUP BY spine.__row) USING (__row)"""
    return f"SELECT __row, {', '.join(window.column for window in view.windows)} FROM {joined}"


def _known(view: Prepared, keys: Iterable[str], columns: Iterable[str], *, nano: bool) -> str:
    """The view's rows with `__event`, `__arrived` and `__known` in ticks; those never known are left out."""
    event = ticks(quoted(view.roles.event), view.types[view.roles.event], nano=nano)
    arrived = f"({event}) + {_length(view.header.delay, nano)}"
    if view.roles.arrival is not None:
        arrived = ticks(quoted(view.roles.arrival), view.types[view.roles.arrival], nano=nano)
    named = ", ".join([*(quoted(name) for name in [*keys, *columns]), "__rid"])
    return f"""
        SELECT *, greatest(__event, __arrived) AS __known
        FROM (SELECT {named}, {event} AS __event, {arrived} AS __arrived FROM {view.table})
        WHERE __event IS NOT NULL AND __arrived IS NOT NULL"""


def _equal(keys: Sequence[tuple[str, str]], relation: str) -> str:
    return " AND ".join(f"spine.{quoted(column)} = {relation}.{quoted(key)}" for column, key in keys)


def _length(microseconds: int, nano: bool) -> int:
    return microseconds * 1000 if nano else microseconds
