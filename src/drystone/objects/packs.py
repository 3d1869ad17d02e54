"""The packs of a store: found by their indexes, read entry by entry, never written again.

A pack counts as soon as its index is there, which is written last. A damaged entry is noted in
`NAME.damaged` beside the pack, so that it is not looked at again, also by other processes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from drystone.objects.atomic import sync_directory, temporary, write_all
from drystone.objects.pack import PACK_MAGIC, RAW, ZSTD, PackIndex, Place, encode_index, entry_header, scan

INDEX_SUFFIX = ".index"
PACK_SUFFIX = ".pack"
DAMAGED_SUFFIX = ".damaged"
#: A pack is closed when it holds that many bytes.
FULL = 64 << 20
_BUFFER = 512 << 10  # what is gathered is hashed and written while it is in the processor's cache
_FEWER = 10  # times more hashes are sooner taken in whole than searched through one by one
TICK = 20_000_000  # ns; the longest tick of a Linux kernel is 10 ms


class Stored(NamedTuple):
    """What a pack holds of one object, not verified."""

    pack: Pack
    place: Place


class Pack:
    """One pack and its index.

    Args:
        path: `NAME.pack`, NAME being the 64 hex digits of the BLAKE3 hash of the file.
        index: its index, if not the file beside it.

    Raises:
        OSError: it cannot be read.
        ValueError: its index is damaged.
    """

    def __init__(self, path: Path, index: bytes | None = None) -> None:
        self.path = path
        self.index = PackIndex(path.with_suffix(INDEX_SUFFIX).read_bytes() if index is None else index)
        if self.index.pack.hex() != path.stem:
            raise ValueError("its index is that of another pack")
        self._descriptor: int | None = None
        self._opening = threading.Lock()
        self.damaged = frozenset(_damaged(path))

    def find(self, digest: bytes) -> Place | None:
        """Where the object lies, None if it is not here or damaged."""
        place = self.index.find(digest)
        return None if place is None or digest in self.damaged else place

    def stored(self, place: Place) -> bytes:
        """The bytes stored at a place, as they are; fewer if the pack was cut off, or no place is like that.

        Raises:
            FileNotFoundError: the pack is gone.
            OSError: they cannot be read.
        """
        if not place.is_sound():
            return b""
        with self._opening:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._descriptor, place.stored, place.offset)

    def note_damage(self, digest: bytes) -> None:
        """From now on this entry does not count."""
        self.damaged |= {digest}
        with suppress(OSError):  # where nothing can be written each reading finds it out anew
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.path.with_suffix(DAMAGED_SUFFIX), flags, 0o666)
            try:
                write_all(descriptor, digest.hex().encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def __del__(self) -> None:
        # Closed when nobody reads in it any more: another thread might while it is forgotten.
        if getattr(self, "_descriptor", None) is not None:
            os.close(self._descriptor)  # type: ignore[arg-type]  # `getattr` has looked


class Packs:
    """All packs in a folder, which need not exist.

    Another process may add packs at any time: a look for an object that is not found looks at the
    folder again. Threads may share it: what is known is replaced, never changed.

    Args:
        folder: where they lie.
        incoming: where to write an index that has to be made anew.
        doubt: called where an index is damaged or its pack is lost.
    """

    def __init__(
        self, folder: Path, incoming: Path | None = None, doubt: Callable[[], None] = lambda: None
    ) -> None:
        self.folder = folder
        self._incoming = incoming or folder.parent / "incoming"
        self._doubt = doubt
        self._packs: dict[tuple[str, int], Pack] = {}
        self._seen: tuple[int, int] | None = None
        self._last: Pack | None = None
        self._looking = threading.Lock()

    def find(self, digest: bytes, *, fresh: bool = True) -> Stored | None:
        """Where an object lies. Objects that were stored together are found without a search for the pack.

        Args:
            digest: its BLAKE3 hash.
            fresh: look for new packs before it is said to be in none.
        """
        while True:
            last, packs = self._last, self._packs
            if last is not None and (place := last.find(digest)):
                return Stored(last, place)
            for pack in packs.values():
                if place := pack.find(digest):
                    self._last = pack
                    return Stored(pack, place)
            if fresh:
                self.refresh()
            if self._packs is packs:  # else this or another thread found more meanwhile
                return None

    def without(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those of many objects that are in no pack."""
        absent = set(digests)
        for pack in self:
            absent -= (
                set(pack.index) - pack.damaged
                if len(pack.index) < _FEWER * len(absent)
                else {digest for digest in absent if pack.find(digest)}
            )
        return absent

    def __iter__(self) -> Iterator[Pack]:
        self.refresh()
        return iter(list(self._packs.values()))

    def forget(self) -> None:
        """Look at the folder anew at the next question."""
        self._packs, self._seen, self._last = {}, None, None

    def lose(self, pack: Pack) -> None:
        """Do without a pack that is gone."""
        self._packs = {key: known for key, known in self._packs.items() if known is not pack}
        self._seen = self._last = None

    def refresh(self) -> None:
        """Take note of packs that came or went.

        Raises:
            OSError: the folder or an index cannot be read.
        """
        with self._looking:
            self._refresh()

    def _refresh(self) -> None:
        while True:
            looked_at = time.time_ns()
            try:
                status = self.folder.stat()
            except FileNotFoundError:
                return
            if self._seen == (status.st_ino, status.st_mtime_ns):
                return
            with os.scandir(self.folder) as items:
                # A pack stored again has an index of another inode: what was damaged of it no longer is.
                present = {(item.name, item.inode()) for item in items if item.name.endswith(INDEX_SUFFIX)}
            packs = {key: pack for key, pack in self._packs.items() if key in present}
            came = [(key, self._opened(self.folder / key[0])) for key in sorted(present - packs.keys())]
            packs |= {key: pack for key, pack in came if pack is not None}
            if packs.keys() != self._packs.keys():
                self._packs, self._last = packs, None
            # A pack that comes within the same tick of the file system's clock would not show.
            settled = status.st_mtime_ns + TICK < looked_at
            self._seen = (status.st_ino, status.st_mtime_ns) if settled else None
            after = self.folder.stat()
            if all(pack is not None for _, pack in came) or after.st_mtime_ns == status.st_mtime_ns:
                return
            # One was taken away while it was looked at: what it held may be in one that came meanwhile.

    def _opened(self, index: Path) -> Pack | None:
        path = index.with_suffix(PACK_SUFFIX)
        try:
            if path.exists():
                return Pack(path)
            if index.exists():  # else both were taken away meanwhile
                self._doubt()
            return None
        except FileNotFoundError:
            return None
        except (ValueError, PermissionError):
            self._doubt()
            with suppress(OSError, ValueError):
                return _with_new_index(path, self._incoming)
            return None


def _nothing(_step: str) -> None:
    pass


class PackFile:
    """A pack in the making: a temporary file.

    Args:
        folder: where to write it.
    """

    def __init__(self, folder: Path) -> None:
        self._temporary = temporary(folder)
        self.descriptor, self.path = self._temporary.__enter__()
        self._hasher = blake3()  # its threads would keep this process from forking
        self._buffer = memoryview(bytearray(_BUFFER))  # the same memory again and again
        self._waiting = 0
        self.size = 0
        self.places: dict[bytes, Place] = {}
        self._append(PACK_MAGIC)

    def add(self, digest: bytes, size: int, stored: bytes, encoding: int = RAW) -> None:
        """Append an entry: an object of `size` bytes whose encoded form is `stored`."""
        length = len(stored)
        self._append(entry_header(digest, size, length, encoding))
        self.places[digest] = Place(self.size, size, length, encoding)
        self._append(stored)

    def _append(self, data: bytes) -> None:
        self.size += len(data)
        end = self._waiting + len(data)
        if end > _BUFFER:
            self._write()
            end = len(data)
            if end > _BUFFER:
                self._put(data)
                return
        self._buffer[self._waiting : end] = data
        self._waiting = end

    def finish(self) -> tuple[bytes, Path]:
        """Write all of it; the digest of the file and its path."""
        self._write()
        return self._hasher.digest(), self.path

    def discard(self) -> None:
        """Leave nothing behind, unless it was renamed."""
        self._temporary.__exit__(None, None, None)

    def _write(self) -> None:
        self._put(self._buffer[: self._waiting])
        self._waiting = 0

    def _put(self, data: bytes | memoryview) -> None:
        write_all(self.descriptor, data)
        self._hasher.update(data)


def publish(pack: PackFile, folder: Path, failpoint: Callable[[str], None] = _nothing) -> Path:
    """Make a file in the making a pack of a folder on the same file system, durably; its path.

    Args:
        pack: what to publish; it is used up.
        folder: where it belongs; made if need be.
        failpoint: called with the name of each step, so that tests can stop it there.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    try:
        digest, path = pack.finish()
        failpoint("pack written")
        os.fchmod(pack.descriptor, 0o444)
        os.fsync(pack.descriptor)
        failpoint("pack synced")
        home = folder / f"{digest.hex()}{PACK_SUFFIX}"
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(home)
        failpoint("pack renamed")
        # The very same pack may have been here, damaged: what is known of it is no longer so.
        home.with_suffix(DAMAGED_SUFFIX).unlink(missing_ok=True)
        write_index(home, encode_index(digest, pack.places.items()), path.parent)
        failpoint("pack indexed")
    finally:
        pack.discard()
    return home


def write_index(pack: Path, data: bytes, incoming: Path) -> None:
    """Put an index beside its pack, which counts from now on."""
    with temporary(incoming) as (descriptor, new):
        write_all(descriptor, data)
        os.fchmod(descriptor, 0o444)
        os.fsync(descriptor)
        sync_directory(pack.parent)  # the pack is there before its index
        new.rename(pack.with_suffix(INDEX_SUFFIX))
        sync_directory(pack.parent)


def restored_index(pack: Path) -> bytes:
    """The index of a pack, made anew from its headers.

    Raises:
        OSError: the pack cannot be read.
        ValueError: its name is no hash.
    """
    name = bytes.fromhex(pack.stem)
    return encode_index(name, scan(pack.read_bytes()))


def _with_new_index(path: Path, incoming: Path) -> Pack:
    """A pack whose index is damaged; where nothing can be written the new one is for this process only."""
    index = restored_index(path)
    with suppress(OSError):
        write_index(path, index, incoming)
    return Pack(path, index)


def decoded(digest: bytes, place: Place, stored: bytes) -> bytes | None:
    """The object that `stored` encodes, None if it is not the one with this digest."""
    if not place.is_sound():
        return None
    if place.encoding == ZSTD:
        from drystone.objects.compress import expand  # 8 ms that nobody pays who reads nothing compressed

        data = expand(stored, place.size)
    else:
        data = stored if place.encoding == RAW else None
    if data is None or len(data) != place.size or blake3(data).digest() != digest:
        return None
    return data


def _damaged(pack: Path) -> Iterator[bytes]:
    with suppress(OSError):  # where it cannot be read, damage is found out anew
        for line in pack.with_suffix(DAMAGED_SUFFIX).read_bytes().split():
            with suppress(ValueError):
                yield bytes.fromhex(line.decode("ascii"))
