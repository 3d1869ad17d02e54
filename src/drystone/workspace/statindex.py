"""What is known about files that have not changed since they were last read: a cache in SQLite.

A file is taken to be unchanged if its device, inode, size, mtime and ctime are as they were, and if
mtime and ctime were already past when they were taken (git's rule for racy timestamps): a file system
writes times in ticks, so a file changed twice within one tick may look the same twice. Unlike mtime,
ctime cannot be set back by `touch`, `rsync` or `tar`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from drystone.core.clock import Clock, SystemClock
from drystone.core.errors import Conflict
from drystone.core.ids import OBJECT_PREFIX
from drystone.objects.hashing import hash_file

Stamp = tuple[int, int, int, int, int]

_ATTEMPTS = 3
_TICK = 20_000_000  # ns; the longest tick of a Linux kernel is 10 ms
_COARSE_TICK = 2_000_000_000  # ns; file systems that keep whole seconds, FAT keeps even ones
_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    folder BLOB NOT NULL, name BLOB NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, object BLOB NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""
_FORMAT = 1
_COLUMNS = "name, device, inode, size, mtime, ctime, object"


def stamp(status: os.stat_result) -> Stamp:
    """Device, inode, size, mtime and ctime (ns): equal stamps mean an unchanged file, unless racy."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class StatIndex:
    """Object ids of files, read again only when they may have changed.

    New knowledge is written by `flush` or `close`, in one transaction. A damaged or deleted database
    is begun anew; one that cannot be written is not written: all in it can be found out again.

    Args:
        path: the database. Where its folder is missing nothing is written.
        clock: tells when a file was looked at.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._connection: sqlite3.Connection | None = None
        self._folders: dict[str, dict[str, tuple[Stamp, str]]] = {}
        self._new: dict[tuple[str, str], tuple[Stamp, str]] = {}
        self._guard = threading.RLock()
        self.hashed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def identify(self, path: Path, status: os.stat_result | None = None) -> str:
        """The object id of a file's content.

        Args:
            path: absolute; a symbolic link is followed.
            status: its `stat` if just taken.

        Raises:
            OSError: it cannot be read.
            Conflict: it changed all the time while it was read.
        """
        before = stamp(status or path.stat())
        folder, name = os.path.split(path)
        known = self._load(folder).get(name)
        if known is not None and known[0] == before:
            return known[1]
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            found, _ = hash_file(path)
            self.hashed += 1
            after = stamp(path.stat())
            if before == after:
                if is_settled(after, now):
                    with self._guard:
                        self._folders[folder][name] = self._new[folder, name] = (after, found)
                return found
            before = after
        raise Conflict(
            f"`{name}` changed while it was read",
            at=str(path),
            hints=["run the same command again once nothing writes to the file"],
        )

    def flush(self) -> None:
        """Writes what was learnt since the last time."""
        with self._guard:
            if self._new:
                self._write()

    def _write(self) -> None:
        rows = [
            (os.fsencode(folder), os.fsencode(name), *known[0], bytes.fromhex(known[1][3:]))
            for (folder, name), known in self._new.items()
        ]
        self._new.clear()
        for _ in range(2):  # once more after a damaged database was taken away
            try:
                with self._open() as connection:
                    connection.executemany("INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?)", rows)
                return
            except sqlite3.OperationalError:
                return  # busy, full or read-only: this knowledge is not worth a failure
            except sqlite3.DatabaseError:
                self._discard()

    def close(self) -> None:
        """Flushes and lets go of the database."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, folder: str) -> dict[str, tuple[Stamp, str]]:
        """What is known about the files of a folder, all at once."""
        with self._guard:
            if folder not in self._folders:
                self._folders[folder] = self._read(folder)
            return self._folders[folder]

    def _read(self, folder: str) -> dict[str, tuple[Stamp, str]]:
        rows: list[tuple[bytes, int, int, int, int, int, bytes]] = []
        if self._path.exists():
            try:
                rows = (
                    self._open()
                    .execute(f"SELECT {_COLUMNS} FROM file WHERE folder = ?", (os.fsencode(folder),))
                    .fetchall()
                )
            except sqlite3.OperationalError:
                pass  # busy or unreadable: as if nothing were known
            except sqlite3.DatabaseError:
                self._discard()
        return {os.fsdecode(row[0]): (row[1:6], OBJECT_PREFIX + row[6].hex()) for row in rows}

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != _FORMAT:
                connection.execute("DROP TABLE IF EXISTS file")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute(_SCHEMA)
        return self._connection

    def _discard(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()


def is_settled(file: Stamp, looked_at: int) -> bool:
    """Whether a later change of the file must show in its stamp.

    Args:
        file: its stamp.
        looked_at: when it was taken, nanoseconds since the epoch.
    """
    *_, mtime, ctime = file
    tick = _COARSE_TICK if ctime % 1_000_000_000 == 0 else _TICK
    return max(mtime, ctime) + tick < looked_at
