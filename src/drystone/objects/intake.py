"""Files and directories to objects.

A folder that is as it was costs one look at each of its files and one comparison: its listing is
remembered with the digests, and so is the digest of its list.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import Conflict, NotFound, UsageError
from drystone.core.ids import name_of
from drystone.objects.atomic import explained
from drystone.objects.batch import Batch
from drystone.objects.entry import Entry, Kind, encode_lines
from drystone.objects.hashing import Progress, hash_path
from drystone.objects.listing import (
    DIGEST,
    EXECUTABLE,
    FILE,
    FOLDER,
    LINK,
    STAMP,
    UNKNOWN,
    Known,
    Listing,
    is_settled,
    listing_of,
    packed,
    unpacked,
)
from drystone.objects.listing import stamp as stamp_of
from drystone.objects.store import ObjectStore
from drystone.objects.tree import DEEPEST, Memory

_ATTEMPTS = 3
_WORDS = {FILE: b"file", EXECUTABLE: b"exec", LINK: b"link", FOLDER: b"tree"}

#: Gives a file's digest and its `stat` afterwards; None if it changed meanwhile.
Take = Callable[[bytes, os.stat_result], tuple[bytes, os.stat_result] | None]


class _Found(NamedTuple):
    """Digest and size of a file, link or folder."""

    digest: bytes
    size: int


def store_path(
    store: ObjectStore, path: Path, *, known: Known | None = None, progress: Progress | None = None
) -> Entry:
    """Stores a file, a symbolic link as such, or a directory with all below it.

    Args:
        store: where to.
        path: what.
        known: what is known of files that have not changed; they are not read if the store has them.
        progress: is told the bytes of what is read.

    Raises:
        NotFound: nothing is there.
        Conflict: it changed all the time while it was read.
        UsageError: there is a named pipe, socket, device or `.git` in it.
        ProjectInvalid: permission is missing.
        WorkFailed: the disk is full.
    """
    with store.batch() as batch:
        take = partial(batch.put_file, progress=progress)
        entry = _Intake(path, known, take, batch=batch, store=store).take()
        # Much of it may have been here before: nobody takes it away until whoever asked refers to it.
        batch.hold(entry.object)
        return entry


def identify_path(
    path: Path,
    *,
    known: Known | None = None,
    trees: Memory | None = None,
    progress: Progress | None = None,
) -> Entry:
    """The entry that `store_path` would give, storing nothing.

    Args:
        path: a file, link or directory.
        known: what is known of files that have not changed; they are not read.
        trees: receives the directories and links met, so that `walk(trees, entry)` can list them.
        progress: as for `store_path`.

    Raises:
        NotFound, Conflict, UsageError, ProjectInvalid: as `store_path`.
    """
    return _Intake(path, known, partial(_hash, progress=progress), trees=trees).take()


class _Intake:
    """One walk from `path` down."""

    def __init__(
        self,
        path: Path,
        known: Known | None,
        take: Take,
        *,
        batch: Batch | None = None,
        store: ObjectStore | None = None,
        trees: Memory | None = None,
    ) -> None:
        self._path = path
        self._known = known
        self._take = take
        self._batch = batch
        self._store = store
        self._trees = trees
        # Where something was damaged or lost before, nothing is taken to be here because its list is.
        self._thorough = store is not None and store.quarantine.doubt() is not None

    def take(self) -> Entry:
        """The entry of the path, all of which was the same before and after it was read."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(FileNotFoundError):  # it went after it was listed
                return self._take_once()
        try:
            return self._take_once()
        except FileNotFoundError as error:
            raise self._changing(error.filename) from error

    def _take_once(self) -> Entry:
        path = os.fsencode(self._path)
        try:
            status = os.lstat(path)
            stamp = self._stamp(path, status)
            kind = stamp[-1]
            if kind == FOLDER:
                found = self._folder(path, 0)
            elif kind == LINK:
                found = self._link(path)
            else:
                found, status = self._single(path, status, stamp)
        except FileNotFoundError:
            if not os.path.lexists(path):
                raise NotFound(f"there is no `{self._path.name}`", at=str(self._path)) from None
            raise
        except OSError as error:
            if not isinstance(error.filename, bytes):
                raise  # not what was to be read
            raise explained(
                error, f"`{self._path.name}` cannot be read", Path(os.fsdecode(error.filename))
            ) from error
        word: Kind = "tree" if kind == FOLDER else "link" if kind == LINK else "file"
        executable = word == "file" and bool(status.st_mode & stat.S_IXUSR)
        return Entry(self._path.name, word, name_of(found.digest), found.size, executable)

    def _single(self, path: bytes, status: os.stat_result, stamp: bytes) -> tuple[_Found, os.stat_result]:
        folder, name = os.path.split(path)
        before = self._known.recall(folder) if self._known is not None else None
        at_hand = before.find(name) if before else None
        if at_hand and at_hand[0] == stamp and at_hand[1] != UNKNOWN and self._has(at_hand[1]):
            return _Found(at_hand[1], status.st_size), status
        looked_at = self._known.now() if self._known is not None else 0
        digest, status = self._file(path, status)
        after = self._stamp(path, status)
        if self._known is not None and is_settled(unpacked(after), looked_at):
            others = before.known() if before else {}
            self._known.learn(folder, listing_of({**others, name: (after, digest)}))
        return _Found(digest, status.st_size), status

    def _folder(self, path: bytes, depth: int) -> _Found:
        if depth == DEEPEST:
            raise UsageError(f"`{self._path.name}` has more than {DEEPEST} folders inside each other")
        looked_at = self._known.now() if self._known is not None else 0
        with os.scandir(path) as items:
            statuses = {item.name: item.stat(follow_symlinks=False) for item in items}
        names = sorted(statuses)
        stamps = [packed(statuses[name]) or self._refuse(path, name) for name in names]
        seen = Listing(b"\0".join(names), b"".join(stamps), b"")
        below = {
            number: self._folder(b"%s/%s" % (path, names[number]), depth + 1)
            if kind == FOLDER
            else self._link(b"%s/%s" % (path, names[number]))
            for number, kind in enumerate(seen.stamps[STAMP - 1 :: STAMP])
            if kind >= LINK
        }
        before = self._known.recall(path) if self._known is not None else None
        if before is not None and self._unchanged(before, seen, below):
            if self._trees is not None:
                self._trees.later[name_of(before.tree)] = lambda: self._again(path, before.tree)
            return _Found(before.tree, before.size)
        return self._anew(path, names, stamps, statuses, below, before, looked_at)

    def _unchanged(self, before: Listing, seen: Listing, below: dict[int, _Found]) -> bool:
        """Whether a folder is as it was, all below it included, and need not be stored."""
        return (
            before.tree != UNKNOWN
            and before.stamps == seen.stamps
            and before.names == seen.names
            and all(
                before.objects[number * DIGEST : (number + 1) * DIGEST] == found.digest
                for number, found in below.items()
            )
            and not self._thorough
            and self._has(before.tree)
        )

    def _anew(
        self,
        path: bytes,
        names: list[bytes],
        stamps: list[bytes],
        statuses: dict[bytes, os.stat_result],
        below: dict[int, _Found],
        before: Listing | None,
        looked_at: int,
    ) -> _Found:
        """A folder of which something changed: its files are looked at one by one."""
        old = before.known() if before is not None else {}
        digests, sizes, unsettled = [], [], []
        for number, name in enumerate(names):
            if number in below:
                digests.append(below[number].digest)
                sizes.append(below[number].size)
                continue
            status = statuses[name]
            at_hand = old.get(name)
            if at_hand and at_hand[0] == stamps[number] and at_hand[1] != UNKNOWN and self._has(at_hand[1]):
                digests.append(at_hand[1])
            else:
                digest, status = self._file(b"%s/%s" % (path, name), status)
                digests.append(digest)
                stamps[number] = self._stamp(path, status)
                if self._known is not None and not is_settled(stamp_of(status), looked_at):
                    unsettled.append(number)
            sizes.append(status.st_size)
        tree = self._keep(_encode(names, stamps, digests, sizes), last=True)
        size = sum(sizes)
        if self._known is not None:
            for number in unsettled:
                digests[number] = UNKNOWN
            listing = Listing(
                b"\0".join(names),
                b"".join(stamps),
                b"".join(digests),
                UNKNOWN if unsettled else tree,
                size,
            )
            if listing != before:
                self._known.learn(path, listing)
        return _Found(tree, size)

    def _again(self, path: bytes, tree: bytes) -> bytes:
        """The list of a folder that is as it was when it was found to be `tree`."""
        listing = self._known.recall(path) if self._known is not None else None
        if listing is None:
            raise self._changing(path)
        names, known = listing.split(), listing.known()
        stamps = [known[name][0] for name in names]
        sizes = [self._size_of(b"%s/%s" % (path, name), known[name][0]) for name in names]
        data = _encode(names, stamps, [known[name][1] for name in names], sizes)
        if blake3(data).digest() != tree:
            raise self._changing(path)
        return data

    def _size_of(self, path: bytes, stamp: bytes) -> int:
        if stamp[-1] == LINK:
            return len(os.readlink(path))  # noqa: PTH115  bytes
        if stamp[-1] != FOLDER:
            return unpacked(stamp)[2]
        listing = self._known.recall(path) if self._known is not None else None
        if listing is None:
            raise self._changing(path)
        return listing.size

    def _file(self, path: bytes, status: os.stat_result) -> tuple[bytes, os.stat_result]:
        for _ in range(_ATTEMPTS):
            found = self._take(path, status)
            if found is not None:
                return found
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode):
                break
        raise self._changing(path)

    def _link(self, path: bytes) -> _Found:
        target = os.readlink(path)  # noqa: PTH115  bytes
        return _Found(self._keep(target), len(target))

    def _keep(self, data: bytes, *, last: bool = False) -> bytes:
        if self._batch is not None:
            return self._batch.put(data, last=last)
        digest = blake3(data).digest()
        if self._trees is not None:
            self._trees[name_of(digest)] = data
        return digest

    def _has(self, digest: bytes) -> bool:
        """Whether the object need not be stored."""
        return self._store is None or self._store.has(name_of(digest))

    def _stamp(self, path: bytes, status: os.stat_result) -> bytes:
        return packed(status) or self._refuse(*os.path.split(path))

    def _refuse(self, folder: bytes, name: bytes) -> bytes:
        raise UsageError(
            f"`{os.fsdecode(name)}` is neither file, directory nor symbolic link, so it cannot be stored",
            at=os.fsdecode(b"%s/%s" % (folder, name)),
        )

    def _changing(self, at: bytes | str | None) -> Conflict:
        return Conflict(
            f"`{self._path.name}` changed while it was read",
            at=os.fsdecode(at or self._path),
            hints=["run the same command again once nothing writes there"],
        )


def _encode(names: list[bytes], stamps: list[bytes], digests: list[bytes], sizes: list[int]) -> bytes:
    heads = [
        b"%s b3:%s %d" % (_WORDS[stamp[-1]], digest.hex().encode(), size)
        for stamp, digest, size in zip(stamps, digests, sizes, strict=True)
    ]
    return encode_lines(names, heads)


def _hash(
    path: bytes, before: os.stat_result, progress: Progress | None
) -> tuple[bytes, os.stat_result] | None:
    """Identifies a file without storing it."""
    found, after = hash_path(path, progress)
    same = packed(before) == packed(after)
    return (found, after) if same else None
