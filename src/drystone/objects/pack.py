"""Packs: many small objects in one file, with a sorted index beside it.

A pack is the line `drystone pack 1` and then entries, each a header of 48 bytes and what is stored:

    32 bytes  the object's BLAKE3 hash
     8 bytes  its size
     4 bytes  bytes stored
     1 byte   encoding: 0 as it is, 1 one zstd frame, 2 a list of chunks (below)
     3 bytes  zero

An index is `drystone index 1`, the hash of the pack, the number of entries (8 bytes), 256 numbers of 4
bytes (how many hashes begin with a byte up to this one), the hashes in order, for each of them 24 bytes
(offset of what is stored 8, size 8, bytes stored 4, encoding 1, zero 3), and the hash of all that.

A list of chunks is, for each chunk in order, its hash and its size (4 bytes): large objects travel so,
in pieces that are objects themselves. Numbers are unsigned and little-endian.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from blake3 import blake3

PACK_MAGIC = b"drystone pack 1\n"
INDEX_MAGIC = b"drystone index 1"
#: The encodings of an entry.
RAW, ZSTD, CHUNKS = 0, 1, 2
#: The largest object, and the longest list of chunks, that an entry may hold.
LARGEST = 64 << 20

_HEADER = struct.Struct("<32sQIB3x")
#: Bytes before what is stored of an entry.
HEADER = _HEADER.size
_PLACE = struct.Struct("<QQIB3x")
_COUNT = struct.Struct("<Q")
_FANOUT = struct.Struct("<256I")
_CHUNK = struct.Struct("<32sI")
_HASH = 32
_FARTHEST = 1 << 62  # beyond, the operating system takes no offset
_INDEX_HEAD = len(INDEX_MAGIC) + _HASH + _COUNT.size + _FANOUT.size


class Place(NamedTuple):
    """Where an object lies in a pack: offset and number of the stored bytes, the object's size, encoding."""

    offset: int
    size: int
    stored: int
    encoding: int

    def is_sound(self) -> bool:
        """Whether an entry may be like that: what an index says may come from anywhere."""
        return self.offset < _FARTHEST and max(self.size, self.stored) <= LARGEST


class Chunk(NamedTuple):
    """A piece of a large object: its digest (32 bytes) and its size."""

    digest: bytes
    size: int


def entry_header(digest: bytes, size: int, stored: int, encoding: int) -> bytes:
    """What stands before the stored bytes of an entry."""
    return _HEADER.pack(digest, size, stored, encoding)


def scan(pack: bytes) -> Iterator[tuple[bytes, Place]]:
    """The entries of a pack in order, as its headers tell: how an index is made anew.

    Stops before the first header that cannot be, or whose stored bytes are not all there.
    """
    view = memoryview(pack)
    if bytes(view[: len(PACK_MAGIC)]) != PACK_MAGIC:
        return
    offset = len(PACK_MAGIC)
    while offset + HEADER <= len(view):
        digest, size, stored, encoding = _HEADER.unpack_from(view, offset)
        offset += HEADER
        if encoding > CHUNKS or stored > LARGEST or offset + stored > len(view):
            return
        yield digest, Place(offset, size, stored, encoding)
        offset += stored


def encode_index(pack: bytes, places: Iterable[tuple[bytes, Place]]) -> bytes:
    """The index of the pack with the digest `pack`."""
    found = dict(places)
    ordered = sorted(found)
    fanout = [bisect_left(ordered, bytes([byte + 1])) for byte in range(255)]
    data = b"".join(
        [
            INDEX_MAGIC,
            pack,
            _COUNT.pack(len(ordered)),
            _FANOUT.pack(*fanout, len(ordered)),
            *ordered,
            *[_PLACE.pack(*found[digest]) for digest in ordered],
        ]
    )
    return data + blake3(data).digest()


class PackIndex:
    """The index of a pack, searched where it lies: no object is made of an entry that nobody asks for.

    Args:
        data: the whole index.

    Raises:
        ValueError: it is damaged or none.
    """

    def __init__(self, data: bytes) -> None:
        view = memoryview(data)
        end = len(view) - _HASH
        if end < _INDEX_HEAD or bytes(view[: len(INDEX_MAGIC)]) != INDEX_MAGIC:
            raise ValueError("it does not begin like an index")
        if blake3(view[:end]).digest() != bytes(view[end:]):
            raise ValueError("it is damaged")
        at = len(INDEX_MAGIC)
        self.pack = bytes(view[at : at + _HASH])
        self._count: int = _COUNT.unpack_from(view, at + _HASH)[0]
        self._fanout: tuple[int, ...] = _FANOUT.unpack_from(view, at + _HASH + _COUNT.size)
        self._digests = _INDEX_HEAD
        self._places = _INDEX_HEAD + self._count * _HASH
        if end != self._places + self._count * _PLACE.size or self._fanout[-1] != self._count:
            raise ValueError("its parts do not fit together")
        if any(before > after for before, after in pairwise(self._fanout)):
            raise ValueError("its numbers of hashes do not grow")
        self._data = data
        self._view = view
        self.size = len(data)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        """The digests, in order."""
        for at in range(self._digests, self._places, _HASH):
            yield bytes(self._view[at : at + _HASH])

    def items(self) -> Iterator[tuple[bytes, Place]]:
        """Each digest with its place, in the order of the digests."""
        for number, digest in enumerate(self):
            yield digest, self._place(number)

    def find(self, digest: bytes) -> Place | None:
        """Where the object with this digest lies in the pack."""
        first = digest[0]
        low = self._fanout[first - 1] if first else 0
        high = self._fanout[first]
        data, start = self._data, self._digests
        while low < high:
            middle = (low + high) // 2
            at = start + middle * _HASH
            found = data[at : at + _HASH]
            if found < digest:
                low = middle + 1
            elif found == digest:
                return self._place(middle)
            else:
                high = middle
        return None

    def _place(self, number: int) -> Place:
        return Place(*_PLACE.unpack_from(self._view, self._places + number * _PLACE.size))


def encode_chunks(chunks: Iterable[Chunk]) -> bytes:
    """A list of chunks as it is stored."""
    return b"".join([_CHUNK.pack(*chunk) for chunk in chunks])


def decode_chunks(data: bytes) -> list[Chunk]:
    """The inverse of `encode_chunks`.

    Raises:
        ValueError: it is no such list.
    """
    if len(data) % _CHUNK.size:
        raise ValueError("the list of chunks is cut off")
    return [Chunk(*found) for found in _CHUNK.iter_unpack(data)]
