"""Which files differ between two states: the work tree, the lock, or the lock of a git revision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from drystone.core.errors import NotFound, RemoteUnavailable, UsageError
from drystone.core.suggest import similar
from drystone.objects.entry import Entry, printable
from drystone.objects.tree import DEEPEST, Memory, Reader, read_tree
from drystone.workspace.lockfile import Lock, LockedPath
from drystone.workspace.workspace import Workspace


class FileChange(msgspec.Struct, frozen=True):
    """One file that differs; `old` or `new` is None where there is no such file.

    A directory stands for the files in it only where its list is not in the local store, and nobody
    minds: see `compare`.
    """

    path: str
    change: Literal["added", "removed", "modified"]
    old: LockedPath | None
    new: LockedPath | None

    @classmethod
    def of(cls, path: str, old: Entry | None, new: Entry | None) -> FileChange:
        """The change from one entry to another, one of them perhaps None."""
        before = LockedPath.of(old) if old is not None else None
        after = LockedPath.of(new) if new is not None else None
        if before is None:
            return cls(path, "added", before, after)
        return cls(path, "removed" if after is None else "modified", before, after)


class Side(msgspec.Struct, frozen=True):
    """One of two states compared: entries by tracked path, and where their directories are listed."""

    entries: Mapping[str, Entry | None]
    reader: Reader


def locked_side(workspace: Workspace, revision: str | None = None, reader: Reader | None = None) -> Side:
    """The state that the lock names, here or at a git revision; empty where there is no lock.

    Args:
        workspace: where.
        revision: a git revision; None is the lock as it is here.
        reader: gives the lists of directories; None: the local store.

    Raises:
        NotFound: no such revision.
        Corrupt, ProjectInvalid: the lock cannot be understood.
    """
    if revision is not None and workspace.git.show(revision, workspace.layout.lock.name) is None:
        lock = Lock()
    else:
        lock = workspace.lock(revision)
    return Side({path: locked.entry(path) for path, locked in lock.paths.items()}, reader or workspace.store)


def present_side(workspace: Workspace, paths: Iterable[str]) -> Side:
    """The state of the work tree at the given tracked paths.

    Raises:
        UsageError, Conflict, ProjectInvalid: as `Workspace.entry`.
    """
    trees = Memory()
    return Side({path: workspace.entry(path, trees) for path in paths}, trees)


def compare(old: Side, new: Side, only: Collection[str] = (), *, coarsely: bool = False) -> list[FileChange]:
    """The files that differ, by path. Directories with equal ids are not looked into.

    Args:
        old, new: the states.
        only: paths; what lies at or below them is compared, and nothing else is read. None given: all.
        coarsely: tell of a directory as a whole where its list cannot be read.

    Raises:
        NotFound, RemoteUnavailable: the list of a directory cannot be read, and not `coarsely`.
        Corrupt: it cannot be understood.
    """
    comparison = _Comparison(old.reader, new.reader, only, coarsely)
    changes = [
        change
        for path in {**old.entries, **new.entries}
        for change in comparison.of(path, old.entries.get(path), new.entries.get(path))
        if not only or any(is_within(change.path, limit) for limit in only)
    ]
    return sorted(changes, key=lambda change: change.path)


def diff(
    workspace: Workspace,
    old: str | None = None,
    new: str | None = None,
    only: Collection[str] = (),
    *,
    reader: Reader | None = None,
) -> list[FileChange]:
    """What changed from the lock, or git revision `old`, to the work tree, or git revision `new`.

    Args:
        workspace: where.
        old: a git revision; None is the lock as it is here.
        new: a git revision; None is the work tree.
        only: paths; what lies at or below them is compared. None given: all.
        reader: gives the lists of directories that the work tree does not have; None: the local store.

    Raises:
        NotFound: no such revision, no tracked path at one of `only`, or the list of a directory is missing.
        RemoteUnavailable: as `reader`.
        Corrupt, ProjectInvalid: a lock or a stored directory cannot be understood.
    """
    before = locked_side(workspace, old, reader)
    if new is not None:
        after = locked_side(workspace, new, reader)
    else:
        after = present_side(workspace, {**before.entries, **workspace.lock().paths})
    known = {**before.entries, **after.entries}
    for path in only:
        if not any(is_within(other, path) or is_within(path, other) for other in known):
            raise not_tracked(path, known)
    return compare(before, after, only)


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder + "/")


def not_tracked(path: str, known: Iterable[str]) -> NotFound:
    """The error for a path that no line of the lock covers."""
    near = similar(path, known)
    return NotFound(
        f"`{path}` is not tracked",
        hints=[
            *(f"a tracked path has a similar name: `{other}`" for other in near[:1]),
            f"track it with `drystone add {path}`",
        ],
    )


class _Comparison(NamedTuple):
    before: Reader
    after: Reader
    only: Collection[str]
    coarsely: bool

    def of(self, path: str, old: Entry | None, new: Entry | None) -> Iterator[FileChange]:
        if _same(old, new) or not self._is_wanted(path):
            return
        if old is None or new is None or "tree" not in (old.kind, new.kind):
            if old is not None and new is not None:
                yield FileChange.of(path, old, new)
                return
        elif old.kind == new.kind:
            earlier, later = self._list(path, self.before, old), self._list(path, self.after, new)
            if earlier is None or later is None:
                yield FileChange.of(path, old, new)
                return
            for name in {**earlier, **later}:
                yield from self.of(f"{path}/{name}", earlier.get(name), later.get(name))
            return
        yield from (FileChange.of(name, file, None) for name, file in self._files(path, old, self.before))
        yield from (FileChange.of(name, None, file) for name, file in self._files(path, new, self.after))

    def _files(self, path: str, entry: Entry | None, reader: Reader) -> Iterator[tuple[str, Entry]]:
        """The files of an entry, or the entry itself if its directory is empty or cannot be listed."""
        if entry is None or not self._is_wanted(path):
            return
        below = self._list(path, reader, entry) if entry.kind == "tree" else None
        if not below:
            yield path, entry
        for name, child in (below or {}).items():
            yield from self._files(f"{path}/{name}", child, reader)

    def _list(self, path: str, reader: Reader, tree: Entry) -> dict[str, Entry] | None:
        if path.count("/") > 2 * DEEPEST:
            raise UsageError(f"`{printable(path[:80])}...` has absurdly many folders inside each other")
        try:
            return {entry.name: entry for entry in read_tree(reader, tree.object)}
        except (NotFound, RemoteUnavailable) as error:
            if self.coarsely:
                return None
            raise type(error)(
                f"what differs in `{printable(path)}` cannot be told: a list of it cannot be read",
                at=error.at,
                because=[error.message, *error.because],
                hints=error.hints,
            ) from error

    def _is_wanted(self, path: str) -> bool:
        return not self.only or any(is_within(path, it) or is_within(it, path) for it in self.only)


def _same(old: Entry | None, new: Entry | None) -> bool:
    """Equal but for the name, which is that of the path."""
    if old is None or new is None:
        return old is new
    return (old.object, old.kind, old.executable) == (new.object, new.kind, new.executable)
