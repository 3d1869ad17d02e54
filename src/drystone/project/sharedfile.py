"""A file object that threads share, each of which seeks and then reads."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_Read = TypeVar("_Read")


class SharedFile(io.BufferedIOBase):
    """A file for reading, in which what a thread sought is read by that thread.

    DuckDB reads one handle from all its threads, by `seek` and then `read`. It holds the interpreter
    lock meanwhile, but whatever runs Python between the two may hand that lock on, and then another
    thread's `seek` moves the position before the `read`. So a position that a thread sought waits for
    the next read of that same thread. Who reads without having sought goes on where the last seek or
    read of anybody ended, as in any file; then no seek waits any more.

    Args:
        file: what is read, by one thread at a time; it is closed with this.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__()
        self._file = file
        self._lock = threading.RLock()
        self._at = 0
        self._sought: dict[int, int] = {}
        self.name: str = file.name
        self.mode = "rb"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        with self._lock:
            return self._sought.get(threading.get_ident(), self._at)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with self._lock:
            if whence == io.SEEK_CUR:
                offset, whence = self.tell() + offset, io.SEEK_SET
            self._at = self._sought[threading.get_ident()] = self._file.seek(offset, whence)
            return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        return self._from_here(lambda: self._file.read(size))

    def read1(self, size: int = -1, /) -> bytes:
        return self._from_here(lambda: self._file.read1(size))

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._from_here(lambda: self._file.readline(size))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._from_here(lambda: self._file.readinto(buffer))

    def readinto1(self, buffer: WriteableBuffer, /) -> int:
        return self._from_here(lambda: self._file.readinto1(buffer))

    def close(self) -> None:
        with self._lock:
            self._file.close()
            super().close()

    def _from_here(self, take: Callable[[], _Read]) -> _Read:
        """What `take` reads at this thread's position."""
        with self._lock:
            start = self._sought.pop(threading.get_ident(), None)
            if start is None:
                self._sought.clear()
                start = self._at
            self._at = self._file.seek(start)
            read = take()
            self._at = self._file.tell()
            return read
