"""The ledger of one project: append facts, keep their index up to date, hand out connections to read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from drystone.core.clock import Clock, SystemClock
from drystone.core.errors import Corrupt
from drystone.core.ids import is_run_id, new_id
from drystone.core.layout import Layout
from drystone.ledger import facts, schema
from drystone.ledger.apply import apply
from drystone.ledger.journal import JournalWriter, is_being_written, read_frames

_SUFFIX = ".journal"
#: How long a writer waits for another one's transaction on the index, in seconds.
_BUSY_S = 30.0


class Rebuilt(NamedTuple):
    """What a rebuild found: how many journals, how many facts, and what was damaged."""

    journals: int
    facts: int
    problems: list[str]


class RunJournal:
    """One writer's journal of one run.

    A run may have several: the supervisor of a step writes one, each process that logs another.
    """

    def __init__(self, path: Path) -> None:
        self._writer = JournalWriter(path)

    def append(self, *records: facts.Fact) -> None:
        """Add facts; they survive the death of this process."""
        self._writer.append([facts.encode(record) for record in records])

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        self._writer.sync()

    def close(self) -> None:
        """Release the journal."""
        self._writer.close()


class Ledger:
    """Facts of one project.

    Journals under `.drystone/journals` are the truth. `.drystone/ledger.sqlite` is an index over
    them: when it is missing, damaged or of another version it is rebuilt on opening, and
    `recovered` says why.

    Attributes:
        recovered: a sentence if the index had to be rebuilt on opening, else None.
    """

    def __init__(self, layout: Layout, clock: Clock) -> None:
        self.layout = layout
        self.clock = clock
        self.recovered: str | None = None
        self._database: sqlite3.Connection | None = None

    @classmethod
    def open(cls, layout: Layout, clock: Clock | None = None) -> Ledger:
        """Open the ledger of a project, making nothing until something is written or read."""
        return cls(layout, clock or SystemClock())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index. The ledger opens it again when it is needed."""
        if self._database is not None:
            self._database.close()
            self._database = None

    # -- writing ---------------------------------------------------------------------------------

    def record(self, *records: facts.Fact) -> None:
        """Add facts that belong to no running journal. They are on the disk and readable on return."""
        name = f"facts-{self._clone_id()}{_SUFFIX}"
        row = self._connection().execute("SELECT end FROM journal WHERE file = ?", (name,)).fetchone()
        writer = JournalWriter(self.layout.journals / name, wait=True, verified=row[0] if row else 0)
        try:
            writer.append([facts.encode(record) for record in records])
            writer.sync()
        finally:
            writer.close()
        self.refresh()

    def journal(self, run: str, writer: str = "main") -> RunJournal:
        """Open this writer's journal of a run.

        Raises:
            Conflict: the same writer's journal is open in another process.
        """
        self._prepare_state()
        return RunJournal(self.layout.journals / f"{run}.{writer}{_SUFFIX}")

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the ledger's guard: nobody else reads, decides and records under it meanwhile."""
        with self._guard("ledger"):
            yield

    def mark_lost(self) -> list[str]:
        """Record the end of runs whose writers are all dead without having said how they ended.

        Only runs whose journals are here, and that nobody holds a lock on, are touched. What a lost
        run was serving is not being served any more.
        """
        unfinished = self.query("SELECT run FROM run WHERE status IS NULL AND started IS NOT NULL")
        lost = []
        for (run,) in unfinished:
            journals = list(self.layout.journals.glob(f"{run}.*{_SUFFIX}"))
            if journals and not any(map(is_being_written, journals)):
                lost.append(run)
        if lost:
            now = self.clock.now()
            self.record(*(facts.RunFinished(run=run, status="lost", time=now) for run in lost))
            stopped = [
                msgspec.structs.replace(change, status="stopped", time=now, url=None)
                for change in self._serving()
                if change.run in lost
            ]
            if stopped:
                self.record(*stopped)
        return lost

    def _serving(self) -> list[facts.DeploymentChanged]:
        rows = self.query("SELECT fact, max(time) FROM deployment GROUP BY name")
        last = [facts.decode(row[0]) for row in rows]
        return [
            fact for fact in last if isinstance(fact, facts.DeploymentChanged) and fact.status == "serving"
        ]

    # -- reading ---------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of the up-to-date index. For the modules of this room, which know its tables."""
        self.refresh()
        return self._connection().execute(sql, parameters).fetchall()

    def refresh(self) -> None:
        """Index whatever the journals hold beyond what was indexed before."""
        database = self._connection()
        known = dict(database.execute("SELECT file, end FROM journal"))
        grown = [
            entry.path for entry in self._journal_files() if entry.stat().st_size > known.get(entry.name, 0)
        ]
        if grown:
            with _transaction(database):
                for path in sorted(grown):
                    self._index(database, Path(path))

    def rebuild(self) -> Rebuilt:
        """Throw the index away and make it anew from the journals."""
        self.close()
        self._discard_index()
        self.refresh()
        database = self._connection()
        journals = database.execute("SELECT count(*) FROM journal").fetchone()[0]
        return Rebuilt(journals, self._indexed, self.problems())

    def problems(self) -> list[str]:
        """Sentences about records that could not be read; empty in a healthy ledger."""
        rows = self.query("SELECT file, position, what FROM damage ORDER BY file, position")
        return [f"`{file}`, byte {position}: {what}" for file, position, what in rows]

    # -- inside ----------------------------------------------------------------------------------

    _indexed = 0

    @contextlib.contextmanager
    def _guard(self, name: str) -> Iterator[None]:
        self._prepare_state()
        self.layout.guards.mkdir(exist_ok=True)
        descriptor = os.open(self.layout.guards / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _journal_files(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.layout.journals) as entries:
                return [entry for entry in entries if entry.name.endswith(_SUFFIX)]
        except FileNotFoundError:
            return []

    def _index(self, database: sqlite3.Connection, path: Path) -> None:
        row = database.execute("SELECT end FROM journal WHERE file = ?", (path.name,)).fetchone()
        start = row[0] if row else 0
        while True:
            try:
                frames = read_frames(path, start)
            except Corrupt:
                frames = None
            if frames is None:
                self._report(database, path, 0, "is not a journal")
                database.execute(
                    "INSERT OR REPLACE INTO journal VALUES (?, ?)", (path.name, path.stat().st_size)
                )
                return
            for position, payload in frames.payloads:
                try:
                    apply(database, facts.decode(payload))
                    self._indexed += 1
                except (msgspec.MsgspecError, ValueError):
                    self._report(database, path, position, "the record is none this version knows")
            for position in frames.damaged:
                self._report(database, path, position, "the record is damaged and was passed over")
            database.execute("INSERT OR REPLACE INTO journal VALUES (?, ?)", (path.name, frames.end))
            if frames.end == start or not frames.torn:
                return
            start = frames.end

    @staticmethod
    def _report(database: sqlite3.Connection, path: Path, position: int, what: str) -> None:
        database.execute("INSERT OR REPLACE INTO damage VALUES (?, ?, ?)", (path.name, position, what))

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self._database = self._open_index()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    raise
                self._discard_index()
                self.recovered = f"the ledger's index was damaged ({error}) and has been rebuilt"
                self._database = self._open_index()
        return self._database

    def _open_index(self) -> sqlite3.Connection:
        self._prepare_state()
        database = sqlite3.connect(self.layout.ledger_index, timeout=_BUSY_S, isolation_level=None)
        try:
            if _version(database) != schema.VERSION:
                # Two processes that find no index must not both make it, and SQLite's own lock does
                # not cover the switch to WAL.
                with self._guard("index"):
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
        with _transaction(database):
            old = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in old:
                database.execute(f'DROP TABLE "{table}"')
            for statement in schema.TABLES.split(";"):
                if statement.strip():
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {schema.VERSION}")
        if old:
            self.recovered = f"the ledger's index was of version {version} and has been rebuilt"

    def _discard_index(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.layout.ledger_index.with_name(self.layout.ledger_index.name + suffix).unlink(missing_ok=True)

    def _prepare_state(self) -> None:
        """Make `.drystone`, which ignores itself in git."""
        ignore = self.layout.state / ".gitignore"
        if not ignore.exists():
            self.layout.journals.mkdir(parents=True, exist_ok=True)
            ignore.write_text("*\n")

    def _clone_id(self) -> str:
        """Id of this copy of the project, made once; it keeps journals of two clones apart."""
        self._prepare_state()
        path = self.layout.state / "clone"
        for _ in range(2):
            with contextlib.suppress(FileNotFoundError):
                text = path.read_text().strip()
                if is_run_id(text):
                    return text
            temporary = path.with_name(f"clone.{os.getpid()}")
            temporary.write_text(new_id(self.clock.now()) + "\n")
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # whoever comes first wins
            temporary.unlink()
        raise Corrupt("this copy's id is damaged", at=str(path), hints=[f"remove it: `rm {path}`"])


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
