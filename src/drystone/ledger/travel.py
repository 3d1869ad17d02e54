"""Journals on their way to another copy of the project: what was appended since, in one parcel.

A parcel is the line `drystone journals 1` and then, for each piece, the length of the journal's name (2
bytes), the offset of the piece in the journal (8), its length (8), the name and the bytes; numbers are
unsigned and little-endian. Pieces are whole frames. A journal grows only at its end, so pieces of one
offset are equal as far as they go, and parcels can be opened in any order, any number of times.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Corrupt
from drystone.ledger.folder import SUFFIX
from drystone.ledger.journal import HEADER, JournalWriter, read_frames

_MAGIC = b"drystone journals 1\n"
_PIECE = struct.Struct("<HQQ")
_NAME = re.compile(r"(?:[0-9a-f]{32}\.[0-9a-z]{1,32}|facts-[0-9a-f]{32})\.journal")


class Piece(NamedTuple):
    """Whole frames of one journal, from an offset on."""

    journal: str
    offset: int
    data: bytes


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
        end = read_frames(path, start).end
        if end <= max(start, len(HEADER)):
            continue
        with path.open("rb") as file:
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
        yield Piece(name, offset, data[at : at + size])
        at += size


def take_in(folder: Path, pieces: list[Piece]) -> tuple[dict[str, int], list[Piece]]:
    """Appends pieces to the journals of a folder.

    A journal that a process of this machine is writing is this copy's own and complete here.

    Args:
        folder: of journals; made if need be.
        pieces: in any order.

    Returns:
        where the journals that grew end now, and the pieces whose beginning is not here yet.

    Raises:
        Corrupt: a piece contradicts what is here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    grown: dict[str, int] = {}
    waiting = sorted(pieces)
    while True:
        later = [piece for piece in waiting if not _append(folder / piece.journal, piece, grown)]
        if len(later) == len(waiting):
            return grown, later
        waiting = later


def _append(path: Path, piece: Piece, grown: dict[str, int]) -> bool:
    size = path.stat().st_size if path.exists() else 0
    if piece.offset > size:
        return False
    here = b""
    if size > piece.offset:
        with path.open("rb") as file:
            file.seek(piece.offset)
            here = file.read(len(piece.data))
        if not piece.data.startswith(here):
            raise Corrupt(
                f"journal `{path.name}` differs from the one on the remote",
                at=str(path),
                because=f"their bytes from {piece.offset:,} on are not the same",
                hints=[
                    "put this copy's aside and take the remote's: move the file away, then `drystone pull`"
                ],
            )
    rest = piece.data[len(here) :]
    if rest:
        _write(path, size, rest)
        grown[path.name] = size + len(rest)
    return True


def _write(path: Path, size: int, data: bytes) -> None:
    """Append to a journal, which is held meanwhile; a torn end of it is cut off first."""
    writer = JournalWriter(path, wait=True, verified=0) if size else None
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            if os.fstat(descriptor).st_size == size:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        if writer is not None:
            writer.close()
