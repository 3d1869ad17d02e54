"""What is known about files that have not changed since they were last read: a cache in SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from blake3 import blake3

from drystone.core.clock import Clock, SystemClock
from drystone.core.errors import Conflict
from drystone.core.ids import digest_of, name_of
from drystone.objects.hashing import hash_file
from drystone.objects.listing import Listing, is_settled, listing_of, packed, stamp

_ATTEMPTS = 3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
    path BLOB PRIMARY KEY, names BLOB NOT NULL, stamps BLOB NOT NULL, objects BLOB NOT NULL,
    tree BLOB NOT NULL, size INTEGER NOT NULL, sum BLOB NOT NULL
)
"""
_FORMAT = 3
_COLUMNS = "names, stamps, objects, tree, size, sum"
_SUM = 16  # bytes of a row's checksum
_PENDING = 16 << 20  # bytes of listings that are kept before they are written


class StatIndex:
    """Listings of folders and object ids of files, looked at again only when they may have changed.

    New knowledge is written by `flush` or `close`, in one transaction. A damaged or deleted database
    is begun anew, a row that does not fit its checksum is not known; a database that cannot be written is
    not written: all in it can be found out again.

    Args:
        path: the database. Where its folder is missing nothing is written.
        clock: tells when a file was looked at.
        read_only: leave the database as it is. SQLite is then told that nobody else writes it either; what
            is read while somebody does is no more believed than any damaged row.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._clock = clock or SystemClock()
        self._connection: sqlite3.Connection | None = None
        self._cached: dict[bytes, Listing | None] = {}
        self._files: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = {}
        self._learnt: dict[bytes, Listing] = {}
        self._pending = 0
        self._guard = threading.RLock()
        self._process = os.getpid()
        self.hashed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._clock.now()

    def recall(self, folder: bytes) -> Listing | None:
        """What was learnt of a folder last; `objects.listing.Known`."""
        with self._guard:
            if folder in self._files:
                self._merge()
            return self._learnt.get(folder) or self._read(folder)

    def learn(self, folder: bytes, listing: Listing) -> None:
        """Remembers a folder; `objects.listing.Known`."""
        with self._guard:
            self._learnt[folder] = listing
            self._files.pop(folder, None)
            self._cached.pop(folder, None)
            self._pending += len(listing.names) + len(listing.stamps) + len(listing.objects)
            if self._pending > _PENDING:
                self._write()

    def identify(self, path: Path, status: os.stat_result | None = None) -> str:
        """The object id of a file's content.

        Args:
            path: absolute; a symbolic link is followed.
            status: its `stat` if just taken.

        Raises:
            OSError: it cannot be read.
            Conflict: it changed all the time while it was read.
        """
        folder, name = os.path.split(os.fsencode(path))
        before = status or path.stat()
        known = self._file(folder, name)
        if known is not None and any(known[1]) and known[0] == packed(before):
            return name_of(known[1])
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            found, _ = hash_file(path)
            self.hashed += 1
            after = path.stat()
            seen = packed(after)
            if seen is not None and seen == packed(before):
                if is_settled(stamp(after), now):
                    digest = digest_of(found)
                    with self._guard:
                        self._files.setdefault(folder, {})[name] = (seen, digest)
                return found
            before = after
        raise Conflict(
            f"`{path.name}` changed while it was read",
            at=str(path),
            hints=["run the same command again once nothing writes to the file"],
        )

    def flush(self) -> None:
        """Writes what was learnt since the last time."""
        with self._guard:
            self._merge()
            if self._learnt:
                self._write()

    def close(self) -> None:
        """Flushes and lets go of the database."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _file(self, folder: bytes, name: bytes) -> tuple[bytes, bytes] | None:
        with self._guard:
            fresh = self._files.get(folder, {}).get(name)
            if fresh is not None:
                return fresh
            listing = self._learnt.get(folder)
            if listing is None:
                if folder not in self._cached:
                    self._cached[folder] = self._read(folder)
                listing = self._cached[folder]
            return listing.find(name) if listing is not None else None

    def _merge(self) -> None:
        """Adds what was learnt of single files to the listings of their folders."""
        for folder, files in self._files.items():
            listing = self._learnt.get(folder) or self._read(folder)
            self._learnt[folder] = listing_of({**(listing.known() if listing else {}), **files})
            self._cached.pop(folder, None)
        self._files.clear()

    def _write(self) -> None:
        rows = [(folder, *listing, _sum(folder, listing)) for folder, listing in self._learnt.items()]
        self._learnt.clear()
        self._pending = 0
        if self._read_only:
            return
        for _ in range(2):  # once more after a damaged database was taken away
            try:
                with self._open() as connection:
                    connection.executemany("INSERT OR REPLACE INTO folder VALUES (?,?,?,?,?,?,?)", rows)
                return
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not _is_damage(error):
                    return  # busy, full or read-only: this knowledge is not worth a failure
                self._discard()

    def _read(self, folder: bytes) -> Listing | None:
        if self._connection is None and not self._path.exists():
            return None
        try:
            row = self._open().execute(f"SELECT {_COLUMNS} FROM folder WHERE path = ?", (folder,)).fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if _is_damage(error):
                self._discard()
            return None  # else busy or unreadable: as if nothing were known
        if row is None:
            return None
        *fields, found = row
        listing = Listing(*fields)
        # SQLite keeps no checksums: a flipped bit would be believed for as long as the folder stands still
        return listing if _has_types(listing) and _sum(folder, listing) == found else None

    def _open(self) -> sqlite3.Connection:
        if self._process != os.getpid():  # forked: the connection is the other's, and must not be closed
            self._process, self._other, self._connection = os.getpid(), self._connection, None
        if self._connection is None and self._read_only:
            place = f"{self._path.as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        elif self._connection is None:
            connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != _FORMAT:
                connection.execute("DROP TABLE IF EXISTS file")
                connection.execute("DROP TABLE IF EXISTS folder")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute(_SCHEMA)
        return self._connection

    def _discard(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if self._read_only:
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()


def _is_damage(error: sqlite3.DatabaseError | UnicodeDecodeError) -> bool:
    """Whether the database must be begun anew: SQLite says so, or no longer knows our table by its names."""
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR
    return True  # a damaged name in a message of SQLite's cannot even be decoded


def _has_types(listing: Listing) -> bool:
    """Whether the fields are what they must be: in SQLite any column may hold anything."""
    return list(map(type, listing)) == [bytes, bytes, bytes, bytes, int]


def _sum(folder: bytes, listing: Listing) -> bytes:
    """The checksum of a row: of its folder's path and all that is said of it, each with its length."""
    names, stamps, objects, tree, size = listing
    lengths = b"%d %d %d %d %d %d " % (*map(len, (folder, names, stamps, objects, tree)), size)
    return blake3(b"".join((lengths, folder, names, stamps, objects, tree))).digest(length=_SUM)
