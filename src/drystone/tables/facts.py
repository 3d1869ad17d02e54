"""What a review of a table finds, as values; no engine is needed to hold them."""

from __future__ import annotations

from typing import Literal

import msgspec

#: What may stand in a cell of a sample or a summary.
Cell = str | int | float | bool | None
#: How a column is summarised: by moments and quantiles, likewise as times, by its values, or hardly.
Kind = Literal["number", "time", "words", "other"]


class SchemaChange(msgspec.Struct, frozen=True):
    """A column that was added, removed or has another type; types are DuckDB's names."""

    column: str
    change: Literal["added", "removed", "retyped"]
    old: str | None
    new: str | None


class Changed(msgspec.Struct, frozen=True):
    """One row of both versions: its key, and the cells that differ."""

    key: dict[str, Cell]
    old: dict[str, Cell]
    new: dict[str, Cell]


class Samples(msgspec.Struct, frozen=True):
    """Some rows of each sort, the first by key (or by content); only columns that both versions have."""

    removed: tuple[dict[str, Cell], ...] = ()
    added: tuple[dict[str, Cell], ...] = ()
    changed: tuple[Changed, ...] = ()


class Rows(msgspec.Struct, frozen=True):
    """How the rows differ.

    Attributes:
        old, new: how many rows there are.
        removed, added, changed: of these, rows of one version only, and with other values.
        columns: by column, in how many rows its value changed.
        key: columns by which rows of the two versions belong together; empty: whole rows were
            compared, as often as each occurs, so that none counts as changed.
        why: how that key was found, or why there is none.
    """

    old: int
    new: int
    removed: int
    added: int
    changed: int
    columns: dict[str, int]
    key: tuple[str, ...]
    why: str
    samples: Samples = Samples()


class Summary(msgspec.Struct, frozen=True):
    """The distribution of one column in one version.

    Attributes:
        count: values that are not null.
        nulls: nulls.
        odd: NaN and infinities, which the rest leaves out.
        distinct: how many different values, within a few per cent; None where that was not counted.
        mean, std: of numbers; std divides by n - 1.
        least, greatest: of numbers and times.
        quantiles: of numbers and times at 5, 25, 50, 75 and 95 %, approximately (t-digest).
        top: of text, the most frequent values with their counts, where there are few different ones.
    """

    type: str
    count: int
    nulls: int
    odd: int = 0
    distinct: int | None = None
    mean: float | None = None
    std: float | None = None
    least: Cell = None
    greatest: Cell = None
    quantiles: tuple[Cell, ...] = ()
    top: tuple[tuple[Cell, int], ...] = ()


class ColumnReview(msgspec.Struct, frozen=True):
    """One column in both versions.

    Attributes:
        moved: how far the distribution of the values that are not null moved, 0 (not) to 1. Numbers
            and times: the greatest difference of the two cumulative distributions at their
            quantiles (Kolmogorov and Smirnov's distance, from below). Text: the sum of what values
            lost in share (total variation). None where it cannot be told.
    """

    column: str
    kind: Kind
    old: Summary | None
    new: Summary | None
    moved: float | None


class Review(msgspec.Struct, frozen=True):
    """All that differs between two versions of a table."""

    schema: tuple[SchemaChange, ...]
    rows: Rows
    columns: tuple[ColumnReview, ...]
