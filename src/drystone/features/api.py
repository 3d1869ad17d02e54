"""What others call: `features(layout, "weather", "delay").at(spine)` and `write(table, path)`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from drystone.core.errors import Conflict, UsageError
from drystone.core.layout import Layout
from drystone.features import spine as spines
from drystone.features.asof import aggregates, latest, ticks
from drystone.features.session import Prepared, Session, quoted


class FeatureSet(NamedTuple):
    """Views of one project, to be joined together.

    Attributes:
        layout: the project.
        views: names of views, in the order of their columns in the result.
    """

    layout: Layout
    views: tuple[str, ...]

    def at(
        self,
        spine: Any,
        time: str | None = None,
        *,
        keys: Mapping[str, str] | None = None,
        full_names: bool = False,
    ) -> pa.Table:
        """The spine with the views' features as they were known at each row's time.

        All rows of the spine come back, in their order, with their columns unchanged; features follow.
        A null or unknown key gives nulls (a count over a window of an unknown key is 0).

        Args:
            spine: path of a Parquet or CSV file, a dataframe, a pyarrow table or a DuckDB relation.
            time: its time column; found by name or type where left out. Naive times are UTC.
            keys: spine column -> view key (or column of `except_own`), where the two differ in name.
            full_names: call each feature `VIEW__FEATURE`.

        Raises:
            NotFound: a view, a table that it reads, or the spine's file is not there.
            ProjectInvalid: a view is not as it must be (see `features/view.py`).
            UsageError: the spine lacks a key, a time or a column of `except_own`, or one is of another type.
            Conflict: two columns of the result would have one name.
        """
        table = spines.load(spine, self.layout.root)
        time = spines.time_column(table, time)
        session = Session(self.layout)
        try:
            prepared = [session.prepare(name) for name in self.views]
            aliases = dict(keys or {})
            _check_aliases(aliases, prepared)
            matches = [spines.match(table, view, aliases) for view in prepared]
            nano = _hold(session, table, time, prepared, matches)
            origin = dict.fromkeys(table.column_names, "the spine")
            for view, match in zip(prepared, matches, strict=True):
                sources = [latest(view, match, nano=nano)] if view.roles.features else []
                sources += [aggregates(view, match, nano=nano)] if view.windows else []
                for source in sources:
                    for name, column in _columns(session.fetch(source, view.at)):
                        shown = f"{view.view.name}__{name}" if full_names else name
                        _claim(origin, shown, f"view `{view.view.name}`", full_names=full_names)
                        table = table.append_column(shown, column)
            return table
        finally:
            session.close()


def features(layout: Layout, *names: str) -> FeatureSet:
    """The views of these names.

    Raises:
        UsageError: no name, or one twice.
    """
    if not names or len(set(names)) != len(names):
        raise UsageError("name one or more views, each once", hints=["`drystone join SPINE VIEW [VIEW ...]`"])
    return FeatureSet(layout, names)


def write(table: pa.Table, path: Path, *, dry_run: bool = False) -> None:
    """Write a table as `.parquet` or `.csv`, unless `dry_run`; the same table gives the same bytes.

    Raises:
        UsageError: the name ends in something else.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"tables are written as `.parquet` or `.csv`, not `{path.name}`")
    if dry_run:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        path.write_bytes(as_csv(table))


def as_csv(table: pa.Table) -> bytes:
    """A table as CSV with a head line; a null is an empty cell, an empty text is `""`."""
    sink = io.BytesIO()
    pc.write_csv(table, sink)
    return sink.getvalue()


def _hold(
    session: Session, table: pa.Table, time: str, prepared: list[Prepared], matches: list[spines.Match]
) -> bool:
    """Lay the spine into the session as `__spine`; whether ticks are nanoseconds."""
    columns = sorted({column for match in matches for column, _ in match.pairs})
    types = spines.hold(session, table, time, columns)
    for view, match in zip(prepared, matches, strict=True):
        spines.check_types(view, match, types)
    times = [types["__time"]]
    times += [
        view.types[name] for view in prepared for name in (view.roles.event, view.roles.arrival) if name
    ]
    nano = any(kind.endswith("_NS") for kind in times)
    named = ", ".join(
        ["__row", f"{ticks('__time', types['__time'], nano=nano)} AS __t", *map(quoted, columns)]
    )
    session.connection.execute(f"CREATE TABLE __spine AS SELECT {named} FROM __asked").fetchall()
    return nano


def _columns(table: pa.Table) -> list[tuple[str, pa.ChunkedArray]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _check_aliases(aliases: Mapping[str, str], prepared: list[Prepared]) -> None:
    known = {name for view in prepared for name in (*view.roles.keys, view.roles.own) if name}
    for column, key in aliases.items():
        if list(aliases.values()).count(key) > 1:
            raise UsageError(
                f"several columns are to stand for key `{key}`",
                hints=["join once for each, with the features under other names"],
            )
        if key not in known:
            raise UsageError(
                f"no view has a key `{key}`, which `{column}` is to stand for",
                hints=[f"the views ask for {', '.join(f'`{each}`' for each in sorted(known))}"],
            )


def _claim(origin: dict[str, str], name: str, claimant: str, *, full_names: bool) -> None:
    if name in origin:
        hint = "rename the column in one of them"
        raise Conflict(
            f"{origin[name]} and {claimant} both have a column `{name}`",
            hints=[hint]
            if full_names
            else ["call features VIEW__FEATURE: `--full-names`, in Python `full_names=True`", hint],
        )
    origin[name] = claimant
