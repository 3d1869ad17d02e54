"""Which rows were removed, added or changed, by a key or as whole rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from drystone.core.errors import UsageError
from drystone.core.suggest import similar
from drystone.tables.facts import Cell, Changed, ColumnReview, Rows, Samples
from drystone.tables.source import LONGEST, Column, Pair, cell

_KEY = re.compile(r"(.*_)?id", re.IGNORECASE)
#: A column with fewer different values than this part of its rows, roughly counted, is not looked at closer.
_PROMISING = 0.5
#: In a query of one side whether its row is there; the other side's row may be wanting.
_LEFT, _RIGHT = "o.present IS NULL", "n.present IS NULL"


class Matching(NamedTuple):
    """The columns by which rows belong together (none: whole rows are compared) and why these."""

    key: tuple[Column, ...]
    why: str


def matching(pair: Pair, asked: Sequence[str], summaries: Mapping[str, ColumnReview]) -> Matching:
    """The key to compare rows by: the one asked for, else columns named `id` or `*_id` that are unique.

    Each of those columns is tried alone, then all together. A key with repeated values cannot say
    which row became which, so then whole rows are compared, and that is told.

    Raises:
        UsageError: a column that was asked for is not in both versions.
    """
    if asked:
        key = tuple(_column(pair, name) for name in asked)
        repeats = _repeats(pair, key)
        named = ", ".join(f"`{column.name}`" for column in key)
        return (
            Matching((), f"{named}, which was asked for, repeats: {repeats}")
            if repeats
            else Matching(key, "as asked for")
        )
    candidates = [column for column in pair.shared if _KEY.fullmatch(column.name)]
    if not candidates:
        return Matching((), "no column that both versions have is named `id` or `*_id`")
    for column in candidates:
        if _is_promising(summaries.get(column.name)) and not _repeats(pair, (column,)):
            return Matching((column,), f"`{column.name}` is unique in both versions")
    named = ", ".join(f"`{column.name}`" for column in candidates)
    repeats = _repeats(pair, candidates)
    if repeats:
        return Matching((), f"{named} repeats: {repeats}")
    return Matching(tuple(candidates), f"{named} together are unique in both versions")


def compare(pair: Pair, found: Matching, samples: int) -> Rows:
    """Counts the rows that differ, and gives up to `samples` of each sort."""
    old, new = (pair.row(f"SELECT count(*) FROM {side}", side)[0] for side in ("old", "new"))
    if not pair.shared:
        return Rows(old, new, old, new, 0, {}, (), "the two versions have no column in common")
    if found.key:
        return _by_key(pair, found, old, new, samples)
    return _as_wholes(pair, found, old, new, samples)


def _by_key(pair: Pair, found: Matching, old: int, new: int, samples: int) -> Rows:
    others = [column for column in pair.shared if column not in found.key]
    differing = [f"o.r{each.number} IS DISTINCT FROM n.r{each.number}" for each in others]
    both = f"NOT ({_LEFT}) AND NOT ({_RIGHT})"
    changed = f"{both} AND ({' OR '.join(differing) or 'false'})"
    equal = " AND ".join(f"o.r{each.number} IS NOT DISTINCT FROM n.r{each.number}" for each in found.key)
    joined = (
        "(SELECT *, true AS present FROM old_rows) o FULL JOIN"
        f" (SELECT *, true AS present FROM new_rows) n ON {equal}"
    )
    conditions = [_RIGHT, _LEFT, changed, *(f"{both} AND {each}" for each in differing)]
    items = ", ".join(f"count(*) FILTER (WHERE {each})" for each in conditions)
    removed, added, altered, *by_column = pair.row(f"SELECT {items} FROM {joined}", "old", "new")
    columns = {column.name: count for column, count in zip(others, by_column, strict=True) if count}
    return Rows(
        old,
        new,
        removed,
        added,
        altered,
        columns,
        tuple(column.name for column in found.key),
        found.why,
        _keyed_samples(pair, found.key, joined, changed, samples) if samples else Samples(),
    )


def _keyed_samples(pair: Pair, key: Sequence[Column], joined: str, changed: str, samples: int) -> Samples:
    def some(condition: str, items: Sequence[str], side: Literal["o", "n"]) -> list[tuple[Any, ...]]:
        order = ", ".join(f"{side}.r{column.number}" for column in key)
        sql = f"SELECT {', '.join(items)} FROM {joined} WHERE {condition} ORDER BY {order} LIMIT {samples}"
        return pair.rows(sql, "old", "new")

    old, new = ([_shown(column, f"{side}.r{column.number}") for column in pair.shared] for side in "on")
    differs = [f"o.r{column.number} IS DISTINCT FROM n.r{column.number}" for column in pair.shared]
    return Samples(
        tuple(_named(pair, row) for row in some(_RIGHT, old, "o")),
        tuple(_named(pair, row) for row in some(_LEFT, new, "n")),
        tuple(_altered(pair, key, row) for row in some(changed, [*old, *new, *differs], "o")),
    )


def _altered(pair: Pair, key: Sequence[Column], row: Sequence[Any]) -> Changed:
    width = len(pair.shared)
    cells = list(zip(pair.shared, row, row[width:], row[2 * width :], strict=False))
    return Changed(
        {column.name: cell(before) for column, before, _, _ in cells if column in key},
        {column.name: cell(before) for column, before, _, differs in cells if differs},
        {column.name: cell(after) for column, _, after, differs in cells if differs},
    )


def _shown(column: Column, value: str) -> str:
    """What is fetched of a value: numbers as such, all else as text, of which a cell shows only so much.

    Python knows neither every time nor every time zone that the engine does.
    """
    plain = column.old == column.new and (column.kind == "number" or column.old == "BOOLEAN")
    return value if plain else f"left(CAST({value} AS VARCHAR), {LONGEST + 1})"


def _as_wholes(pair: Pair, found: Matching, old: int, new: int, samples: int) -> Rows:
    names = ", ".join(f"r{column.number}" for column in pair.shared)
    surplus = (
        f"(SELECT {names}, sum(way) AS n FROM (SELECT {names}, 1 AS way FROM old_rows UNION ALL"
        f" SELECT {names}, -1 AS way FROM new_rows) GROUP BY {names} HAVING sum(way) <> 0)"
    )
    sums = "coalesce(sum(n) FILTER (WHERE n > 0), 0), coalesce(-sum(n) FILTER (WHERE n < 0), 0)"
    removed, added = pair.row(f"SELECT {sums} FROM {surplus}", "old", "new")

    def some(sign: str) -> tuple[dict[str, Cell], ...]:
        if not samples:
            return ()
        items = ", ".join(_shown(column, f"r{column.number}") for column in pair.shared)
        sql = f"SELECT {items}, abs(n) FROM {surplus} WHERE n {sign} 0 ORDER BY {names} LIMIT {samples}"
        rows = [row[:-1] for row in pair.rows(sql, "old", "new") for _ in range(min(int(row[-1]), samples))]
        return tuple(_named(pair, row) for row in rows[:samples])

    return Rows(old, new, int(removed), int(added), 0, {}, (), found.why, Samples(some(">"), some("<")))


def _repeats(pair: Pair, key: Sequence[Column]) -> str:
    """In words, how many of the key's values occur more than once; "" if each occurs once in each version."""
    told = []
    for side in ("old", "new"):
        names = ", ".join(f"r{column.number}" for column in key)
        groups = f"SELECT count(*) AS n FROM {side}_rows GROUP BY {names}"
        sql = f"SELECT count(*) FILTER (WHERE n > 1) FROM ({groups})"
        repeated = pair.row(sql, side)[0]
        if repeated:
            told.append(f"{repeated:,} value{'s' if repeated != 1 else ''} in the {side} version")
    return " and ".join(told)


def _is_promising(column: ColumnReview | None) -> bool:
    sides = (column.old, column.new) if column is not None else ()
    return all(side is None or (side.distinct or 0) >= _PROMISING * side.count for side in sides)


def _column(pair: Pair, name: str) -> Column:
    found = next((column for column in pair.shared if column.name == name), None)
    if found is not None:
        return found
    names = [column.name for column in pair.shared]
    raise UsageError(
        f"no column `{name}` in both versions",
        hints=[
            *(f"a column with a similar name exists: `{near}`" for near in similar(name, names)[:1]),
            f"columns of both are {', '.join(f'`{each}`' for each in names[:20]) or 'none'}",
        ],
    )


def _named(pair: Pair, row: Sequence[Any]) -> dict[str, Cell]:
    return {column.name: cell(value) for column, value in zip(pair.shared, row, strict=True)}
