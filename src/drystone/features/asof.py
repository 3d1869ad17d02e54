"""The one rule of point-in-time joins, as SQL for DuckDB.

A row is known from `known = max(event, arrived)` on. At time t a key's value comes from its known row
with the greatest (event, arrived, row id). A row that on its arrival is older than what is known then
never has that place: without such rows, and with the greatest of each `known`, every key has a timeline
on which the latest row at or before t is the answer, so one as-of join gives it.

Where rows of the spine have rows of their own, which count as absent (`-- except_own:`), the timeline
holds a second answer beside the first: the greatest row that is not of the first one's owner.

Times are BIGINT ticks since the epoch: microseconds, or nanoseconds where a column has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drystone.core.errors import ProjectInvalid
from drystone.features.session import Prepared, quoted
from drystone.features.spine import Match

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


def latest(view: Prepared, match: Match, *, nano: bool) -> str:
    """SQL that gives, for each row of `__spine` in its order, the view's plain columns.

    Args:
        view: the view.
        match: which of its rows are for a row of `__spine`, and which are its own.
        nano: whether `__spine.__t` and all ticks are nanoseconds.
    """
    aged = "true"
    if view.header.max_age is not None:
        aged = f"__t - __event <= {_length(view.header.max_age, nano)}"
    features = ", ".join(
        f"CASE WHEN {aged} THEN found.{quoted(name)} END AS {quoted(name)}" for name in view.roles.features
    )
    chosen = _newest if match.own is None else _newest_of_others
    return f"""
        WITH known AS MATERIALIZED ({_known(view, match.columns, view.roles.features, nano=nano)})
        SELECT {features} FROM ({chosen(match)}) AS found ORDER BY __row"""


def _newest(match: Match) -> str:
    """SQL that gives each row of `__spine` the greatest row of `known` at its time."""
    by = _names(match.keys)
    return f"""
        WITH timeline AS (
            SELECT * FROM known
            QUALIFY __event >= max(__event) OVER (
                    PARTITION BY {by} ORDER BY __known, __event, __arrived, __rid ROWS UNBOUNDED PRECEDING)
                AND row_number() OVER (
                    PARTITION BY {by}, __known ORDER BY __event DESC, __arrived DESC, __rid DESC) = 1)
        SELECT spine.__row, spine.__t, timeline.*
        FROM __spine AS spine ASOF LEFT JOIN timeline
            ON {_equal(match.keys, "timeline")} AND spine.__t >= timeline.__known"""


def _newest_of_others(match: Match) -> str:
    """The same without each row's own rows, still n log n.

    `__place` numbers the rows from the least to the greatest. As a key's rows become known one by one,
    the greatest so far is of one owner for a stretch of them, then of another. The greatest so far of all
    others (`__second`) is, when a stretch begins, what was greatest before it; within the stretch it is
    replaced by greater rows of others, which are less than `__first`, or the stretch would have ended.
    """
    assert match.own is not None
    by, mine, own = _names(match.keys), *map(quoted, match.own)
    so_far = f"PARTITION BY {by} ORDER BY __known, __place ROWS"
    return f"""
        WITH placed AS MATERIALIZED (
            SELECT *, row_number() OVER (ORDER BY __event, __arrived, __rid) AS __place FROM known),
        greatest_so_far AS (
            SELECT {by}, {own} AS __owner, __known, __place,
                max(__place) OVER ({so_far} UNBOUNDED PRECEDING) AS __first,
                max(__place) OVER ({so_far} BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS __before
            FROM placed),
        begun AS (
            SELECT so_far.*, so_far.__place = __first AND __owner IS DISTINCT FROM former.{own} AS __begins
            FROM greatest_so_far AS so_far LEFT JOIN placed AS former ON former.__place = so_far.__before),
        stretches AS (
            SELECT *, count(*) FILTER (WHERE __begins) OVER ({so_far} UNBOUNDED PRECEDING) AS __stretch
            FROM begun),
        owned AS (
            SELECT *, first_value(__owner) OVER (
                PARTITION BY {by}, __stretch ORDER BY __known, __place) AS __of_first
            FROM stretches),
        timeline AS (
            SELECT {by}, __known, __first, __of_first,
                max(CASE
                    WHEN __begins THEN __before
                    WHEN __owner IS DISTINCT FROM __of_first THEN __place
                END) OVER (
                    PARTITION BY {by}, __stretch ORDER BY __known, __place ROWS UNBOUNDED PRECEDING
                ) AS __second
            FROM owned
            QUALIFY row_number() OVER (PARTITION BY {by}, __known ORDER BY __place DESC) = 1),
        chosen AS (
            SELECT spine.__row, spine.__t,
                CASE WHEN spine.{mine} = __of_first THEN __second ELSE __first END AS __place
            FROM __spine AS spine ASOF LEFT JOIN timeline
                ON {_equal(match.keys, "timeline")} AND spine.__t >= timeline.__known)
        SELECT * FROM chosen LEFT JOIN placed USING (__place)"""


def aggregates(view: Prepared, match: Match, *, nano: bool) -> str:
    """SQL that gives, for each row of `__spine` in its order, the view's windowed columns.

    Where a row is known a fixed time after its event, spine and rows lie on one axis and each window
    is a frame of it, n log n for any aggregate (the condition of a spine row is null, so it does not
    count). Where arrivals vary, or rows of its own are to be left out, a window is no frame: rows meet
    the spine rows of their own and the next stretch of the window's length, and are then filtered, which
    takes as many pairs as windows hold rows. A spine row with no row of its own in the window has a frame.

    Raises:
        ProjectInvalid: rows become known too late to be in a window.
    """
    for window in view.windows:
        if view.header.delay >= window.length:
            raise ProjectInvalid(
                "a window is not longer than the delay of its rows, so it never holds one", at=view.at
            )
    # a null key or time names nobody, so its aggregates are null, and a count is not 0
    present = " AND ".join(f"{quoted(column)} IS NOT NULL" for column, _ in [*match.keys, ("__t", "")])
    columns = ", ".join(
        f"CASE WHEN {present} THEN {window.column} END AS {window.column}" for window in view.windows
    )
    if view.roles.arrival is not None:
        values = _by_stretches(view, match, "__spine", nano=nano)
    elif match.own is None:
        values = _on_one_axis(view, match, nano=nano)
    else:
        values = _by_both(view, match, match.own, nano=nano)
    return f"""
        WITH known AS MATERIALIZED ({_known(view, match.columns, view.inputs, nano=nano)})
        SELECT * EXCLUDE (__row) FROM (
            SELECT __row, {view.items} FROM (
                SELECT __row, {columns} FROM __spine AS spine JOIN ({values}) USING (__row)))
        ORDER BY __row"""


def _by_both(view: Prepared, match: Match, own: tuple[str, str], *, nano: bool) -> str:
    """Pairs for the rows of `__spine` with a row of their own in the longest window, frames for the rest.

    Of a row's own rows the newest tells whether there is one: known a fixed time after their event, they
    leave the window in the order in which they came.
    """
    mine, theirs = map(quoted, own)
    longest = _length(max(window.length for window in view.windows), nano)
    return f"""
        WITH entangled AS MATERIALIZED (
            SELECT spine.* FROM __spine AS spine ASOF JOIN known
                ON {_equal(match.keys, "known")} AND spine.{mine} = known.{theirs}
                    AND spine.__t >= known.__known
            WHERE known.__event > spine.__t - {longest})
        {_by_stretches(view, match, "entangled", nano=nano)}
        UNION ALL BY NAME
        SELECT * FROM ({_on_one_axis(view, match, nano=nano)}) ANTI JOIN entangled USING (__row)"""


def _on_one_axis(view: Prepared, match: Match, *, nano: bool) -> str:
    frames = ", ".join(
        f"{window.call} FILTER (WHERE {window.condition}) OVER ("
        f"PARTITION BY {_names(match.keys)} ORDER BY __known "
        f"RANGE BETWEEN {_length(window.length - view.header.delay, nano) - 1} PRECEDING AND CURRENT ROW"
        f") AS {window.column}"
        for window in view.windows
    )
    keys = ", ".join(f"{quoted(column)} AS {quoted(key)}" for column, key in match.keys)
    theirs = ", ".join([_names(match.keys), "__known", *view.inputs])
    return f"""
        SELECT * FROM (
            SELECT __row, {frames} FROM (
                SELECT {theirs} FROM known
                UNION ALL BY NAME SELECT __row, __t AS __known, {keys} FROM __spine))
        WHERE __row IS NOT NULL"""


def _by_stretches(view: Prepared, match: Match, spine: str, *, nano: bool) -> str:
    """The windows of the rows of `spine`, which is `__spine` or some of it."""
    others = "true"
    if match.own is not None:
        mine, theirs = map(quoted, match.own)
        others = f"(near.{theirs} = spine.{mine}) IS NOT TRUE"
    joined = spine
    for length in sorted({window.length for window in view.windows}):
        span = _length(length, nano)
        calls = ", ".join(
            f"{window.call} FILTER (WHERE {window.condition}) AS {window.column}"
            for window in view.windows
            if window.length == length
        )
        joined += f"""
            JOIN (SELECT spine.__row, {calls} FROM {spine} AS spine LEFT JOIN (
                    SELECT *, __event // {span} + step AS __stretch
                    FROM known, (VALUES (0), (1)) steps(step)
                ) AS near ON {_equal(match.keys, "near")} AND near.__stretch = spine.__t // {span}
                    AND near.__event > spine.__t - {span} AND near.__known <= spine.__t AND {others}
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


def _names(keys: Sequence[tuple[str, str]]) -> str:
    return ", ".join(quoted(key) for _, key in keys)


def _length(microseconds: int, nano: bool) -> int:
    return microseconds * 1000 if nano else microseconds
