"""Append-only files of framed records. `docs/reference/formats.md` gives the bytes.

A journal is a header line and then frames: length and CRC-32 of the payload (two little-endian
32-bit numbers), then the payload. A process that dies in the middle of an append leaves a torn
tail; readers stop at the last whole frame, and the next writer of a shared journal cuts it off.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Conflict, Corrupt

HEADER = b"drystone journal 1\n"
#: Begins the names of journals that many processes write in turn, each opening it for one append.
SHARED = "facts-"
_FRAME = struct.Struct("<II")
#: No record is larger; a length beyond it is damage, not a record.
MAX_PAYLOAD = 64 << 20
#: How far behind a damaged record the next one is looked for.
_NEAR = 1 << 20
#: How much of a journal is read into memory at once.
_READ_LIMIT = 256 << 20
#: How many bytes tell whether a journal is the one that was read before.
_TELLING = 64


def frame(payload: bytes) -> bytes:
    """The bytes of one record."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a record of {len(payload)} bytes is over the limit of {MAX_PAYLOAD}")
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


class Frames(NamedTuple):
    """What one reading of a journal gave.

    Attributes:
        payloads: offset and payload of whole records with a right checksum, in order of writing.
        end: offset behind the last whole frame; the next reading starts there.
        damaged: offsets of frames that are wrong and have right ones behind them; they were passed over.
        torn: whether bytes follow `end` that are no whole frame (yet).
    """

    payloads: list[tuple[int, bytes]]
    end: int
    damaged: list[int]
    torn: bool


def read_frames(path: Path, start: int = 0) -> Frames:
    """Read the records of a journal from offset `start` on.

    Raises:
        Corrupt: the file is not a journal.
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        if start == 0:
            header = file.read(len(HEADER))
            if header != HEADER:
                if HEADER.startswith(header):  # killed while the very first line was written
                    return Frames([], 0, [], torn=bool(header))
                raise Corrupt(f"not a journal: `{path.name}`", at=str(path))
            start = len(HEADER)
        else:
            file.seek(start)
        data = file.read(_READ_LIMIT)
    return _split(data, start)


def _split(data: bytes, start: int) -> Frames:
    payloads: list[tuple[int, bytes]] = []
    damaged: list[int] = []
    position, size = 0, len(data)
    while position < size:
        payload = _payload(data, position)
        if payload is None:
            following = _next_frame(data, position)
            if following is None:
                break  # nothing whole comes after it: the append that a crash cut short
            damaged.append(start + position)
            position = following
            continue
        payloads.append((start + position, payload))
        position += _FRAME.size + len(payload)
    return Frames(payloads, start + position, damaged, torn=position < size)


def _payload(data: bytes, position: int) -> bytes | None:
    """The payload of the frame at `position`, None where there is no whole and right one."""
    if position + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, position)
    body = position + _FRAME.size
    if length > MAX_PAYLOAD or body + length > len(data):
        return None
    payload = data[body : body + length]
    return payload if zlib.crc32(payload) == checksum else None


def _next_frame(data: bytes, damaged: int) -> int | None:
    """Where the first right frame behind a damaged one begins, None if there is none near."""
    length = int.from_bytes(data[damaged : damaged + 4], "little")
    told = damaged + _FRAME.size + length
    if _payload(data, told):
        return told
    # The length itself may be what is damaged. A fact is a MessagePack map: its first byte spares
    # nearly all the checksums of the search, and so does that records are far smaller than _NEAR.
    for candidate in range(damaged + 1, min(damaged + _NEAR, len(data) - _FRAME.size)):
        first = data[candidate + _FRAME.size]
        if (first & 0xF0 == 0x80 or first == 0xDE) and _payload(data, candidate):
            return candidate
    return None


def read_before(path: Path, end: int) -> bytes:
    """The last bytes before an offset. Records tell ids and times, so these tell a journal from another."""
    with path.open("rb") as file:
        file.seek(max(0, end - _TELLING))
        return file.read(min(end, _TELLING))


class JournalWriter:
    """Appends records to one journal, holding its flock until closed.

    The kernel drops the lock when the process dies, however it dies, so an unlocked journal
    without an end belongs to a run that was lost.

    Args:
        path: the journal; made where it is absent.
        wait: whether to wait for another writer to finish.
        verified: an offset up to which the frames are known to be whole.

    Raises:
        Conflict: another process writes this journal and `wait` is off.
        Corrupt: the file is not a journal.
    """

    def __init__(self, path: Path, *, wait: bool = False, verified: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(self._fd)
            raise Conflict(f"another process is writing `{path.name}`", at=str(path)) from None
        try:
            if not path.name.startswith(SHARED):
                os.utime(path.parent)  # readers that take it for closed look again (`folder.py`)
            self._size = self._repair(verified)
        except BaseException:
            os.close(self._fd)
            raise

    def _repair(self, verified: int) -> int:
        """Cut off what a crash left half-written; we hold the lock, so nobody else is writing."""
        size = os.fstat(self._fd).st_size
        end = verified if verified <= size else 0
        while end < size:
            found = read_frames(self.path, end)
            if found.end == end:
                self._set_aside(end)
                os.ftruncate(self._fd, end)
                break
            end = found.end
        if end == 0:
            end = os.write(self._fd, HEADER)
        return end

    def _set_aside(self, end: int) -> None:
        """Keep what is about to be cut off, in case a person can make something of it."""
        with self.path.open("rb") as file:
            file.seek(end)
            self.path.with_name(f"{self.path.name}.torn-{end}").write_bytes(file.read(_READ_LIMIT))

    def append(self, payloads: list[bytes]) -> None:
        """Add records. After `append` they survive the death of this process, after `sync` a power cut.

        Raises:
            OSError: disk full or the like; the journal is as it was before.
        """
        data = b"".join(map(frame, payloads))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Release the journal."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_whole(data: bytes) -> bool:
    """Whether bytes are frames from end to end, behind a header or not; damaged ones count."""
    frames = data.removeprefix(HEADER)
    return _split(frames, 0).end == len(frames)


def is_being_written(path: Path) -> bool:
    """Whether some living process holds the journal open for writing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
