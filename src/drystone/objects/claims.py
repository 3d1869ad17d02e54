"""What the processes that share a batch are storing, so that what several of them have is stored once."""

from __future__ import annotations

import mmap

_PLACES = 1 << 18
_HASH = 32


class Claims:
    """A hash table in memory that forked processes share, without a lock.

    An entry may be lost to another, or to a race: then an object is merely stored twice. None is ever taken
    for another, since the whole hash is compared.
    """

    def __init__(self) -> None:
        self._table = mmap.mmap(-1, _PLACES * _HASH)

    def claim(self, digest: bytes) -> bool:
        """Whether the object is the caller's to store: nobody has claimed it before."""
        place = int.from_bytes(digest[:4], "little") % _PLACES * _HASH
        if self._table[place : place + _HASH] == digest:
            return False
        self._table[place : place + _HASH] = digest
        return True
