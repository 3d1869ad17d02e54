"""Which of our objects has which MD5: a cache in SQLite, so that nothing is hashed or fetched twice."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from drystone.core.ids import digest_of, name_of
from drystone.interop.dvc.digest import Algorithm
from drystone.interop.dvc.directory import Content

_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    algorithm TEXT NOT NULL, md5 BLOB NOT NULL, object BLOB NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (algorithm, md5)
) WITHOUT ROWID
"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_object ON content (object)"


class Knowledge:
    """What was learnt by reading contents. Written by `close`; whatever goes wrong, it is only a cache.

    Args:
        path: the database. Where its folder is missing nothing is written.
        read_only: leave it as it is.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._new: dict[tuple[Algorithm, str], Content] = {}
        self._guard = threading.Lock()
        self._connection = self._open() if path.exists() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def content(self, algorithm: Algorithm, digits: str) -> Content | None:
        """The object with this MD5, as far as known; it may have left the store since."""
        with self._guard:
            if (algorithm, digits) in self._new:
                return self._new[algorithm, digits]
            row = self._one("object, size", "algorithm = ? AND md5 = ?", algorithm, bytes.fromhex(digits))
        return Content(name_of(row[0]), row[1]) if row else None

    def md5(self, object_id: str) -> str | None:
        """The digits of an object's plain MD5, if known."""
        digits = digest_of(object_id)
        with self._guard:
            row = self._one("md5", "object = ? AND algorithm = 'md5'", digits)
        return row[0].hex() if row else None

    def learn(self, algorithm: Algorithm, digits: str, content: Content) -> None:
        """Remembers what a content's MD5 is."""
        with self._guard:
            self._new[algorithm, digits] = content

    def close(self) -> None:
        """Writes what was learnt and lets go of the database."""
        if self._new and self._path.parent.is_dir() and not self._read_only:
            with suppress(sqlite3.Error):  # busy, full, read-only: it can all be found out again
                self._connection = self._connection or self._open()
                if self._connection is not None:
                    self._write(self._connection)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, connection: sqlite3.Connection) -> None:
        rows = [
            (
                algorithm,
                bytes.fromhex(digits),
                digest_of(found.object),
                found.size,
            )
            for (algorithm, digits), found in self._new.items()
        ]
        with connection:
            connection.executemany("INSERT OR REPLACE INTO content VALUES (?,?,?,?)", rows)
        self._new.clear()

    def _one(self, columns: str, where: str, *values: object) -> tuple[bytes, int] | None:
        if self._connection is None:
            return None
        try:
            row: tuple[bytes, int] | None = self._connection.execute(
                f"SELECT {columns} FROM content WHERE {where}", values
            ).fetchone()
        except sqlite3.Error:
            return None
        return row

    def _open(self) -> sqlite3.Connection | None:
        for _ in range(2):  # once more after a damaged database was taken away
            connection = None
            try:
                if self._read_only:
                    return sqlite3.connect(
                        f"{self._path.as_uri()}?mode=ro", uri=True, check_same_thread=False
                    )
                connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != _FORMAT:
                    connection.execute("DROP TABLE IF EXISTS content")
                    connection.execute(f"PRAGMA user_version = {_FORMAT}")
                connection.execute(_SCHEMA)
                connection.execute(_INDEX)
                return connection
            except sqlite3.OperationalError:
                if connection is not None:
                    connection.close()
                return None
            except sqlite3.DatabaseError:
                if connection is not None:
                    connection.close()
                with suppress(OSError):
                    self._path.unlink()
        return None
