"""Objects to files and directories: `path` becomes equal to an entry, touching only what differs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import NotFound
from drystone.core.ids import digest_of, name_of
from drystone.core.parallel import Tally, spread
from drystone.objects.atomic import explained, staging, sync_directory, sync_file_system, write_all
from drystone.objects.entry import Entry, Kind
from drystone.objects.hashing import SMALL, Progress, hash_path
from drystone.objects.listing import UNKNOWN, Known, packed
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk

_MISSING_SHOWN = 5
_SHARE = 2000  # small files that are worth a process
_SINGLY = 64  # up to so many files are made durable one by one: others may be writing far more


class _Copy(NamedTuple):
    """A file to be written; `fresh` if its folder is new and seen by nobody yet."""

    entry: Entry
    path: str
    fresh: bool


def restore(
    store: ObjectStore,
    entry: Entry,
    path: Path,
    *,
    known: Known | None = None,
    progress: Progress | None = None,
) -> None:
    """Makes `path` equal to `entry`, touching only what differs.

    Args:
        store: where from.
        entry: what.
        path: where to.
        known: what is known of the files that are there.
        progress: is told the bytes of what is written.

    Raises:
        NotFound: the store lacks objects.
        Corrupt, WorkFailed, ProjectInvalid: as `Wanted.restore`.
    """
    whole(store, entry, path).restore(path, known=known, progress=progress)


def whole(store: ObjectStore, entry: Entry, path: Path) -> Wanted:
    """What is needed to restore an entry, all of which the store has.

    Raises:
        NotFound: the store lacks objects.
        Corrupt: the list of a directory is damaged.
    """
    wanted = Wanted(store, entry)
    if missing := wanted.missing:
        raise NotFound(
            f"`{path.name}` cannot be restored: {len(missing)} of its objects are not in the local store",
            at=[str(path / name) for name in missing[:_MISSING_SHOWN]],
        )
    return wanted


class Wanted:
    """An entry and all that lies below it, looked up in the store before anything is touched.

    Attributes:
        missing: paths below it whose objects the store lacks.

    Raises:
        NotFound: the store lacks the list of a directory.
        Corrupt: one is damaged.
    """

    def __init__(self, store: ObjectStore, entry: Entry) -> None:
        self._store = store
        self._entry = entry
        self._trees: dict[str, tuple[Entry, ...]] = {}
        found = [(path, file.object, file.size) for path, file in walk(store, entry, self._trees)]
        files = [(path, name) for path, name, _ in found]
        self._below = sum(size for _, _, size in found)
        unpacked = {name_of(digest) for digest in store.packs.without(digest_of(name) for _, name in files)}
        lost = {name for name in unpacked if not store.has(name)}
        self.missing = [path for path, name in files if name in lost] if lost else []

    @property
    def size(self) -> int:
        """Bytes of all files and links of the entry, whatever size it says itself; nothing may be missing."""
        return self._below if self._entry.kind == "tree" else self._store.size(self._entry.object)

    def restore(self, path: Path, *, known: Known | None = None, progress: Progress | None = None) -> None:
        """Makes `path` equal to the entry, touching only what differs.

        What is there and not in the entry is deleted: ask first whether anybody needs it. No symbolic link
        at or below `path` is followed; the folders above it are the caller's to judge. Each file is
        replaced atomically, each new folder appears whole, and all is durable in the end.

        Args:
            path: where to.
            known: what is known of the files that are there.
            progress: is told the bytes of what is written.

        Raises:
            NotFound, Corrupt: an object is missing or damaged; what was restored before it stays.
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        tally = Tally(progress) if progress is not None else None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._store.loose.prepare()
            with staging(self._store.loose.incoming) as folder:
                stage = str(folder)
                apart = os.lstat(folder).st_dev != os.lstat(path.parent).st_dev
                try:
                    _Restoring(self._store, self._trees, known, tally, stage, apart).run(self._entry, path)
                except OSError as error:
                    if apart or error.errno != errno.EXDEV:  # two mounts of one file system
                        raise
                    _Restoring(self._store, self._trees, known, None, stage, True).run(self._entry, path)
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
    """First folders, links and deletions, then all files, then the new folders' names.

    Args:
        store: where from.
        trees: what is in each folder, by the id of its list.
        known: what is known of the files that are there.
        progress: is told the bytes of what is written.
        stage: a folder for what is in the making.
        apart: whether nothing can be renamed from there to where it belongs.
    """

    def __init__(
        self,
        store: ObjectStore,
        trees: dict[str, tuple[Entry, ...]],
        known: Known | None,
        progress: Progress | None,
        stage: str,
        apart: bool,
    ) -> None:
        self._store = store
        self._trees = trees
        self._known = known
        self._progress = progress
        self._stage = stage
        self._apart = apart
        self._copies: list[_Copy] = []
        self._folders: set[str] = set()
        self._new: dict[str, str] = {}  # where a new folder is made -> where it belongs

    def run(self, entry: Entry, path: Path) -> None:
        """All of it."""
        self._prepare(entry, str(path))
        self._copy()
        self._sync(path)
        for new, home in self._new.items():
            os.rename(new, home)  # noqa: PTH104
        for folder in {os.path.dirname(home) for home in self._new.values()}:  # noqa: PTH120
            sync_directory(Path(folder))

    def _prepare(self, entry: Entry, path: str) -> None:
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
            if present is None:
                self._new_folder(entry, path)
            else:
                self._folder(entry, path)
        elif entry.kind == "link":
            self._link(entry, path, present)
        elif status is None or present != "file" or not _holds(path, status, entry, known):
            self._copies.append(_Copy(entry, path, fresh=False))
        elif bool(status.st_mode & stat.S_IXUSR) != entry.executable:
            _set_executable(path, status.st_mode, entry.executable)

    def _new_folder(self, entry: Entry, path: str) -> None:
        """A folder where nothing is: made aside and renamed in the end, so that it appears whole."""
        if self._apart:
            self._touch(path)
            os.mkdir(path)  # noqa: PTH102  paths here are text: there may be a million
            for child in self._trees[entry.object]:
                self._one(child, f"{path}/{child.name}", None, None)
            return
        new = f"{self._stage}/{len(self._new)}"
        self._new[new] = path
        self._fill(entry, new)

    def _fill(self, entry: Entry, path: str) -> None:
        os.mkdir(path)  # noqa: PTH102
        self._folders.add(path)
        for child in self._trees[entry.object]:
            below = f"{path}/{child.name}"
            if child.kind == "tree":
                self._fill(child, below)
            elif child.kind == "link":
                self._link(child, below, None)
            else:
                self._copies.append(_Copy(child, below, fresh=True))

    def _folder(self, entry: Entry, path: str) -> None:
        """A folder that is there: what is too much goes, what differs is noted."""
        below = self._trees[entry.object]
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

    def _copy(self) -> None:
        """Writes the files that differ."""
        for copy in self._copies:
            if not copy.fresh:
                self._touch(copy.path)
        spread(self._write_all, [copy for copy in self._copies if copy.entry.size <= SMALL], least=_SHARE)
        for entry, path, _ in self._copies:
            if entry.size > SMALL:
                self._store.copy_to(
                    entry.object, Path(path), executable=entry.executable, progress=self._progress
                )

    def _sync(self, path: Path) -> None:
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

    def _write_all(self, copies: Sequence[_Copy]) -> None:
        """Small files: each appears whole, all become durable together in the end."""
        aside = f"{self._stage}/{os.getpid()}.new"
        for entry, path, fresh in copies:
            new = path if fresh else aside
            mode = 0o777 if entry.executable else 0o666
            data = self._store.read(entry.object)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                write_all(descriptor, data)
                if not self._is_much:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if not fresh:
                self._rename(new, entry, path)
            if self._progress is not None:
                self._progress(entry.size)

    def _rename(self, new: str, entry: Entry, path: str) -> None:
        try:
            os.rename(new, path)  # noqa: PTH104
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            os.unlink(new)  # noqa: PTH108
            self._store.copy_to(entry.object, Path(path), executable=entry.executable)


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
