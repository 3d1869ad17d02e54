"""How a CSV file is read: by rules that a person can foresee, not by guesses on a sample.

The delimiter is the one of `, ; tab |` that the first line has most of (in a `.tsv`, tab); quotes are
`"`. The first line names the columns unless a name in it is empty, double or a number. A column has
the narrowest type that all its values have, and a number with leading zeros is text. An empty field
is null. A line with too many or too few fields is an error, never skipped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Corrupt
from drystone.tables.sql import literal

_DELIMITERS = ",;\t|"
_LONGEST = 1 << 20
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
#: The type of a column with nulls only.
UNKNOWN = "NULL"
# in this order; each is a condition on the text `v`
_INTEGER = "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,17})')"
_DOUBLE = "regexp_full_match(v, '[+-]?((0|[1-9][0-9]{0,14})([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?')"
_NOT_FINITE = "lower(v) IN ('nan', 'inf', '-inf', 'infinity', '-infinity')"
_BOOLEAN = "lower(v) IN ('true', 'false')"
_DATE = "(regexp_full_match(v, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(v AS DATE) IS NOT NULL)"
_TIME = (
    "(regexp_full_match(v, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?')"
    " AND TRY_CAST(v AS TIMESTAMP) IS NOT NULL)"
)
_TYPES = (
    ("BIGINT", _INTEGER),
    ("DOUBLE", f"(({_DOUBLE} OR {_NOT_FINITE}) AND TRY_CAST(v AS DOUBLE) IS NOT NULL)"),
    ("BOOLEAN", _BOOLEAN),
    ("DATE", _DATE),
    ("TIMESTAMP", f"({_TIME} OR {_DATE})"),
)


class Dialect(NamedTuple):
    """The delimiter, the columns' names, and whether the first line holds them."""

    delimiter: str
    names: tuple[str, ...]
    header: bool


def dialect(path: Path, *, tabs: bool) -> Dialect | None:
    """What the first line tells; None of an empty file.

    Raises:
        Corrupt: there is no line that ends within 1 MiB, or it is not UTF-8.
    """
    with path.open("rb") as file:
        line = file.readline(_LONGEST + 1)
    if len(line) > _LONGEST:
        raise Corrupt("the first line does not end within 1 MiB, so this is no CSV", at=path.name)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Corrupt("the first line is not text in UTF-8, so this is no CSV", at=path.name) from None
    if not text:
        return None
    outside = re.sub(r'"[^"]*"', "", text)
    delimiter = "\t" if tabs else max(_DELIMITERS, key=outside.count)
    names = next(csv.reader([text], delimiter=delimiter), [])
    header = all(names) and len(set(names)) == len(names) and not any(map(_NUMBER.fullmatch, names))
    if not header:
        names = [f"column{number}" for number in range(1, len(names) + 1)]
    return Dialect(delimiter, tuple(names), header)


def scan(path: Path, how: Dialect) -> str:
    """The table function that reads the file as text, with the columns `t0`, `t1` ..."""
    columns = ", ".join(f"'t{number}': 'VARCHAR'" for number in range(len(how.names)))
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = {str(how.header).lower()}, "
        f"delim = {literal(how.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
        f"columns = {{{columns}}})"
    )


def typing_query(relation: str, width: int, seen: Sequence[int] = ()) -> str:
    """One row: for each column how many values there are, and how many are of each type.

    Args:
        relation: what to count.
        width: its columns.
        seen: the row of a part of it; types that a value there is not of are not counted again.
    """
    each = len(_TYPES) + 1
    items = []
    for number in range(width):
        column, some = f"t{number}", seen[number * each :][:each]
        items.append(f"count({column})")
        for place, (_, test) in enumerate(_TYPES, start=1):
            refuted = bool(some) and some[place] < some[0]
            items.append("-1" if refuted else f"count(*) FILTER (WHERE {test.replace('(v', f'({column}')})")
    return f"SELECT {', '.join(items)} FROM {relation}"


def types(counts: Sequence[int], width: int) -> list[str]:
    """The type of each column, from the row of `typing_query`; `UNKNOWN` if all of it is null."""
    found = []
    for number in range(width):
        some = counts[number * (len(_TYPES) + 1) :]
        fitting = (name for (name, _), fit in zip(_TYPES, some[1:], strict=False) if fit == some[0])
        found.append(next(fitting, "VARCHAR") if some[0] else UNKNOWN)
    return found
