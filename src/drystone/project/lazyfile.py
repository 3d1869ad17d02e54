"""A file object over an object that need not be here: what is read is fetched, and verified first."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from drystone.core.errors import DrystoneError, RemoteUnavailable, UsageError
from drystone.project.sources import Failure, Sources, View

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT = 32 << 20  # bytes of pieces that are kept for the next read
_AT_ONCE = 8 << 20  # bytes of pieces that are asked for together
_BUFFER = 64 << 10
_FIRST_AHEAD = (
    256 << 10
)  # bytes that are fetched ahead at the second read in a row; twice as many at the next


class LazyFile(io.RawIOBase):
    """The bytes of one object, read in verified pieces from whatever source has them.

    Whoever reads from front to back is given pieces that were fetched ahead; whoever jumps is not.

    Args:
        sources: where from.
        object_id: what.
        label: what to call it in errors.
        size: bytes, where they are known; a source that has another number of them is passed over.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: no source has it.
    """

    def __init__(self, sources: Sources, object_id: str, label: str, size: int | None = None) -> None:
        super().__init__()
        self.name = label
        self.mode = "rb"
        self._sources = sources
        self._object = object_id
        self._at = 0
        self._expected = -1
        self._ahead = 0
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._kept = 0
        errors: list[DrystoneError] = []
        self._view = next(self._views(size, errors), None)
        if self._view is None:
            raise sources.absent(f"`{label}`", errors)
        self.size = self._view.starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}.get(whence)
        if base is None:
            raise ValueError(f"invalid whence ({whence})")
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        target = memoryview(buffer).cast("B")
        if self._at != self._expected:
            self._ahead = 0
        stop = min(self.size, self._at + len(target))
        done = 0
        while self._at < stop:
            piece = self._some(stop)
            target[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
        self._expected = self._at
        return done

    def close(self) -> None:
        self._cache.clear()
        super().close()

    def _some(self, stop: int) -> memoryview:
        """Bytes from the current position on, at least one, none beyond `stop`."""
        view = self._view
        if view is not None:
            number = bisect_right(view.starts, self._at) - 1
            data = self._cache.get(view.chunks[number].digest)
            if data is not None:
                self._cache.move_to_end(view.chunks[number].digest)
                return memoryview(data)[self._at - view.starts[number] : stop - view.starts[number]]
        self._load(stop)
        return self._some(stop)

    def _load(self, stop: int) -> None:
        """Brings the piece at this position into the cache, and what follows it, to `stop` or beyond."""
        stop += self._ahead
        self._ahead = min(_AT_ONCE, max(_FIRST_AHEAD, 2 * self._ahead))
        errors: list[DrystoneError] = []
        last, self._view = self._view, None
        for view in chain([last] if last else [], self._views(self.size, errors)):
            try:
                self._take(view, stop)
            except Failure as error:
                errors.append(error)
                continue
            self._view = view
            return
        raise self._sources.absent(f"`{self.name}`", errors)

    def _views(self, size: int | None, errors: list[DrystoneError]) -> Iterator[View]:
        for view in self._sources.views(self._object, errors):
            if size is None or view.starts[-1] == size:
                yield view
            else:
                errors.append(
                    RemoteUnavailable(
                        f"`{self.name}` should have {size:,} bytes, {view.starts[-1]:,} are there"
                    )
                )

    def _take(self, view: View, stop: int) -> None:
        first = bisect_right(view.starts, self._at) - 1
        last = first
        while (
            last < len(view.chunks)
            and view.starts[last] < stop
            and view.starts[last] - view.starts[first] < _AT_ONCE
            and (last == first or view.chunks[last].digest not in self._cache)
        ):
            last += 1
        wanted = view.chunks[first:last]
        for chunk, data in zip(
            wanted, view.source.read(self._object, view.starts[first], wanted), strict=True
        ):
            if self._cache.pop(chunk.digest, None) is None:
                self._kept += len(data)
            self._cache[chunk.digest] = data  # last, so that what is wanted now goes last
        while self._kept > _KEPT and len(self._cache) > len(wanted):
            self._kept -= len(self._cache.popitem(last=False)[1])


def buffered(file: LazyFile) -> io.BufferedReader:
    """The file with a buffer, so that lines and small reads cost little."""
    return io.BufferedReader(file, _BUFFER)


def opened(
    file: LazyFile, mode: str, encoding: str | None = None, newline: str | None = None
) -> io.BufferedReader | io.TextIOWrapper:
    """The file as `open` would give it in that mode.

    Raises:
        UsageError: the mode is none for reading.
    """
    if mode in ("rb", "br"):
        return buffered(file)
    if mode in ("r", "rt", "tr"):
        return io.TextIOWrapper(buffered(file), encoding=encoding or "utf-8", newline=newline)
    raise UsageError(
        f"`{file.name}` cannot be opened with mode `{mode}`",
        because="what is stored is never changed; modes are `rb` and `r`",
        hints=["write a file and track it with `drystone add PATH`"],
    )
