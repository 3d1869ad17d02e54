"""The index over the journals: SQLite, made from them, and made anew whenever it is not as it must be."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drystone.core.clock import Clock
from drystone.core.errors import Corrupt
from drystone.core.layout import Layout
from drystone.ledger import facts, schema
from drystone.ledger.apply import apply
from drystone.ledger.folder import folder_stamp, is_closed, list_folder, stamp_of
from drystone.ledger.guards import guard, prepare_state
from drystone.ledger.journal import read_before, read_frames

#: How long a writer waits for another one's transaction, in seconds.
_BUSY_S = 30.0
#: SQLite's primary result codes for a file that is damaged, and for one that cannot be written.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
_UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_Answer = TypeVar("_Answer")


class Index:
    """Searchable facts of one project, as far as its journals tell them.

    A damaged index is discarded and made anew. Where it cannot be written, on a read-only or full
    disk, it is made in memory, so that reading works all the same.

    Args:
        layout: the project.
        file_clock: what the times of files are compared with.
        in_memory: whether to leave the file alone.

    Attributes:
        note: a sentence for the user if the index was rebuilt or is in memory, else None.
        indexed: how many facts have been entered since the index was opened.
        steady: whether questions are answered from what the first of them found in the journals.
    """

    def __init__(self, layout: Layout, file_clock: Clock, *, in_memory: bool = False) -> None:
        self.note: str | None = None
        self.indexed = 0
        self.steady = False
        self._fresh = False
        self._layout = layout
        self._clock = file_clock
        self._database: sqlite3.Connection | None = None
        self._in_memory = in_memory

    @property
    def leaves_file_alone(self) -> bool:
        """Whether it was asked for in memory, or can only be there."""
        return self._in_memory

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        if self._database is not None:
            self._database.close()
            self._database = None
            self._fresh = False

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows, after everything in the journals has been entered."""

        def ask(database: sqlite3.Connection) -> list[Any]:
            if not (self.steady and self._fresh):
                self._refresh(database)
            return database.execute(sql, parameters).fetchall()

        return self._on_database(ask)

    def refresh(self) -> None:
        """Enter whatever the journals hold beyond what was entered before."""
        self._on_database(self._refresh)

    def rebuild(self) -> int:
        """Throw it away, unless it is in memory, and make it anew; the number of its journals."""
        self.close()
        if not self._in_memory:
            self._discard()
        self.indexed = 0
        count: int = self.query("SELECT count(*) FROM journal")[0][0]
        return count

    def problems(self) -> list[str]:
        """Sentences about what could not be entered from the journals."""
        rows = self.query("SELECT file, position, what FROM damage ORDER BY file, position")
        return [f"`{file}`, byte {position}: {what}" for file, position, what in rows]

    # -- entering --------------------------------------------------------------------------------

    def _refresh(self, database: sqlite3.Connection) -> None:
        if not self._is_current(database):
            with _transaction(database):
                if (lost := self._catch_up(database)) is not None:
                    self.note = f"`{lost}` lost what it held; the ledger's index has been rebuilt without it"
                    _empty(database)
                    self._catch_up(database)
        self._fresh = True

    def _is_current(self, database: sqlite3.Connection) -> bool:
        """Whether the folder is as it was, and so is each journal in it that is not closed."""
        if not self._folder_is_as_it_was(database):
            return False
        now = self._clock.now()
        for file, stamp in database.execute("SELECT file, stamp FROM journal WHERE NOT closed").fetchall():
            path = self._layout.journals / file
            try:
                status = path.stat()
            except FileNotFoundError:
                return False
            if stamp_of(status) != stamp or is_closed(path, status, now):
                return False
        return True

    def _folder_is_as_it_was(self, database: sqlite3.Connection) -> bool:
        row = database.execute("SELECT stamp FROM folder").fetchone()
        return row is not None and row[0] == folder_stamp(self._layout.journals)

    def _catch_up(self, database: sqlite3.Connection) -> str | None:
        """Enter what is new. Stops at a journal that has lost what was entered from it, and names it."""
        now = self._clock.now()
        suspects: set[str] = {
            file for (file,) in database.execute("SELECT file FROM journal WHERE NOT closed")
        }
        if not self._folder_is_as_it_was(database):
            known = dict(database.execute("SELECT file, stamp FROM journal"))
            journals, stamp = list_folder(self._layout.journals, now)
            suspects.update(file for file, _ in journals.items() ^ known.items())
            _set_stamp(database, stamp)
        for file in sorted(suspects):
            if not self._enter(database, self._layout.journals / file, now):
                return file
        return None

    def _enter(self, database: sqlite3.Connection, path: Path, now: int) -> bool:
        """Enter one journal from where it was left; False if what was entered is not in it any more."""
        row = database.execute("SELECT end, last FROM journal WHERE file = ?", (path.name,)).fetchone()
        start, last = row or (0, b"")
        try:
            status = path.stat()
            closed = is_closed(path, status, now)
            if read_before(path, start) != last:
                return False
            end = self._read(database, path, start)
        except FileNotFoundError:
            return row is None  # one that was never entered went while we looked: nothing is lost
        except Corrupt:
            _report(database, path, 0, "is not a journal")
            end = 0
        database.execute(
            "INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?)",
            (path.name, stamp_of(status), closed, end, read_before(path, end)),
        )
        return True

    def _read(self, database: sqlite3.Connection, path: Path, start: int) -> int:
        """Apply the records from offset `start` on; the offset behind the last whole one."""
        while True:
            frames = read_frames(path, start)
            for position, payload in frames.payloads:
                try:
                    apply(database, facts.decode(payload))
                    self.indexed += 1
                except (msgspec.MsgspecError, ValueError, OverflowError):
                    _report(database, path, position, "the record is none this version knows")
            for position in frames.damaged:
                _report(database, path, position, "the record is damaged and was passed over")
            if frames.end == start or not frames.torn:
                return frames.end
            start = frames.end

    # -- the file --------------------------------------------------------------------------------

    def _on_database(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Do `work`, once more with a new index if the first one turns out to be damaged or unwritable."""
        try:
            return work(self._connection())
        except (sqlite3.DatabaseError, OSError) as error:
            if self._in_memory or not self._give_up_file(error):
                raise
        return work(self._connection())

    def _give_up_file(self, error: sqlite3.DatabaseError | OSError) -> bool:
        """Discard the file if it is damaged, or go on in memory if it cannot be written."""
        self.close()
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if isinstance(error, OSError) or code in _UNWRITABLE or self._layout.ledger_index.is_dir():
            self._in_memory = True
            self.note = f"the ledger cannot be written here ({error}); it was read from its journals"
            return True
        if code in _DAMAGED:
            self._discard()
            self.note = f"the ledger's index was damaged ({error}) and has been rebuilt"
            return True
        return False

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = self._open_memory() if self._in_memory else self._open_file()
        return self._database

    def _open_memory(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:", isolation_level=None)
        _make_tables(database)
        return database

    def _open_file(self) -> sqlite3.Connection:
        prepare_state(self._layout)
        database = sqlite3.connect(self._layout.ledger_index, timeout=_BUSY_S, isolation_level=None)
        try:
            if _version(database) != schema.VERSION:
                # Two processes that find no index must not both make it, and SQLite's own lock does
                # not cover the switch to WAL.
                with guard(self._layout, "index"):
                    self._create(database)
            database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            database.close()
            raise
        return database

    def _create(self, database: sqlite3.Connection) -> None:
        """Make the tables, unless another process did so while we waited for the guard."""
        version = _version(database)
        if version == schema.VERSION:
            return
        database.execute("PRAGMA journal_mode = WAL")
        if _make_tables(database):
            self.note = f"the ledger's index was of version {version} and has been rebuilt"

    def _discard(self) -> None:
        index = self._layout.ledger_index
        with guard(self._layout, "index"):
            for suffix in ("", "-wal", "-shm"):
                index.with_name(index.name + suffix).unlink(missing_ok=True)


def _make_tables(database: sqlite3.Connection) -> bool:
    """Make the tables in place of any others; whether there were others."""
    with _transaction(database):
        old = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in old:
            database.execute(f'DROP TABLE "{table}"')
        for statement in schema.TABLES.split(";"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {schema.VERSION}")
    return bool(old)


def _report(database: sqlite3.Connection, path: Path, position: int, what: str) -> None:
    database.execute("INSERT OR REPLACE INTO damage VALUES (?, ?, ?)", (path.name, position, what))


def _empty(database: sqlite3.Connection) -> None:
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        database.execute(f'DELETE FROM "{table}"')


def _set_stamp(database: sqlite3.Connection, stamp: str | None) -> None:
    if database.execute("SELECT stamp FROM folder").fetchall() != [(stamp,)]:
        database.execute("DELETE FROM folder")
        database.execute("INSERT INTO folder VALUES (?)", (stamp,))


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.DatabaseError):  # a damaged file may refuse even this
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
