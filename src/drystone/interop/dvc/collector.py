"""Bringing contents that DVC names by MD5 into our store, each verified on the way."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from blake3 import blake3

from drystone.core.errors import UsageError
from drystone.core.ids import OBJECT_PREFIX
from drystone.interop.dvc.digest import CHUNK, Digest, Md5
from drystone.interop.dvc.directory import Content
from drystone.interop.dvc.knowledge import Knowledge
from drystone.interop.dvc.places import Place
from drystone.interop.dvc.unreadable import Unreadable
from drystone.objects.entry import printable
from drystone.objects.hashing import SMALL, Progress
from drystone.objects.store import ObjectStore

_THREADS = 8


class Located(NamedTuple):
    """A content under its path in a bucket that keeps versions; None is the newest."""

    remote: str
    key: str
    version: str | None


class Want(NamedTuple):
    """One content to be had.

    Attributes:
        digest: its name.
        paths: where it belongs, relative to DVC's root.
        remote: the only remote that it was pushed to, if there is such.
        versions: where a bucket that keeps versions has it, under its path.
        optional: whether DVC never promised to keep it.
    """

    digest: Digest
    paths: tuple[str, ...]
    remote: str | None = None
    versions: tuple[Located, ...] = ()
    optional: bool = False


class Damaged(msgspec.Struct, frozen=True):
    """Something that lay under a name without being what the name says; it was not used.

    Attributes:
        at: where it lies.
        md5: what it should be.
        found: what it is.
        path: an output, or a file in one, that needs it.
        replaced: whether a good one was found elsewhere.
    """

    at: str
    md5: str
    found: str
    path: str
    replaced: bool = False


class Missing(msgspec.Struct, frozen=True):
    """A content that is nowhere to be had.

    Attributes:
        md5: its name.
        paths: what needs it, relative to DVC's root.
        looked: where it was looked for.
        optional: whether DVC never promised to keep it.
    """

    md5: str
    paths: tuple[str, ...]
    looked: tuple[str, ...]
    optional: bool = False


class Collector:
    """Finds contents and stores them, eight at a time.

    Attributes:
        missing: what is nowhere.
        unreachable: what remotes said that did not answer.
        fetched: bytes that came from remotes, or in a dry run would.
        files: different contents found, and `size` their bytes; lists of directories do not count.

    Args:
        store: where to.
        knowledge: what was found before; whatever the store still has is not looked for.
        places: where to look, in order.
        root: of the work tree, looked in behind the cache and before the remotes; None not at all.
        dry_run: read and verify what lies on this machine, ask remotes only whether they have the rest.
        progress: is told the bytes of what is read, from several threads.
    """

    def __init__(
        self,
        store: ObjectStore,
        knowledge: Knowledge,
        places: Sequence[Place],
        *,
        root: Path | None = None,
        dry_run: bool = False,
        progress: Progress = lambda _size: None,
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._places = places
        self._root = root
        self._dry_run = dry_run
        self._progress = progress
        self._guard = threading.Lock()
        self._damaged: list[Damaged] = []
        self._lists: dict[Digest, bytes] = {}
        self.missing: list[Missing] = []
        self.unreachable: dict[str, str] = {}
        self.fetched = 0
        self.files = 0
        self.size = 0

    @property
    def damaged(self) -> tuple[Damaged, ...]:
        """What was refused so far, by place."""
        return tuple(sorted(self._damaged, key=lambda item: item.at))

    def collect(self, wants: Sequence[Want]) -> dict[Digest, Content]:
        """The contents that could be had; the others are in `missing` afterwards.

        In a dry run a content that only a remote has is named by the empty string.

        Raises:
            WorkFailed, ProjectInvalid: the store cannot be written.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(self._one, wants))
        files = [
            content
            for want, content in zip(wants, found, strict=True)
            if content and not want.digest.directory
        ]
        self.files += len(files)
        self.size += sum(content.size for content in files)
        return {want.digest: content for want, content in zip(wants, found, strict=True) if content}

    def list_of(self, digest: Digest, content: Content) -> bytes:
        """The bytes of a directory's list that was collected.

        Raises:
            Corrupt: our object is damaged.
        """
        data = self._lists.get(digest)
        return self._store.read(content.object) if data is None else data

    def _one(self, want: Want) -> Content | None:
        known = self._knowledge.content(want.digest.algorithm, want.digest.digits)
        if known is not None and self._store.has(known.object):
            return known
        looked: list[str] = []
        bad: list[Damaged] = []
        found = next(self._attempts(want, looked, bad), None)
        with self._guard:
            self._damaged.extend(msgspec.structs.replace(item, replaced=found is not None) for item in bad)
            if found is None:
                self.missing.append(
                    Missing(str(want.digest), tuple(map(printable, want.paths)), tuple(looked), want.optional)
                )
        return found

    def _attempts(self, want: Want, looked: list[str], bad: list[Damaged]) -> Iterator[Content]:
        """Each good copy that is found, one after the other: whoever takes the first stops the search."""
        local = [place for place in self._places if place.remote is None]
        remote = [place for place in self._places if place.remote is not None]
        if want.remote is not None:
            remote.sort(key=lambda place: place.remote != want.remote)
        for place in local:
            yield from self._at(place, want, looked, bad)
        if self._root is not None and not want.digest.directory:
            yield from self._in_work_tree(want, looked)
        for place in remote:
            yield from self._at(place, want, looked, bad)

    def _at(self, place: Place, want: Want, looked: list[str], bad: list[Damaged]) -> Iterator[Content]:
        own, other = want.digest.keys
        keys: list[tuple[str, str | None]] = [(own, None), (other, None)]
        keys += [(found.key, found.version) for found in want.versions if found.remote == place.remote]
        try:
            for key, version in keys:
                # what else lies elsewhere may be right under that name: it is not damaged for being other
                content = self._under(place, key, version, want, bad if key == own else [])
                if content is not None:
                    yield content
        except Unreadable as error:
            looked.append(f"{place.name} ({error})")
            if place.remote is not None:
                with self._guard:
                    self.unreachable[place.name] = str(error)
            return
        looked.append(place.name)

    def _under(
        self, place: Place, key: str, version: str | None, want: Want, bad: list[Damaged]
    ) -> Content | None:
        if self._dry_run and not place.near and not want.digest.directory:
            size = place.size(key, version)
            if size is not None:
                self._count(size)
                return Content("", size)
            return None
        with place.fetched(key, version) as path:
            if path is None:
                return None
            digits, content = self._read(path, want.digest)
            if content is None:
                bad.append(Damaged(place.address(key), str(want.digest), digits, printable(want.paths[0])))
            elif place.remote is not None:
                self._count(content.size)
            return content

    def _in_work_tree(self, want: Want, looked: list[str]) -> Iterator[Content]:
        """A file that is where the output says, in case the cache has lost it; it may have been edited."""
        assert self._root is not None
        for path in want.paths:
            place = self._root / path
            try:
                content = self._read(place, want.digest)[1] if place.is_file() else None
            except Unreadable:
                content = None
            if content is not None:
                yield content
        looked.append("work tree")

    def _count(self, size: int) -> None:
        with self._guard:
            self.fetched += size

    def _read(self, path: Path, digest: Digest) -> tuple[str, Content | None]:
        """The MD5 of a file and, if that is the one wanted, its content, which is in the store then.

        Raises:
            Unreadable: it cannot be read, or is no file.
        """
        try:
            # without O_NONBLOCK, opening a named pipe would wait for its writer for ever
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from error
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is not a file")
            running, names, size = Md5(digest.algorithm), blake3(max_threads=blake3.AUTO), 0
            kept: list[bytes] = []
            for piece in pieces_of(file):
                running.update(piece)
                names.update(piece)
                size += len(piece)
                self._progress(len(piece))
                if size <= SMALL or digest.directory:
                    kept.append(piece)
        digits = running.digits()
        if digits != digest.digits:
            return digits, None
        content = Content(OBJECT_PREFIX + names.hexdigest(), size)
        if digest.directory and self._dry_run:  # else it is in the store
            self._lists[digest] = b"".join(kept)
        if not self._dry_run:
            if not self._stored(path, b"".join(kept) if size <= SMALL else None, content):
                return digits, None  # it changed after it was verified
            self._knowledge.learn(digest.algorithm, digits, content)
        return digits, content

    def _stored(self, path: Path, data: bytes | None, content: Content) -> bool:
        if self._store.has(content.object):
            return True
        if data is not None:
            return self._store.put_bytes(data) == content.object
        try:
            return self._store.put_file(path) == content.object
        except (OSError, UsageError) as error:
            raise Unreadable(str(error)) from error


class Readable(Protocol):
    """What pieces can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, none at the end."""


def pieces_of(file: Readable) -> Iterator[bytes]:
    """A file's bytes in pieces of `CHUNK`; only the last is shorter."""
    while True:
        piece = file.read(CHUNK)
        while piece and len(piece) < CHUNK and (more := file.read(CHUNK - len(piece))):
            piece += more
        if not piece:
            return
        yield piece
