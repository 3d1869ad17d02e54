"""The spine: the rows that are to get features, in their order, each with keys and a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from drystone.core.errors import NotFound, ProjectInvalid, UsageError
from drystone.core.suggest import similar
from drystone.features.session import Prepared, Session, as_arrow, quoted

_TIME_NAMES = ("ts", "event_time", "event_timestamp")
#: The type of a column whose every value is null.
_UNTYPED = "NULL"


class Match(NamedTuple):
    """How rows of the spine find rows of a view, as pairs of a spine's and a view's column.

    Attributes:
        keys: equal where a row of the view is for a row of the spine.
        own: equal where it is its own, and so left out; None where the view has no `except_own`.
    """

    keys: tuple[tuple[str, str], ...]
    own: tuple[str, str] | None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All of them."""
        return (*self.keys, *((self.own,) if self.own else ()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the view."""
        return tuple(column for _, column in self.pairs)


def load(spine: Any, root: Path) -> pa.Table:
    """The spine as a table.

    Args:
        spine: a `.parquet` or `.csv` path (a relative one starts at `root`), a dataframe of any kind,
            a pyarrow table or a DuckDB relation.
        root: where relative paths start.

    Raises:
        NotFound: there is no such file.
        UsageError: it is a file of another kind.
        ProjectInvalid: it cannot be read, or is no table.
    """
    if not isinstance(spine, str | Path):
        return as_arrow(spine, "the spine").replace_schema_metadata(None)
    path = root / spine
    if not path.is_file():
        raise NotFound(f"there is no spine `{spine}`")
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"a spine is a `.parquet` or `.csv` file, not `{path.name}`")
    try:
        # not `read_table`, which would make columns of folders such as `month=4`
        return pq.ParquetFile(path).read() if path.suffix == ".parquet" else pc.read_csv(path)
    except pa.ArrowException as error:
        raise ProjectInvalid(f"the spine `{spine}` cannot be read", because=str(error)) from error


def time_column(table: pa.Table, given: str | None) -> str:
    """The column that says when each row asks.

    That is the given one; else the one called `ts`, `event_time` or `event_timestamp`; else the only
    timestamp. A date asks at its midnight, UTC. Where no value tells the type, as in a CSV file with a
    head line only, it is a time that is never known.

    Raises:
        UsageError: there is no such column, none or several could be it, or it is no timestamp.
    """
    stamps = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    names = [name for name in table.column_names if name in _TIME_NAMES] or stamps
    if not names and not table.num_rows:
        names = [field.name for field in table.schema if pa.types.is_null(field.type)][:1]  # no row asks
    if given is None and len(names) != 1:
        raise UsageError(
            "which column of the spine is its time?",
            because=f"{'several could be' if names else 'none is a timestamp'}: "
            f"{', '.join(f'`{name}`' for name in names or table.column_names)}",
            hints=["name it: `--time COLUMN`, in Python `.at(spine, time=...)`"],
        )
    name = names[0] if given is None else given
    if name not in table.column_names:
        raise UsageError(f"the spine has no column `{name}`", hints=_columns(name, table.column_names))
    kind = table.schema.field(name).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)):
        raise UsageError(
            f"time column `{name}` of the spine is no timestamp but `{kind}`",
            hints=[f"convert it first, in pandas with `pd.to_datetime(spine['{name}'], utc=True)`"],
        )
    return name


def match(table: pa.Table, view: Prepared, aliases: Mapping[str, str]) -> Match:
    """Each key of the view, and the column that tells whose a row is, with the spine's column for it.

    Args:
        table: the spine.
        view: the view.
        aliases: spine column -> view column, where the two differ in name.

    Raises:
        UsageError: the spine lacks one of them.
    """
    of_view = {theirs: mine for mine, theirs in aliases.items()}
    own = view.roles.own
    found = Match(
        tuple((of_view.get(key, key), key) for key in view.roles.keys),
        (of_view.get(own, own), own) if own else None,
    )
    for mine, theirs in found.pairs:
        if mine not in table.column_names:
            role = "which tells a row's own rows in" if theirs == own else "a key of"
            raise UsageError(
                f"the spine has no column `{mine}`, {role} view `{view.view.name}`",
                at=view.at,
                hints=[
                    *_columns(mine, table.column_names),
                    f"if it has another name: `--key COLUMN={theirs}`, "
                    f"in Python `keys={{'COLUMN': '{theirs}'}}`",
                ],
            )
    return found


def hold(session: Session, table: pa.Table, time: str, columns: Sequence[str]) -> dict[str, str]:
    """Make the spine the session's table `__asked`: `__row`, `__time` and key columns; their types."""
    needed = {"__row": pa.array(range(table.num_rows), pa.int64()), "__time": table.column(time)}
    needed |= {column: table.column(column) for column in columns}
    untyped = [name for name, column in needed.items() if pa.types.is_null(column.type)]
    for name in untyped:  # a text compares with keys of any type
        needed[name] = needed[name].cast(pa.timestamp("us") if name == "__time" else pa.string())
    session.connection.register("__asked", pa.table(needed))
    return session.types("__asked") | {name: _UNTYPED for name in untyped if name != "__time"}


def check_types(view: Prepared, match: Match, types: Mapping[str, str]) -> None:
    """Hold a spine's columns to the types of the view's that they equal.

    Raises:
        UsageError: one is a number on one side and a text on the other, or the like.
    """
    for column, key in match.pairs:
        mine, theirs = types[column], view.types[key]
        if mine != _UNTYPED and _family(mine) != _family(theirs):
            raise UsageError(
                f"{'column' if key == view.roles.own else 'key'} `{column}` of the spine is `{mine}`, "
                f"but `{key}` of view `{view.view.name}` is `{theirs}`",
                at=view.at,
                hints=[
                    f"cast one of them, in the view with `CAST({quoted(key)} AS {mine}) AS {quoted(key)}`"
                ],
            )


def _family(kind: str) -> str:
    """Types whose values compare with each other without surprise."""
    if kind.endswith(("INT", "INTEGER")):
        return "integer"
    if kind in ("FLOAT", "DOUBLE"):
        return "float"
    if kind.startswith(("VARCHAR", "ENUM")):
        return "text"
    return kind


def _columns(name: str, known: Sequence[str]) -> list[str]:
    near = similar(name, known)
    if near:
        return [f"a column with a similar name exists: `{near[0]}`"]
    return [f"its columns are {', '.join(f'`{each}`' for each in known)}"]
