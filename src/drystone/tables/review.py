"""The review of one table in two versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drystone.tables import rows
from drystone.tables.columns import review_columns
from drystone.tables.facts import Review, SchemaChange
from drystone.tables.source import Column, Pair, Side

#: Bytes that the engine may hold before it writes to `scratch`.
MEMORY = 1_000_000_000


def review(
    old: Side | None,
    new: Side | None,
    scratch: Path,
    *,
    key: Sequence[str] = (),
    samples: int = 0,
    memory: int = MEMORY,
) -> Review:
    """What differs between two versions of a table: its columns, its rows, and how values are distributed.

    The files are read several times and never held in memory.

    Args:
        old: the first version, None if there was none.
        new: the second.
        scratch: a folder for what does not fit into memory.
        key: columns by which rows belong together; none: found, see `rows.matching`.
        samples: how many rows of each sort to give.
        memory: bytes that the engine may use.

    Raises:
        Corrupt: a file is damaged, or no table; the error names the line of a CSV.
        UsageError: a column of `key` is not in both versions.
        WorkFailed: memory and disk do not suffice.
    """
    pair = Pair(old, new, scratch, memory)
    try:
        columns = review_columns(pair)
        if old is None or new is None:
            found = rows.Matching((), "there is only one version")
        else:
            found = rows.matching(pair, key, {column.column: column for column in columns})
        return Review(tuple(_schema(pair.columns)), rows.compare(pair, found, samples), columns)
    finally:
        pair.close()


def _schema(columns: Sequence[Column]) -> list[SchemaChange]:
    changes = []
    for column in columns:
        if column.old is None:
            changes.append(SchemaChange(column.name, "added", None, column.new))
        elif column.new is None:
            changes.append(SchemaChange(column.name, "removed", column.old, None))
        elif column.old != column.new:
            changes.append(SchemaChange(column.name, "retyped", column.old, column.new))
    return changes
