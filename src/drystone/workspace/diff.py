"""Which files differ between two states: the work tree, the lock, or the lock of a git revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from drystone.core.errors import NotFound
from drystone.core.suggest import similar
from drystone.objects.entry import Entry
from drystone.objects.tree import Memory, Reader, read_tree, walk
from drystone.workspace.lockfile import Lock, LockedPath
from drystone.workspace.workspace import Workspace


class FileChange(msgspec.Struct, frozen=True):
    """One file that differs; `old` or `new` is None where there is no such file.

    A directory stands for the files in it only where its list is not in the local store.
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


def locked_side(workspace: Workspace, revision: str | None = None) -> Side:
    """The state that the lock names, here or at a git revision; empty where there is no lock.

    Raises:
        NotFound: no such revision.
        Corrupt, ProjectInvalid: the lock cannot be understood.
    """
    if revision is not None and workspace.git.show(revision, workspace.layout.lock.name) is None:
        lock = Lock()
    else:
        lock = workspace.lock(revision)
    return Side({path: locked.entry(path) for path, locked in lock.paths.items()}, workspace.store)


def present_side(workspace: Workspace, paths: Iterable[str]) -> Side:
    """The state of the work tree at the given tracked paths.

    Raises:
        UsageError, Conflict, ProjectInvalid: as `Workspace.entry`.
    """
    trees = Memory()
    return Side({path: workspace.entry(path, trees) for path in paths}, trees)


def compare(old: Side, new: Side) -> list[FileChange]:
    """The files that differ, by path. Directories with equal ids are not looked into."""
    changes = [
        change
        for path in {**old.entries, **new.entries}
        for change in _compare(path, old.entries.get(path), old.reader, new.entries.get(path), new.reader)
    ]
    return sorted(changes, key=lambda change: change.path)


def diff(
    workspace: Workspace, old: str | None = None, new: str | None = None, only: Iterable[str] = ()
) -> list[FileChange]:
    """What changed from the lock, or git revision `old`, to the work tree, or git revision `new`.

    Args:
        workspace: where.
        old: a git revision; None is the lock as it is here.
        new: a git revision; None is the work tree.
        only: paths; what lies at or below them is compared. None given: all.

    Raises:
        NotFound: no such revision, or no tracked path at one of `only`.
        Corrupt, ProjectInvalid: a lock or a stored directory cannot be understood.
    """
    before = locked_side(workspace, old)
    if new is not None:
        after = locked_side(workspace, new)
    else:
        after = present_side(workspace, {**before.entries, **workspace.lock().paths})
    changes = compare(before, after)
    wanted, known = list(only), {**before.entries, **after.entries}
    for path in wanted:
        if not any(is_within(other, path) or is_within(path, other) for other in known):
            raise not_tracked(path, known)
    return [
        change for change in changes if not wanted or any(is_within(change.path, path) for path in wanted)
    ]


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


def _compare(
    path: str, old: Entry | None, old_reader: Reader, new: Entry | None, new_reader: Reader
) -> Iterator[FileChange]:
    if _same(old, new):
        return
    if old is not None and new is not None and old.kind == new.kind == "tree":
        try:
            before = {entry.name: entry for entry in read_tree(old_reader, old.object)}
            after = {entry.name: entry for entry in read_tree(new_reader, new.object)}
        except NotFound:
            yield FileChange.of(path, old, new)
            return
        for name in {**before, **after}:
            yield from _compare(f"{path}/{name}", before.get(name), old_reader, after.get(name), new_reader)
        return
    if old is not None and new is not None and "tree" not in (old.kind, new.kind):
        yield FileChange.of(path, old, new)
        return
    yield from (FileChange.of(name, entry, None) for name, entry in _files(path, old, old_reader))
    yield from (FileChange.of(name, None, entry) for name, entry in _files(path, new, new_reader))


def _same(old: Entry | None, new: Entry | None) -> bool:
    """Equal but for the name, which is that of the path."""
    if old is None or new is None:
        return old is new
    return (old.object, old.kind, old.executable) == (new.object, new.kind, new.executable)


def _files(path: str, entry: Entry | None, reader: Reader) -> Iterator[tuple[str, Entry]]:
    """The files of an entry, or the entry itself if its directory is empty or cannot be listed."""
    if entry is None:
        return
    try:
        files = list(walk(reader, entry))
    except NotFound:
        files = []
    for below, file in files or [("", entry)]:
        yield (f"{path}/{below}" if below else path), file
