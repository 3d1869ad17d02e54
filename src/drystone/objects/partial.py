"""Large objects of which a part came: kept where the next process goes on, which verifies what is there.

`partial/DIGITS.part` in the store holds the first bytes of the object with these 64 hex digits. Its writer
holds it with flock. Nothing is said of how far it is right: whoever goes on knows the pieces and hashes
them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from drystone.objects.pack import Chunk

_KEPT = timedelta(days=14)


class Partial(NamedTuple):
    """A file of which some is there already, open and held."""

    descriptor: int
    path: Path

    def take(self, chunks: Iterable[Chunk], hasher: blake3) -> int:
        """Drops what comes after the first pieces that are whole; gives their number.

        Args:
            chunks: the pieces of the object in order.
            hasher: is given the pieces that are whole.

        Raises:
            OSError: the file cannot be read or cut off.
        """
        number = end = 0
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        with os.fdopen(self.descriptor, "rb", closefd=False) as file:
            for chunk in chunks:
                data = file.read(chunk.size)
                if blake3(data).digest() != chunk.digest:
                    break
                hasher.update(data)
                number, end = number + 1, end + len(data)
        os.ftruncate(self.descriptor, end)
        os.lseek(self.descriptor, end, os.SEEK_SET)
        return number


@contextmanager
def opened(folder: Path, digest: bytes) -> Iterator[Partial | None]:
    """What is there of an object, or an empty file; None if another process is at it.

    It stays, unless it is renamed or empty, and where it cannot be written: a full disk is not kept full.

    Args:
        folder: of the parts, made if need be.
        digest: of the whole object.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{digest.hex()}.part"
    descriptor = _held(path)
    if descriptor is None:
        yield None
        return
    full = False
    try:
        os.utime(descriptor)
        _sweep(folder, os.fstat(descriptor).st_mtime_ns)
        yield Partial(descriptor, path)
    except OSError:
        full = True
        raise
    finally:
        if (full or not os.fstat(descriptor).st_size) and _is_at(descriptor, path):
            path.unlink()
        os.close(descriptor)


def _held(path: Path) -> int | None:
    """The file, made if need be, held by us alone; None if another holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # between the two it became an object, or was swept


def _is_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _sweep(folder: Path, now: int) -> None:
    """Removes what nobody went on with for two weeks, by the file system's clock."""
    before = now - int(_KEPT.total_seconds()) * 10**9
    for path in folder.glob("*.part"):
        with suppress(FileNotFoundError, PermissionError):
            if path.stat().st_mtime_ns < before and (descriptor := _held(path)) is not None:
                path.unlink()
                os.close(descriptor)
