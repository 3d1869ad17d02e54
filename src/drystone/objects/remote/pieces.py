"""Which large objects of the local store hold which pieces, so that a pull fetches only what changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import DrystoneError
from drystone.core.ids import name_of
from drystone.objects.atomic import write_atomic
from drystone.objects.pack import Chunk, decode_chunks, encode_chunks
from drystone.objects.store import ObjectStore

_MOST = 200_000  # pieces that are kept in mind at once, of 50 GB


class _Where(NamedTuple):
    digest: bytes
    offset: int


class Pieces:
    """The lists of large objects that were sent or fetched, kept in files; all in them can be made again.

    Args:
        folder: where the lists are kept, one file each, named by the object.
        store: where the objects are.
    """

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        self._folder = folder
        self._store = store
        self._where: dict[bytes, _Where] | None = None
        self._guard = threading.Lock()

    def remember(self, digest: bytes, chunks: Sequence[Chunk]) -> None:
        """Keep the list of an object that is in the store."""
        if self._store.read_only:
            return
        with suppress(OSError, DrystoneError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / digest.hex(), encode_chunks(chunks))

    def recall(self, digest: bytes) -> list[Chunk] | None:
        """The list of an object, None where it is not known. It may be damaged: each piece tells."""
        with suppress(OSError, ValueError):
            return decode_chunks(self._folder.joinpath(digest.hex()).read_bytes())
        return None

    def forget(self, digest: bytes) -> None:
        """Let go of a list that turned out to be damaged."""
        if self._store.read_only:
            return
        with suppress(OSError):
            self._folder.joinpath(digest.hex()).unlink()

    def find(self, piece: Chunk) -> bytes | None:
        """The bytes of a piece, verified, if some object of the store holds it."""
        with self._guard:
            if self._where is None:
                self._where = self._load()
        where = self._where.get(piece.digest)
        if where is None:
            return None
        with suppress(DrystoneError, OSError), self._store.open_unverified(name_of(where.digest)) as file:
            file.seek(where.offset)
            data = file.read(piece.size)
            if blake3(data).digest() == piece.digest:
                return data
        return None

    def _load(self) -> dict[bytes, _Where]:
        found: dict[bytes, _Where] = {}
        with suppress(FileNotFoundError):
            with os.scandir(self._folder) as items:
                newest = sorted(items, key=lambda item: -item.stat().st_mtime_ns)
            for item in newest:
                if len(found) > _MOST:
                    break
                with suppress(OSError, ValueError, DrystoneError):
                    digest = bytes.fromhex(item.name)
                    if not self._store.has(name_of(digest)):
                        Path(item.path).unlink()  # collected since
                    else:
                        offset = 0
                        for chunk in decode_chunks(Path(item.path).read_bytes()):
                            found.setdefault(chunk.digest, _Where(digest, offset))
                            offset += chunk.size
        return found
