"""Journals on their way to another copy of the project: what was appended since, in one parcel.

A parcel is the line `drystone journals 1` and then, for each piece, the length of the journal's name (2
bytes), the offset of the piece in the journal (8), its length (8), the name and the bytes; numbers are
unsigned and little-endian. Pieces are whole frames. A journal grows only at its end, so pieces of one
offset are equal as far as they go, and parcels can be opened in any order, any number of times.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Corrupt
from drystone.ledger.folder import SUFFIX
from drystone.ledger.journal import HEADER, is_whole, read_frames

_MAGIC = b"drystone journals 1\n"
_PIECE = struct.Struct("<HQQ")
_CONTRADICTS = -1
_NAME = re.compile(r"(?:[0-9a-f]{32}\.[0-9a-z]{1,32}|facts-[0-9a-f]{32})\.journal")


class Piece(NamedTuple):
    """Whole frames of one journal, from an offset on."""

    journal: str
    offset: int
    data: bytes


class Taken(NamedTuple):
    """What became of pieces.

    Attributes:
        ends: where the journals that grew end now.
        waiting: pieces whose beginning is not here yet.
        aside: journals that were made of pieces that contradict what was here.
    """

    ends: dict[str, int]
    waiting: tuple[Piece, ...]
    aside: tuple[str, ...]


def parcel(folder: Path, known: Mapping[str, int]) -> tuple[bytes, dict[str, int]] | None:
    """What the journals of a folder hold beyond `known`, and where each ends then; None if nothing.

    Args:
        folder: of journals.
        known: the offset up to which each journal has been sent.

    Raises:
        Corrupt: a file there is no journal.
    """
    parts, ends = [_MAGIC], dict(known)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        start = known.get(path.name, 0)
        if path.stat().st_size <= start or not _NAME.fullmatch(path.name):
            continue
        with path.open("rb") as file:
            # what others have must still be here after a power cut, or the two would grow apart
            os.fsync(file.fileno())
            end = read_frames(path, start).end
            if end <= max(start, len(HEADER)):
                continue
            file.seek(start)
            data = file.read(end - start)
        name = path.name.encode()
        parts += [_PIECE.pack(len(name), start, len(data)), name, data]
        ends[path.name] = end
    return (b"".join(parts), ends) if len(parts) > 1 else None


def unpack(data: bytes) -> Iterator[Piece]:
    """The pieces of a parcel.

    Raises:
        Corrupt: it is none, or names a file that is no journal's.
    """
    if not data.startswith(_MAGIC):
        raise Corrupt("not a parcel of journals")
    at = len(_MAGIC)
    while at < len(data):
        if at + _PIECE.size > len(data):
            raise Corrupt("a parcel of journals is cut off")
        length, offset, size = _PIECE.unpack_from(data, at)
        at += _PIECE.size
        name = data[at : at + length].decode("ascii", "replace")
        at += length
        if not _NAME.fullmatch(name) or at + size > len(data):
            raise Corrupt("a parcel of journals is damaged", because=f"it names {name!a}")
        piece = Piece(name, offset, data[at : at + size])
        if not is_whole(piece.data) or piece.data.startswith(HEADER) == bool(offset):
            raise Corrupt("a parcel of journals is damaged", because=f"its piece of `{name}` is no records")
        yield piece
        at += size


def take_in(folder: Path, pieces: Iterable[Piece]) -> Taken:
    """Appends pieces to the journals of a folder.

    A piece that contradicts what is here becomes a journal of its own: facts are a set, so the ledger has
    what both tell, and it is the same in each copy of the project that has both.

    Args:
        folder: of journals; made if need be.
        pieces: in any order, any number of times.

    Raises:
        OSError: it cannot be written; what was taken in is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ends: dict[str, int] = {}
    aside: list[str] = []
    waiting = sorted(set(pieces))
    while True:
        later = []
        for piece in waiting:
            found = _append(folder / piece.journal, piece)
            if found is None:
                later.append(piece)
            elif found == _CONTRADICTS:
                aside.append(_keep_aside(folder, piece))
            elif found > 0:
                ends[piece.journal] = found
        if len(later) == len(waiting):
            return Taken(ends, tuple(later), tuple(aside))
        waiting = later


def _append(path: Path, piece: Piece) -> int | None:
    """Where a journal ends after a piece was appended, 0 if it held it already.

    None if what comes before it is not here yet or the journal is being written; `_CONTRADICTS`.
    """
    if piece.offset and not path.exists():
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None  # a run of this machine that is still going on; its journal is complete here
        size = os.fstat(descriptor).st_size
        if piece.offset > size:
            return None
        here = os.pread(descriptor, len(piece.data), piece.offset) if size > piece.offset else b""
        if not piece.data.startswith(here):
            return _CONTRADICTS
        rest = memoryview(piece.data)[len(here) :]
        if not rest:
            return 0
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        return piece.offset + len(piece.data)
    finally:
        os.close(descriptor)


def _keep_aside(folder: Path, piece: Piece) -> str:
    """Make a piece a journal of its own, named by what it holds so that it is one however often it comes."""
    data = HEADER + piece.data.removeprefix(HEADER)
    digits = hashlib.blake2b(data, digest_size=16).hexdigest()
    first = piece.journal.split(".")[0]
    name = f"facts-{digits}{SUFFIX}" if first.startswith("facts-") else f"{first}.{digits}{SUFFIX}"
    _append(folder / name, Piece(name, 0, data))
    return name
