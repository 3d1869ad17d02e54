"""What was seen of a folder, compact enough to be kept for a million files and compared in one go.

A file is taken to be unchanged if its device, inode, size, mtime and ctime are as they were, and if
mtime and ctime were already past when they were taken (git's rule for racy timestamps): a file system
writes times in ticks, so a file changed twice within one tick may look the same twice. Unlike mtime,
ctime cannot be set back by `touch`, `rsync` or `tar`.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import NamedTuple, Protocol

from drystone.objects.entry import encode_lines

Stamp = tuple[int, int, int, int, int]

#: Kinds of what a folder holds, in a stamp's last byte.
FILE, EXECUTABLE, LINK, FOLDER = 0, 1, 2, 3
#: Length of an entry's stamp and of its digest.
STAMP, DIGEST = 41, 32
UNKNOWN = bytes(DIGEST)

_STAMP = struct.Struct("<QQQqqB")
_SIZE = struct.Struct("<16xQ17x")  # of a stamp, only the size
_TIMES = struct.Struct("<24xqqx")  # only mtime and ctime
_TICK = 20_000_000  # ns; the longest tick of a Linux kernel is 10 ms
_COARSE_TICK = 2_000_000_000  # ns; file systems that keep whole seconds, FAT keeps even ones
_WORDS = {FILE: b"file", EXECUTABLE: b"exec", LINK: b"link", FOLDER: b"tree"}
_ONLY_KIND = {kind: _STAMP.pack(0, 0, 0, 0, 0, kind) for kind in (LINK, FOLDER)}


class Listing(NamedTuple):
    """A folder.

    Attributes:
        names: of all in it, sorted, NUL between them.
        stamps: for each name device, inode, size (8 bytes each), mtime, ctime (ns, 8 each) and kind (1);
            of a link or folder only the kind.
        objects: for each name the digest of its content, zeros where it is not known.
        tree: digest of the folder's own list, zeros where it is not known; right only if all below it is.
        size: bytes of all files and links below it.
    """

    names: bytes
    stamps: bytes
    objects: bytes
    tree: bytes = UNKNOWN
    size: int = 0

    def split(self) -> list[bytes]:
        """The names."""
        return self.names.split(b"\0") if self.names else []

    def known(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Stamp and digest by name."""
        stamps, objects = self.stamps, self.objects
        return {
            name: (
                stamps[number * STAMP : (number + 1) * STAMP],
                objects[number * DIGEST : (number + 1) * DIGEST],
            )
            for number, name in enumerate(self.split())
        }

    def find(self, name: bytes) -> tuple[bytes, bytes] | None:
        """Stamp and digest of one name."""
        within = b"\0%s\0" % self.names
        at = within.find(b"\0%s\0" % name)
        if at < 0 or not name:
            return None
        number = within.count(b"\0", 0, at)
        return (
            self.stamps[number * STAMP : (number + 1) * STAMP],
            self.objects[number * DIGEST : (number + 1) * DIGEST],
        )


class Known(Protocol):
    """Remembers listings from one time to the next; forgetting costs time only."""

    def now(self) -> int:
        """Nanoseconds since the epoch, as the file system's clock has it."""

    def recall(self, folder: bytes) -> Listing | None:
        """What was learnt last."""

    def learn(self, folder: bytes, listing: Listing) -> None:
        """Replaces what was learnt before."""


def stamp(status: os.stat_result) -> Stamp:
    """Device, inode, size, mtime and ctime (ns): equal stamps mean an unchanged file, unless racy."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def packed(status: os.stat_result) -> bytes | None:
    """The stamp of whatever has this `lstat`; None if it cannot be stored."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return _STAMP.pack(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            EXECUTABLE if mode & stat.S_IXUSR else FILE,
        )
    if stat.S_ISDIR(mode):
        return _ONLY_KIND[FOLDER]
    return _ONLY_KIND[LINK] if stat.S_ISLNK(mode) else None


def packed_all(statuses: list[os.stat_result]) -> list[bytes | None]:
    """As `packed`, for a whole folder: what a look at a million files mostly waits for."""
    pack, regular, may_run = _STAMP.pack, stat.S_ISREG, stat.S_IXUSR
    return [
        pack(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            EXECUTABLE if mode & may_run else FILE,
        )
        if regular(mode := status.st_mode)
        else packed(status)
        for status in statuses
    ]


def unpacked(stamp: bytes) -> Stamp:
    """The five numbers of a packed stamp."""
    device, inode, size, mtime, ctime, _ = _STAMP.unpack(stamp)
    return device, inode, size, mtime, ctime


def size_in(stamp: bytes) -> int:
    """The size in a packed stamp; 0 of a link or folder."""
    return int.from_bytes(stamp[16:24], "little")


def listing_of(known: dict[bytes, tuple[bytes, bytes]]) -> Listing:
    """The listing of names with their stamps and digests."""
    names = sorted(known)
    stamps = b"".join([known[name][0] for name in names])
    return Listing(b"\0".join(names), stamps, b"".join([known[name][1] for name in names]))


def sizes_in(stamps: bytes) -> list[int]:
    """The sizes in the stamps of a folder."""
    return [size for (size,) in _SIZE.iter_unpack(stamps)]


def encode_folder(names: list[bytes], stamps: bytes, digests: bytes, sizes: list[int]) -> bytes:
    """The tree object of a folder: of each name, in order, the stamp, the digest and the size.

    Raises:
        UsageError: a name cannot be restored safely.
    """
    digits = digests.hex().encode()
    heads = [
        b"%s b3:%s %d" % (_WORDS[kind], digits[at : at + 2 * DIGEST], size)
        for at, kind, size in zip(
            range(0, len(digits), 2 * DIGEST), stamps[STAMP - 1 :: STAMP], sizes, strict=True
        )
    ]
    return encode_lines(names, heads)


def unsettled(stamps: bytes, looked_at: int) -> list[int]:
    """The places of those of a folder's stamps that may not show a later change: see `is_settled`."""
    times = [max(both) for both in _TIMES.iter_unpack(stamps)]
    if max(times, default=0) + _COARSE_TICK < looked_at:
        return []
    return [
        place for place, file in enumerate(_STAMP.iter_unpack(stamps)) if not is_settled(file[:-1], looked_at)
    ]


def is_settled(file: Stamp, looked_at: int) -> bool:
    """Whether a later change of the file must show in its stamp.

    Args:
        file: its stamp.
        looked_at: when it was taken, nanoseconds since the epoch.
    """
    *_, mtime, ctime = file
    tick = _COARSE_TICK if ctime % 1_000_000_000 == 0 else _TICK
    return max(mtime, ctime) + tick < looked_at
