"""Many objects at once: small ones into packs, large ones as files, and one wait for the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple, Self

from blake3 import blake3

from drystone.core.ids import digest_of, name_of
from drystone.objects.atomic import copy_content, temporary
from drystone.objects.claims import Claims
from drystone.objects.compress import Squeezer
from drystone.objects.hashing import SMALL, Progress, hash_descriptor
from drystone.objects.listing import packed, size_in
from drystone.objects.loose import Loose
from drystone.objects.pack import RAW, ZSTD
from drystone.objects.packs import FULL, PackFile, Packs, publish

_OPEN_FILES = 64  # large files that wait for the disk together
_WAITED_FOR = 64 << 20  # bytes; the disk writes smaller files faster when there are many at once
_FEW = 16  # fewer small objects than that become files: packs of one or two would only be many


class _Waiting(NamedTuple):
    """A large object that is written but not yet durable."""

    name: str
    descriptor: int
    path: Path
    held: ExitStack


class Batch:
    """What is put here is in the store when the `with` block ends; after an exception it is not.

    Objects that the store has are not written again; those that are damaged are.

    Args:
        loose: large objects go there.
        packs: small ones go there.
        holds: whether an object is in the store, whole.
        failpoint: as for `Loose`.
        hold: notes that the caller relies on an object and all that it lists until it refers to it. What
            is put here is safe while the caller lives; what was here before only if it is held.
    """

    def __init__(
        self,
        loose: Loose,
        packs: Packs,
        holds: Callable[[str], bool],
        failpoint: Callable[[str], None],
        hold: Callable[[str], None],
    ) -> None:
        self.hold = hold
        self._loose = loose
        self._packs = packs
        self._holds = holds
        self._failpoint = failpoint
        self._squeezer = Squeezer()
        self._writer: PackFile | None = None
        self._few: dict[bytes, bytes] = {}
        self._late: dict[bytes, bytes] = {}
        self._waiting: list[_Waiting] = []
        self._large: set[str] = set()
        self._known: set[bytes] = set()
        self._files: dict[int, frozenset[bytes]] = {}
        self._claims: Claims | None = None
        packs.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._settle()
                for digest, data in self._late.items():
                    if len(data) > SMALL:  # a file of its own: all that it lists must be there before it
                        self._close()
                    self._append(digest, data)
                self._close()
        finally:
            self._abandon()

    def put(self, data: bytes, *, last: bool = False) -> bytes:
        """Stores bytes; their digest.

        Args:
            data: the object.
            last: keep it back until everything else is in the store, as befits the list of a directory.
        """
        digest = blake3(data).digest()
        if digest in self._known or (self._claims is not None and not self._claims.claim(digest)):
            return digest
        self._known.add(digest)
        if not self._has(digest):
            if last:
                self._late[digest] = data
            else:
                self._append(digest, data)
        return digest

    def add(self, digest: bytes, size: int, stored: bytes, encoding: int) -> None:
        """Stores an object that is encoded already, and verified by the caller."""
        if digest not in self._known:
            self._known.add(digest)
            self._room().add(digest, size, stored, encoding)

    def put_file(
        self, path: bytes, before: bytes, progress: Progress | None = None
    ) -> tuple[bytes, bytes] | None:
        """Stores a file; its digest and its stamp. None if it is not, or no longer, as it was found.

        Args:
            path: the file.
            before: its packed stamp as it was found.
            progress: as for `hash_path`.

        Raises:
            OSError: it cannot be read, or not be stored.
        """
        # without O_NONBLOCK, opening a named pipe that took the file's place would wait for ever
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
        try:
            size = size_in(before)
            if size > SMALL:
                return self._take_large(descriptor, before, progress)
            data = os.read(descriptor, size + 1)
            if len(data) != size or packed(os.fstat(descriptor)) != before:
                return None
            return self.put(data), before
        finally:
            os.close(descriptor)

    @contextmanager
    def shared(self) -> Iterator[Callable[[], AbstractContextManager[Batch]]]:
        """For work that forked processes share: gives what gives each its own batch, and here this one.

        What a process puts is in the store when its own block ends. What several put is stored once, most
        of the time.
        """
        home, self._claims = os.getpid(), Claims()

        def own() -> AbstractContextManager[Batch]:
            if os.getpid() == home:
                return nullcontext(self)
            batch = Batch(self._loose, self._packs, self._holds, self._failpoint, self.hold)
            batch._claims = self._claims
            return batch

        try:
            yield own
        finally:
            self._claims = None

    def _take_large(
        self, source: int, before: bytes, progress: Progress | None
    ) -> tuple[bytes, bytes] | None:
        if packed(os.fstat(source)) != before:
            return None
        self._loose.prepare()
        with ExitStack() as held:
            descriptor, path = held.enter_context(temporary(self._loose.incoming))
            self._failpoint("created")
            copy_content(source, descriptor)
            # the copy is hashed, not the file: what gets the name is what was hashed
            with _being_written(descriptor, size_in(before)):
                name, _ = hash_descriptor(descriptor, progress)
            self._failpoint("written")
            if packed(os.fstat(source)) != before:
                return None
            if name not in self._large and not self._holds(name):
                self._large.add(name)
                self._waiting.append(_Waiting(name, descriptor, path, held.pop_all()))
        if len(self._waiting) == _OPEN_FILES:
            self._settle()
        return digest_of(name), before

    def _settle(self) -> None:
        """Make the large objects durable: disks sync many files at once."""
        if not self._waiting:
            return
        from concurrent.futures import ThreadPoolExecutor  # 10 ms that small files need not pay

        def settle(one: _Waiting) -> None:
            os.fchmod(one.descriptor, 0o444)
            os.fsync(one.descriptor)
            self._failpoint("synced")
            self._loose.settle(one.path, one.name)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(settle, self._waiting))
        self._release()

    def _has(self, digest: bytes) -> bool:
        """Whether the object is in the store, whole.

        What is here is found out once a batch: an object that another process stores meanwhile is merely
        stored twice.
        """
        files = self._files.get(digest[0])
        if files is None:
            files = self._files[digest[0]] = self._loose.digests(digest[0])
        if digest not in files and self._packs.find(digest, fresh=False) is None:
            return False
        return self._holds(name_of(digest))

    def _append(self, digest: bytes, data: bytes) -> None:
        if len(data) > SMALL:
            self._loose.publish_bytes(name_of(digest), data)
            return
        if self._writer is None and len(self._few) < _FEW:
            self._few[digest] = data
            return
        few, self._few = self._few, {}
        for one, content in {**few, digest: data}.items():
            self._pack(one, content)

    def _pack(self, digest: bytes, data: bytes) -> None:
        frame = self._squeezer.squeeze(data)
        if frame is None:
            self._room().add(digest, len(data), data, RAW)
        else:
            self._room().add(digest, len(data), frame, ZSTD)

    def _room(self) -> PackFile:
        if self._writer is not None and self._writer.size >= FULL:
            self._close_pack()
        if self._writer is None:
            self._loose.prepare()
            self._writer = PackFile(self._loose.incoming)
        return self._writer

    def _close(self) -> None:
        """Have everything in the store that was put so far."""
        few, self._few = self._few, {}
        for digest, data in few.items():
            self._loose.publish_bytes(name_of(digest), data)
        self._close_pack()

    def _close_pack(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            publish(writer, self._packs.folder, self._failpoint)

    def _release(self) -> None:
        """Let go of the files of large objects, and of all that are not published."""
        for one in self._waiting:
            one.held.close()
        self._waiting.clear()

    def _abandon(self) -> None:
        """Let go of everything that is not published."""
        self._release()
        if self._writer is not None:
            self._writer.discard()
            self._writer = None


@contextmanager
def _being_written(descriptor: int, size: int) -> Iterator[None]:
    """Has the disk write a large file meanwhile. Raises OSError if that fails: the next fsync would not."""
    if size < _WAITED_FOR:
        yield
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(os.fdatasync, descriptor)
        yield
        written.result()
