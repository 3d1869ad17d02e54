"""A DuckDB connection in which a project's tables and views have names: from a view's file to its rows."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

from drystone.core.errors import Ambiguous, NotFound, ProjectInvalid
from drystone.core.layout import Layout
from drystone.core.suggest import similar
from drystone.features import view as views
from drystone.features.view import Header, Roles, View
from drystone.features.windows import Split, Window, split

_INPUT = re.compile(r"__\d+_(where|\d+)")
_LINE = re.compile(r"\n+LINE (\d+):.*", re.DOTALL)


class Prepared(NamedTuple):
    """A view whose rows stand in a table.

    Attributes:
        table: quoted name of the table; its column `__rid` numbers the rows as the view gave them.
        types: DuckDB type of each column that the view selects.
        windows: what is to be aggregated at a spine's times, from the columns `inputs` of the table.
        items: the select list that makes features of the aggregates.
    """

    view: View
    at: str
    header: Header
    roles: Roles
    table: str
    types: dict[str, str]
    windows: tuple[Window, ...]
    inputs: tuple[str, ...]
    items: str


class Session:
    """One connection, in memory, that finds what views name in FROM.

    Everything runs on one thread: DuckDB adds floats in the order in which threads finish, and the
    same rows must always give the same bytes.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.connection = duckdb.connect(
            ":memory:",
            config={
                "threads": 1,
                "autoinstall_known_extensions": False,
                "python_enable_replacements": False,
                "file_search_path": str(layout.root),
                "temp_directory": str(layout.state / "spill"),
            },
        )
        self.connection.execute("SET TimeZone = 'UTC'")
        self._open: list[str] = []
        self._prepared: dict[str, Prepared] = {}
        self._named: set[str] = set()

    def prepare(self, name: str) -> Prepared:
        """Run the view and hold its rows.

        Raises:
            NotFound: no such view, or it reads a table that is not there.
            ProjectInvalid: its header, SQL, function or columns are not as they must be.
        """
        if name not in self._prepared:
            if name in self._open:
                chain = " reads ".join(f"`{each}`" for each in [*self._open[self._open.index(name) :], name])
                raise ProjectInvalid(f"views read each other in a circle: {chain}")
            self._open.append(name)
            view = views.read(self.layout, name)
            self._prepared[name] = self._run(view)
            self._open.pop()
        return self._prepared[name]

    def close(self) -> None:
        """Let go of the connection and its tables."""
        self.connection.close()

    def fetch(self, sql: str, at: str) -> pa.Table:
        """The result of a query of our own, made of pieces of the view at `at`, whose errors are its."""
        try:
            return self.connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            hint = "an item with `OVER last_...` cannot use a column of the row outside its calls"
            hints = [hint] if isinstance(error, duckdb.BinderException) else []
            raise _sql_error(error, at, line=False, hints=hints) from error

    def types(self, relation: str) -> dict[str, str]:
        """DuckDB type of each column of a table or view."""
        described = self.connection.execute(f"DESCRIBE {relation}").fetchall()
        return {column: kind for column, kind, *_ in described}

    def _run(self, view: View) -> Prepared:
        at = view.path.relative_to(self.layout.root).as_posix()
        text, header = view.text, view.header
        if view.path.suffix == ".py":
            text, header = self._call(view, at)
        parts = split(text, at)
        self._resolve(view.name, parts, at)
        table = quoted(f"rows of {view.name}")
        try:
            # the newline ends a comment on the select's last line
            self.connection.execute(
                f"CREATE TABLE {table} AS SELECT *, row_number() OVER () AS __rid FROM ({parts.rows}\n)"
            ).fetchall()
        except duckdb.Error as error:
            raise _sql_error(error, at, line=view.path.suffix == ".sql") from error
        types = self.types(table)
        inputs = tuple(name for name in types if _INPUT.fullmatch(name))
        for name in (*inputs, "__rid"):
            del types[name]
        for name in types:
            if name.startswith("__"):
                raise ProjectInvalid(
                    f"column `{name}` begins with `__`, as only columns of Drystone do",
                    at=at,
                    hints=["give it another name with `AS`"],
                )
        roles = views.roles(header, types, at)
        if not roles.features and not parts.windows:
            raise ProjectInvalid("the view has no feature: all its columns are keys and times", at=at)
        return Prepared(view, at, header, roles, table, types, parts.windows, inputs, parts.items)

    def _call(self, view: View, at: str) -> tuple[str, Header]:
        """Run a `.py` view: the SQL of its rows, and its header."""
        spec = importlib.util.spec_from_file_location(view.name, view.path)
        assert spec is not None and spec.loader is not None  # a `.py` path always has both
        module = importlib.util.module_from_spec(spec)
        _guarded(lambda: spec.loader.exec_module(module), at)  # type: ignore[union-attr]  # asserted above
        function = getattr(module, view.name, None)
        if not inspect.isfunction(function):
            raise ProjectInvalid(
                f"`{at}` has no function `{view.name}`", hints=[f"define `def {view.name}():`"]
            )
        given = {header: getattr(module, header.upper(), None) for header in views.HEADERS}
        header = views.header_of({name: value for name, value in given.items() if value is not None}, at)
        names = list(inspect.signature(function).parameters)
        for name in names:
            self._name(view.name, name, at)
        result = _guarded(
            lambda: function(**{name: self.connection.table(quoted(name)) for name in names}), at
        )
        if isinstance(result, str):
            if views.parse_header(result, at) != Header():
                raise ProjectInvalid(
                    "the headers of a `.py` view are constants of the module, not comments of its SQL",
                    at=at,
                    hints=["write `MAX_AGE = '2h'` beside the function"],
                )
            return result, header
        frame = f"result of {view.name}"
        self.connection.register(frame, as_arrow(result, f"what `{view.name}` returns", at))
        self._named.add(frame)
        return f"SELECT * FROM {quoted(frame)}", header

    def _resolve(self, reader: str, parts: Split, at: str) -> None:
        """Give a meaning to each table that the query names."""
        row = self.connection.execute("SELECT json_serialize_sql(?)", [parts.rows]).fetchone()
        tree = json.loads(row[0]) if row else {}
        if tree.get("error"):
            place = tree.get("position")
            line = f":{parts.rows[: int(place)].count(chr(10)) + 1}" if place and at.endswith(".sql") else ""
            raise ProjectInvalid(
                "the view is not a SELECT that DuckDB understands",
                at=at + line,
                because=tree["error_message"],
            )
        own = {entry["key"] for node in _nodes(tree) for entry in node.get("cte_map", {}).get("map", ())}
        for node in _nodes(tree):
            name = node.get("table_name")
            if node.get("type") == "BASE_TABLE" and name and not node.get("schema_name"):
                self._name(reader, name, at, needed=name not in own)

    def _name(self, reader: str, name: str, at: str, *, needed: bool = True) -> None:
        """Make `name` a relation: a file of `data/`, or the rows of another view."""
        if name in self._named or "/" in name:
            return  # with a slash it is itself a path, which DuckDB opens
        files = [self.layout.data / f"{name}{suffix}" for suffix in (".parquet", ".csv")]
        found = [path for path in files if path.is_file()]
        if name != reader and name in views.find(self.layout):
            found.append(views.find(self.layout)[name])
        if len(found) > 1:
            several = ", ".join(f"`{path.relative_to(self.layout.root).as_posix()}`" for path in found)
            raise Ambiguous(
                f"`{name}` could be any of {several}",
                at=at,
                hints=["rename one of them"],
            )
        if not found and not needed:
            return
        if not found:
            known = {path.stem for path in self.layout.data.glob("*.*")} | set(views.find(self.layout))
            raise NotFound(
                f"the view reads `{name}`, which is not there",
                at=at,
                because=f"there is neither `data/{name}.parquet`, `data/{name}.csv` nor a view `{name}`",
                hints=[f"a similar name exists: `{other}`" for other in similar(name, known - {reader})],
            )
        self.connection.execute(
            f"CREATE VIEW {quoted(name)} AS {self._rows_of(found[0], name, at)}"
        ).fetchall()
        self._named.add(name)

    def _rows_of(self, path: Path, name: str, at: str) -> str:
        location = str(path).replace("'", "''")
        if path.suffix == ".parquet":
            return f"SELECT * FROM read_parquet('{location}')"
        if path.suffix == ".csv":
            return f"SELECT * FROM read_csv('{location}', sample_size=-1)"
        prepared = self.prepare(name)
        if prepared.windows:
            raise ProjectInvalid(
                f"the view reads view `{name}`, which has `OVER last_...` items",
                at=at,
                because="these have values only at the times of a spine",
            )
        return f"SELECT * EXCLUDE (__rid) FROM {prepared.table} ORDER BY __rid"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_arrow(value: Any, what: str, at: str = "") -> pa.Table:
    """Any dataframe, pyarrow table or DuckDB relation as a pyarrow table without pandas' index.

    Raises:
        ProjectInvalid: it is none of these.
    """
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, duckdb.DuckDBPyRelation):
        return value.to_arrow_table()
    try:
        frame = nw.from_native(value)
    except TypeError as error:
        raise ProjectInvalid(
            f"{what} is no table but `{type(value).__name__}`",
            at=at,
            hints=["use a pandas, Polars or Arrow table, a DuckDB relation, or SQL"],
        ) from error
    return (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_arrow()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _guarded(work: Callable[[], Any], at: str) -> Any:
    try:
        return work()
    except Exception as error:  # a user's function: its failure is the view's, not ours
        raise ProjectInvalid(
            "the view's function failed", at=at, because=f"{type(error).__name__}: {error}"
        ) from error


def _sql_error(error: duckdb.Error, at: str, *, line: bool, hints: Sequence[str] = ()) -> ProjectInvalid:
    text = str(error)
    found = _LINE.search(text)
    reasons = [part for part in _LINE.sub("", text).splitlines() if part.strip()]
    return ProjectInvalid(
        "the view's SQL failed",
        at=f"{at}:{found[1]}" if found and line else at,
        because=reasons,
        hints=hints,
    )
