"""Objects to files and directories: `path` becomes equal to an entry, touching only what differs."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import NotFound
from drystone.core.ids import digest_of
from drystone.objects.atomic import explained, staging, sync_directory, sync_file_system, write_all
from drystone.objects.entry import Entry, Kind
from drystone.objects.hashing import SMALL, Progress, hash_path
from drystone.objects.listing import UNKNOWN, Known, packed
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree, walk

_MISSING_SHOWN = 5
_THREADS = 4
_SHARE = 500  # files that one thread writes at a time
_SINGLY = 64  # up to so many files are made durable one by one: others may be writing far more


class _Copy(NamedTuple):
    """A file to be written."""

    entry: Entry
    path: str


def restore(
    store: ObjectStore,
    entry: Entry,
    path: Path,
    *,
    known: Known | None = None,
    progress: Progress | None = None,
) -> None:
    """Makes `path` equal to `entry`, touching only what differs.

    What is there and not in `entry` is deleted: ask first whether anybody needs it. No symbolic link
    at or below `path` is followed; the folders above it are the caller's to judge. Each file is
    replaced atomically, and nothing is touched unless the store has every object. All is durable in
    the end.

    Args:
        store: where from.
        entry: what.
        path: where to.
        known: what is known of the files that are there.
        progress: is told the bytes of what is written, from several threads.

    Raises:
        NotFound: the store lacks objects.
        Corrupt: an object is damaged; what was restored before it stays.
        WorkFailed: the disk is full.
        ProjectInvalid: permission is missing.
    """
    missing = [name for name, file in walk(store, entry) if not store.has(file.object)]
    if missing:
        raise NotFound(
            f"`{path.name}` cannot be restored: {len(missing)} of its objects are not in the local store",
            at=[str(path / name) for name in missing[:_MISSING_SHOWN]],
        )
    work = _Restoring(store, known, progress)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work.prepare(entry, str(path))
        work.copy()
        work.sync(path)
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be restored", path) from error


def remove(path: Path) -> None:
    """Deletes a file, a link (not what it points to) or a directory with all below it, if there is one.

    Raises:
        WorkFailed, ProjectInvalid: it cannot be deleted.
    """
    try:
        _remove(str(path), _kind(os.lstat(path)))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be removed", path) from error


class _Restoring:
    """First folders, links and deletions, then all files."""

    def __init__(self, store: ObjectStore, known: Known | None, progress: Progress | None) -> None:
        self._store = store
        self._known = known
        self._progress = progress
        self._copies: list[_Copy] = []
        self._folders: set[str] = set()

    def prepare(self, entry: Entry, path: str) -> None:
        """Makes a path equal to an entry but for the files to be copied, which are noted."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            status = None
        folder, name = os.path.split(path)
        listing = self._known.recall(os.fsencode(folder)) if self._known is not None and status else None
        self._one(entry, path, status, listing.find(os.fsencode(name)) if listing else None)

    def _one(
        self, entry: Entry, path: str, status: os.stat_result | None, known: tuple[bytes, bytes] | None
    ) -> None:
        present = _kind(status)
        if present is not None and present != entry.kind and "tree" in (present, entry.kind):
            self._remove(path, present)
            present = status = None
        if entry.kind == "tree":
            self._folder(entry, path, fresh=present is None)
        elif entry.kind == "link":
            self._link(entry, path, present)
        elif status is None or present != "file" or not _holds(path, status, entry, known):
            self._copies.append(_Copy(entry, path))
        elif bool(status.st_mode & stat.S_IXUSR) != entry.executable:
            _set_executable(path, status.st_mode, entry.executable)

    def _folder(self, entry: Entry, path: str, *, fresh: bool) -> None:
        below = read_tree(self._store, entry.object)
        statuses: dict[str, os.stat_result] = {}
        if fresh:
            self._touch(path)
            os.mkdir(path)  # noqa: PTH102  paths here are text: there may be a million
        else:
            with os.scandir(path) as items:
                statuses = {item.name: item.stat(follow_symlinks=False) for item in items}
            wanted = {child.name for child in below}
            for name in [name for name in statuses if name not in wanted]:
                self._remove(f"{path}/{name}", _kind(statuses[name]))
        listing = self._known.recall(os.fsencode(path)) if self._known is not None and statuses else None
        known = listing.known() if listing else {}
        for child in below:
            status = statuses.get(child.name)
            at_hand = known.get(os.fsencode(child.name)) if status and known else None
            self._one(child, f"{path}/{child.name}", status, at_hand)

    def _link(self, entry: Entry, path: str, present: Kind | None) -> None:
        target = os.fsdecode(self._store.read(entry.object))
        if present == "link" and stat.S_ISLNK(os.lstat(path).st_mode) and os.readlink(path) == target:  # noqa: PTH115
            return
        self._touch(path)
        if present is not None:
            os.unlink(path)  # noqa: PTH108
        os.symlink(target, path)  # noqa: PTH211

    def _remove(self, path: str, kind: Kind | None) -> None:
        self._touch(path)
        _remove(path, kind)

    def _touch(self, path: str) -> None:
        """Note that a name was made, changed or removed."""
        self._folders.add(os.path.dirname(path))  # noqa: PTH120

    def copy(self) -> None:
        """Writes the files that differ."""
        if not self._copies:
            return
        for copy in self._copies:
            self._touch(copy.path)
        small = [copy for copy in self._copies if copy.entry.size <= SMALL]
        self._store.loose.prepare()
        with staging(self._store.loose.incoming) as folder:
            shares = [small[at : at + _SHARE] for at in range(0, len(small), _SHARE)]
            if len(shares) < 2:
                for number, share in enumerate(shares):
                    self._write_all(share, f"{folder}/{number}")
            else:
                from concurrent.futures import ThreadPoolExecutor  # 10 ms that few files need not pay

                with ThreadPoolExecutor(_THREADS) as pool:
                    names = [f"{folder}/{number}" for number in range(len(shares))]
                    list(pool.map(self._write_all, shares, names))
        for entry, path in self._copies:
            if entry.size > SMALL:
                self._store.copy_to(
                    entry.object, Path(path), executable=entry.executable, progress=self._progress
                )

    def sync(self, path: Path) -> None:
        """Make all of it durable: folder by folder, or all at once where it is much."""
        if self._is_much:
            sync_file_system(path.parent)
        else:
            for folder in self._folders:
                if Path(folder).is_dir():
                    sync_directory(Path(folder))

    @property
    def _is_much(self) -> bool:
        return len(self._copies) > _SINGLY or len(self._folders) > _SINGLY

    def _write_all(self, copies: list[_Copy], new: str) -> None:
        """Small files: each appears whole, all become durable together in the end."""
        for entry, path in copies:
            data = self._store.read(entry.object)
            mode = 0o777 if entry.executable else 0o666
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                write_all(descriptor, data)
                if not self._is_much:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                os.rename(new, path)  # noqa: PTH104
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                os.unlink(new)  # noqa: PTH108
                self._store.copy_to(entry.object, Path(path), executable=entry.executable)
            if self._progress is not None:
                self._progress(entry.size)


def _remove(path: str, kind: Kind | None) -> None:
    if kind != "tree":
        os.unlink(path)  # noqa: PTH108
        return
    with os.scandir(path) as items:
        below = [(item.path, _kind(item.stat(follow_symlinks=False))) for item in items]
    for child, of in below:
        _remove(child, of)
    os.rmdir(path)  # noqa: PTH106


def _kind(status: os.stat_result | None) -> Kind | None:
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return "tree"
    return "file" if stat.S_ISREG(status.st_mode) else "link"  # a pipe or device is replaced like a link


def _holds(path: str, status: os.stat_result, entry: Entry, known: tuple[bytes, bytes] | None) -> bool:
    if status.st_size != entry.size:
        return False
    digest = digest_of(entry.object)
    if known is not None and known[1] != UNKNOWN and known[0] == packed(status):
        return known[1] == digest
    return hash_path(os.fsencode(path))[0] == digest


def _set_executable(path: str, mode: int, executable: bool) -> None:
    readers = (mode & 0o444) >> 2  # whoever may read may execute, as git does it
    os.chmod(path, stat.S_IMODE(mode) | readers if executable else stat.S_IMODE(mode) & ~0o111)  # noqa: PTH101
