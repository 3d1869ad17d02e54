"""Two files as two relations whose columns have plain names, so that no later query meets theirs."""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb

from drystone.core.errors import Corrupt, WorkFailed
from drystone.tables import csvfile
from drystone.tables.facts import Cell, Kind
from drystone.tables.forms import Form
from drystone.tables.sql import literal, quoted

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BIGNUM")
_TIMES = re.compile(r"DATE|TIMESTAMP(_.+)?( WITH TIME ZONE)?")
_WORDS = re.compile(r"VARCHAR|BOOLEAN|UUID|ENUM\(.*\)")
#: Types whose values DuckDB cannot set against each other in every place: these go by their text.
_BY_TEXT = ("MAP(", "UNION(", "JSON", "VARIANT", "GEOMETRY")
#: Characters of text that a cell of a sample or summary shows.
LONGEST = 200


class Column(NamedTuple):
    """One column of the two versions together; `number` names it in SQL, its types are DuckDB's."""

    number: int
    name: str
    old: str | None
    new: str | None

    @property
    def shared(self) -> bool:
        """Whether both versions have it."""
        return self.old is not None and self.new is not None

    @property
    def kind(self) -> Kind:
        """How it is summarised; a column of two kinds as `other`."""
        kinds = {kind_of(each) for each in (self.old, self.new) if each is not None}
        return kinds.pop() if len(kinds) == 1 else "other"

    @property
    def comparable(self) -> str:
        """The SQL by which its values of both versions are compared, of one type on both sides."""
        plain = f"c{self.number}"
        kinds = {kind_of(each or "") for each in (self.old, self.new)}
        by_text = any(word in (each or "") for each in (self.old, self.new) for word in _BY_TEXT)
        if self.old == self.new and not by_text:
            return plain
        return f"CAST({plain} AS {'DOUBLE' if kinds == {'number'} else 'VARCHAR'})"


class Side(NamedTuple):
    """One file: where it lies, in which form, and what the user calls it."""

    path: Path
    form: Form
    label: str


def kind_of(type_name: str) -> Kind:
    """How values of a type are summarised."""
    if _NUMBERS.fullmatch(type_name):
        return "number"
    if _TIMES.fullmatch(type_name):
        return "time"
    return "words" if _WORDS.fullmatch(type_name) else "other"


class Pair:
    """A connection with the relations `old` and `new`: columns `c0`, `c1` ..., the same for the same name.

    `old_rows` and `new_rows` hold what both versions have, as `r0`, `r1` ..., made comparable.

    Args:
        old, new: the files; None is a table without rows and columns.
        scratch: an empty folder, for what does not fit into memory.
        memory: bytes that the engine may use.
    """

    def __init__(self, old: Side | None, new: Side | None, scratch: Path, memory: int) -> None:
        self.sides = {"old": old, "new": new}
        self._scratch = scratch
        self.connection = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": False,
                "memory_limit": f"{memory // 1_000_000}MB",
                "preserve_insertion_order": False,
                "python_enable_replacements": False,
                "temp_directory": str(scratch),
            },
        )
        self.connection.execute("SET TimeZone = 'UTC'")
        try:
            scans = {name: self._scan(name, side) for name, side in self.sides.items()}
            self.columns = _aligned(scans["old"][1], scans["new"][1])
            for name, (scan, found) in scans.items():
                self._name(name, scan, found)
        except BaseException:
            self.close()
            raise

    @property
    def shared(self) -> list[Column]:
        """Columns that both versions have."""
        return [column for column in self.columns if column.shared]

    def row(self, sql: str, *about: Literal["old", "new"]) -> tuple[Any, ...]:
        """The single row of a query about these sides."""
        return self.rows(sql, *about)[0]

    def rows(self, sql: str, *about: Literal["old", "new"]) -> list[tuple[Any, ...]]:
        """The rows of a query about these sides.

        Raises:
            Corrupt: a file turns out to be unreadable.
            WorkFailed: there is not enough memory or disk.
        """
        with self._explained(*about):
            return self.connection.execute(sql).fetchall()

    def close(self) -> None:
        """Let go of the files."""
        self.connection.close()
        for name in self.sides:
            (self._scratch / f"parsed-{name}.parquet").unlink(missing_ok=True)

    def _scan(self, name: str, side: Side | None) -> tuple[str, dict[str, tuple[str, str]]]:
        """The table function of a side, and by column name its type and its SQL."""
        if side is None:
            return "", {}
        if side.form == "parquet":
            scan = f"read_parquet({literal(str(side.path))}, hive_partitioning = false)"
            with self._explained(name):
                described = self.connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
            return scan, {column: (kind, quoted(column)) for column, kind, *_ in described}
        how = csvfile.dialect(side.path, tabs=side.form == "tsv")
        if how is None:
            return "", {}
        scan, width = csvfile.scan(side.path, how), len(how.names)
        with self._explained(name):
            part = f"(SELECT * FROM {scan} LIMIT 10000)"
            seen = self.connection.execute(csvfile.typing_query(part, width)).fetchall()[0]
            counts = self.connection.execute(csvfile.typing_query(scan, width, seen)).fetchall()[0]
        return scan, {
            column: (kind, f"t{i}" if kind == csvfile.UNKNOWN else f"CAST(t{i} AS {kind})")
            for i, (column, kind) in enumerate(zip(how.names, csvfile.types(counts, width), strict=True))
        }

    def _name(self, name: str, scan: str, found: dict[str, tuple[str, str]]) -> None:
        items = []
        for column in self.columns:
            kind = column.old if name == "old" else column.new
            if kind is not None:
                present, sql = found[column.name]
                items.append(f"{sql if present == kind else f'CAST({sql} AS {kind})'} AS c{column.number}")
        shared = [f"{column.comparable} AS r{column.number}" for column in self.shared]
        selected = f"SELECT {', '.join(items) or 'NULL AS nothing'} " + (
            f"FROM {scan}" if scan else "WHERE false"
        )
        with self._explained(name):
            if scan.startswith("read_csv"):  # parsed once; all later passes read columns
                copy = self._scratch / f"parsed-{name}.parquet"
                self.connection.execute(f"COPY ({selected}) TO {literal(str(copy))} (FORMAT parquet)")
                selected = f"SELECT * FROM read_parquet({literal(str(copy))}, hive_partitioning = false)"
            self.connection.execute(f"CREATE VIEW {name} AS {selected}")
            rows = f"CREATE VIEW {name}_rows AS SELECT {', '.join(shared) or 'NULL AS nothing'} FROM {name}"
            self.connection.execute(rows)

    @contextmanager
    def _explained(self, *about: str) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise _exhausted(error) from error
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
            raise  # a query of ours is wrong, not the file
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise _exhausted(error) from error
            sides = [side.label for name in about if (side := self.sides[name]) is not None]
            raise Corrupt(
                f"`{' or '.join(dict.fromkeys(sides))}` cannot be read as a table", because=_because(error)
            ) from error


def cell(value: Any) -> Cell:
    """A value as it may stand in a document; what is not a plain one as its text, cut when long."""
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _aligned(old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]]) -> list[Column]:
    """The columns of both, in the order of the new version, then what it lacks."""
    columns = []
    for number, name in enumerate({**dict.fromkeys(new), **dict.fromkeys(old)}):
        before, after = (side[name][0] if name in side else None for side in (old, new))
        # a column of a CSV that is empty everywhere is of whatever type it is in the other version
        before, after = (
            (other if other not in (None, csvfile.UNKNOWN) else "VARCHAR") if own == csvfile.UNKNOWN else own
            for own, other in ((before, after), (after, before))
        )
        columns.append(Column(number, name, before, after))
    return columns


def _exhausted(error: duckdb.Error) -> WorkFailed:
    return WorkFailed(
        "the tables could not be compared in the memory and disk there is",
        because=_first(error),
        hints=["see what is full with `df -h`"],
    )


def _because(error: duckdb.Error) -> str:
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if line and fields:
        return f"line {line[1]} has {fields[2]} fields where {fields[1]} are expected"
    if line:
        rest = text.partition("Original Line:")[2].splitlines()[1:]
        said = next((each for each in rest if re.match(r"[A-Z].*[a-z]", each)), "it is not CSV")
        return f"line {line[1]}: {said.strip()}"
    return _first(error)


def _first(error: duckdb.Error) -> str:
    return re.sub(r"/\S+/", "", str(error).strip().splitlines()[0])[:300]
