"""Files and directories to objects.

A folder that is as it was costs one look at each of its files and one comparison: its listing is
remembered with the digests, and so is the digest of its list. First all folders are looked at; then the
files that may have changed are read, by several processes where there are many; then the lists of the
folders are made, from the innermost outwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from drystone.core.errors import Conflict, NotFound
from drystone.core.ids import name_of
from drystone.core.parallel import Tally, spread
from drystone.objects.atomic import explained
from drystone.objects.changed import NOTHING, Changed, Chunk, Columns, Found
from drystone.objects.entry import Entry, Kind
from drystone.objects.hashing import SMALL, Progress, hash_path
from drystone.objects.listing import (
    DIGEST,
    EXECUTABLE,
    FOLDER,
    LINK,
    STAMP,
    UNKNOWN,
    Known,
    Listing,
    encode_folder,
    is_settled,
    listing_of,
    packed,
    size_in,
    sizes_in,
    unpacked,
    unsettled,
)
from drystone.objects.looking import Seen, list_again, look, refuse
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Memory

if TYPE_CHECKING:
    from drystone.objects.batch import Batch

_ATTEMPTS = 3

_CHUNK = 250  # files that one process takes at a time
_SHARE = 8  # chunks that are worth a process

#: Gives a file's digest and its stamp afterwards; None if it is not, or was not all the time, as the stamp
#: that is given says.
Take = Callable[[bytes, bytes], tuple[bytes, bytes] | None]


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
        entry = _Intake(path, known, progress, batch=batch, store=store).take()
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
    return _Intake(path, known, progress, trees=trees).take()


class _Intake:
    """One walk from `path` down."""

    def __init__(
        self,
        path: Path,
        known: Known | None,
        progress: Progress | None,
        *,
        batch: Batch | None = None,
        store: ObjectStore | None = None,
        trees: Memory | None = None,
    ) -> None:
        self._path = path
        self._known = known
        self._batch = batch
        self._progress = Tally(progress) if progress is not None else None
        self._changed: list[Changed] = []
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
        self._changed = []
        try:
            stamp = self._stamp(path, os.lstat(path))
            kind = stamp[-1]
            if kind == FOLDER:
                found = self._folder(path)
            elif kind == LINK:
                found = self._link(path)
            else:
                found, stamp = self._single(path, stamp)
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
        return Entry(self._path.name, word, name_of(found.digest), found.size, stamp[-1] == EXECUTABLE)

    def _single(self, path: bytes, stamp: bytes) -> tuple[Found, bytes]:
        folder, name = os.path.split(path)
        before = self._known.recall(folder) if self._known is not None else None
        at_hand = before.find(name) if before else None
        if at_hand and at_hand[0] == stamp and at_hand[1] != UNKNOWN and self._has(at_hand[1]):
            return Found(at_hand[1], size_in(stamp)), stamp
        looked_at = self._known.now() if self._known is not None else 0
        digest, stamp = self._file(path, stamp, self._taking(self._batch))
        self._tell(stamp)
        if self._known is not None and is_settled(unpacked(stamp), looked_at):
            others = before.known() if before else {}
            self._known.learn(folder, listing_of({**others, name: (stamp, digest)}))
        return Found(digest, size_in(stamp)), stamp

    def _folder(self, path: bytes) -> Found:
        """The folder: first what has not changed is told from what may have, from the innermost outwards."""
        everything = look(path, self._known, self._is_trusted)
        found: list[Found | Changed] = [NOTHING] * len(everything)
        for number in reversed(range(len(everything))):
            seen = everything[number]
            below = {
                place: found[seen.inner[place]]
                if kind == FOLDER
                else self._link(b"%s/%s" % (seen.path, name))
                for place, (kind, name, _) in seen.below.items()
            }
            found[number] = self._as_it_was(seen, below) or self._to_be_made(seen, below)
        outermost = found[0]
        return self._made() if isinstance(outermost, Changed) else outermost

    def _as_it_was(self, seen: Seen, below: dict[int, Found | Changed]) -> Found | None:
        """A folder that is as it was, all below it included, and need not be stored."""
        if seen.tree == UNKNOWN or any(
            isinstance(found, Changed) or found.digest != seen.below[place].digest
            for place, found in below.items()
        ):
            return None
        if self._trees is not None:
            self._trees.later[name_of(seen.tree)] = partial(self._again, seen.path, seen.tree)
        return Found(seen.tree, seen.size)

    def _is_trusted(self, tree: bytes) -> bool:
        """Whether all of a folder whose list has this digest needs no look."""
        return not self._thorough and self._has(tree)

    def _to_be_made(self, seen: Seen, below: dict[int, Found | Changed]) -> Changed:
        """A folder in which something may have changed, with what is known of its files."""
        before = self._known.recall(seen.path) if self._known is not None else None
        names = seen.names
        changed = Changed(
            seen.path,
            names,
            bytearray(seen.stamps),
            bytearray(DIGEST * len(names)),
            below,
            before,
            seen.looked_at,
        )
        old = before.known() if before is not None else {}
        for place, name in enumerate(names):
            if place not in below:
                at_hand = old.get(name)
                if (
                    at_hand
                    and at_hand[0] == changed.stamps[place * STAMP : (place + 1) * STAMP]
                    and at_hand[1] != UNKNOWN
                    and self._has(at_hand[1])
                ):
                    changed.digests[place * DIGEST : (place + 1) * DIGEST] = at_hand[1]
                else:
                    changed.wanted.append(place)
        self._changed.append(changed)
        return changed

    def _made(self) -> Found:
        """The outermost folder, when all files that may have changed were read."""
        chunks = [
            Chunk(number, start, min(start + _CHUNK, len(changed.wanted)))
            for number, changed in enumerate(self._changed)
            for start in range(0, len(changed.wanted), _CHUNK)
        ]
        if self._batch is None:
            shares = spread(partial(self._read, self._taking(None)), chunks, least=_SHARE)
        else:
            with self._batch.shared() as own:
                shares = spread(partial(self._store_files, own), chunks, least=_SHARE)
        for chunk, found in zip(chunks, chain.from_iterable(shares), strict=True):
            self._changed[chunk.folder].learn(chunk, found)
        for changed in self._changed:
            found_folder = changed.found = self._list(changed)
        return found_folder

    def _store_files(
        self, own: Callable[[], AbstractContextManager[Batch]], chunks: Sequence[Chunk]
    ) -> list[Columns]:
        """As `_read`; each process stores what it reads."""
        with own() as batch:
            return self._read(self._taking(batch), chunks)

    def _taking(self, batch: Batch | None) -> Take:
        return partial(batch.put_file if batch is not None else _hash, progress=self._progress)

    def _read(self, take: Take, chunks: Sequence[Chunk]) -> list[Columns]:
        """Digest and stamp of each file of each chunk."""
        found = []
        for number, start, end in chunks:
            changed = self._changed[number]
            names, stamps = changed.names, changed.stamps
            pairs = [
                self._file(
                    b"%s/%s" % (changed.path, names[place]),
                    bytes(stamps[place * STAMP : (place + 1) * STAMP]),
                    take,
                )
                for place in changed.wanted[start:end]
            ]
            digests, afterwards = zip(*pairs, strict=True)
            found.append(Columns(b"".join(digests), b"".join(afterwards)))
            self._tell(found[-1].stamps)
        return found

    def _tell(self, stamps: bytes) -> None:
        """Small files with these stamps were read: of large ones it was told meanwhile."""
        if self._progress is not None:
            self._progress(sum(size for size in sizes_in(stamps) if size <= SMALL))

    def _file(self, path: bytes, stamp: bytes, take: Take) -> tuple[bytes, bytes]:
        for _ in range(_ATTEMPTS):
            found = take(path, stamp)
            if found is not None:
                return found
            stamp = packed(os.lstat(path)) or b""
            if not stamp or stamp[-1] >= LINK:
                break
        raise self._changing(path)

    def _list(self, changed: Changed) -> Found:
        """Make the list of a folder when all in it is known, and remember it."""
        names, stamps, digests = changed.names, bytes(changed.stamps), changed.digests
        sizes = sizes_in(stamps)
        for place, child in changed.below.items():
            found = child.found if isinstance(child, Changed) else child
            assert found is not None  # the inner ones come first
            digests[place * DIGEST : (place + 1) * DIGEST], sizes[place] = found
        tree = self._keep(encode_folder(names, stamps, bytes(digests), sizes), last=True)
        size = sum(sizes)
        if self._known is not None:
            racy = set(unsettled(stamps, changed.looked_at)).intersection(changed.wanted)
            for place in racy:
                digests[place * DIGEST : (place + 1) * DIGEST] = UNKNOWN
            listing = Listing(b"\0".join(names), stamps, bytes(digests), UNKNOWN if racy else tree, size)
            if listing != changed.before:
                self._known.learn(changed.path, listing)
        return Found(tree, size)

    def _again(self, path: bytes, tree: bytes) -> bytes:
        """The list of a folder that is as it was when it was found to be `tree`."""
        data = list_again(path, self._known) if self._known is not None else None
        if data is None or blake3(data).digest() != tree:
            raise self._changing(path)
        return data

    def _link(self, path: bytes) -> Found:
        target = os.readlink(path)  # noqa: PTH115  bytes
        return Found(self._keep(target), len(target))

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
        return packed(status) or refuse(*os.path.split(path))

    def _changing(self, at: bytes | str | None) -> Conflict:
        return Conflict(
            f"`{self._path.name}` changed while it was read",
            at=os.fsdecode(at or self._path),
            hints=["run the same command again once nothing writes there"],
        )


def _hash(path: bytes, before: bytes, progress: Progress | None) -> tuple[bytes, bytes] | None:
    """Identifies a file without storing it."""
    found, status = hash_path(path, progress)
    return (found, before) if packed(status) == before else None
