"""`status`: how the work tree stands to its lock, without writing anything."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from drystone.core.errors import Conflict, ProjectInvalid, UsageError
from drystone.objects.tree import Memory
from drystone.workspace.diff import FileChange, Side, compare, is_within
from drystone.workspace.git import State
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.workspace import Workspace


class TrackedState(msgspec.Struct, frozen=True):
    """One line of the lock and what is there.

    Attributes:
        state: `clean` as locked; `modified`; `missing` nothing is there; `unreadable` it cannot be told.
        stored: whether the local store has the locked object (of a directory: its list).
        changes: the files that differ, if `modified`.
        why: what is in the way, if `unreadable`.
    """

    path: str
    state: Literal["clean", "modified", "missing", "unreadable"]
    locked: LockedPath
    stored: bool
    changes: tuple[FileChange, ...] = ()
    why: str = ""


class WorkspaceStatus(msgspec.Struct, frozen=True):
    """The work tree as it is.

    Attributes:
        git: commit, branch and dirtiness.
        tracked: every path of the lock, sorted.
        unknown: files in `data/` and `models/` that neither the lock nor git tracks; a folder that
            holds nothing tracked is one item with `/` behind it.
    """

    git: State
    tracked: tuple[TrackedState, ...]
    unknown: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether every tracked path is as locked."""
        return all(path.state == "clean" for path in self.tracked)


def status(workspace: Workspace) -> WorkspaceStatus:
    """Compares every tracked path with the lock, and looks for files that nobody tracks.

    What cannot be read, cannot be stored or keeps changing is told as the state of its path.

    Raises:
        Corrupt, ProjectInvalid: the lock cannot be understood.
    """
    lock = workspace.lock()
    tracked = tuple(_state(workspace, path, lock.paths[path]) for path in sorted(lock.paths))
    return WorkspaceStatus(workspace.git.state(), tracked, tuple(_unknown(workspace, lock.paths)))


def _state(workspace: Workspace, path: str, locked: LockedPath) -> TrackedState:
    trees = Memory()
    stored = workspace.store.has(locked.object)
    try:
        found = workspace.entry(path, trees)
    except (UsageError, Conflict, ProjectInvalid) as error:
        at = f" ({error.at[0]})" if error.at else ""
        because = f": {error.because[0]}" if error.because else ""
        return TrackedState(path, "unreadable", locked, stored, why=f"{error.message}{at}{because}")
    if found is None:
        return TrackedState(path, "missing", locked, stored)
    if LockedPath.of(found) == locked:
        return TrackedState(path, "clean", locked, stored)
    stored_side, present = Side({path: locked.entry(path)}, workspace.store), Side({path: found}, trees)
    changes = compare(stored_side, present, coarsely=True)
    return TrackedState(path, "modified", locked, stored, tuple(changes))


def _unknown(workspace: Workspace, locked: Collection[str]) -> Iterator[str]:
    root = workspace.layout.root
    folders = [folder for folder in (workspace.layout.data, workspace.layout.models) if folder.is_dir()]
    if not folders:
        return
    names = [folder.relative_to(root).as_posix() for folder in folders]
    in_git = [path for path in workspace.git.tracked() if any(is_within(path, name) for name in names)]
    known = {*locked, *in_git}
    above = {parent for path in known for parent in _parents(path)}
    for folder, name in zip(folders, names, strict=True):
        if name not in known:
            yield from _unknown_below(folder, root, known, above)


def _unknown_below(folder: Path, root: Path, known: Collection[str], above: Collection[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            items = sorted(found, key=lambda item: item.name)
    except PermissionError:
        return  # what is tracked in it is told as unreadable
    for item in items:
        path = Path(item.path).relative_to(root).as_posix()
        if path in known or item.name in (".gitignore", ".gitkeep"):
            continue
        if not item.is_dir(follow_symlinks=False):
            yield path
        elif path in above:
            yield from _unknown_below(Path(item.path), root, known, above)
        elif _holds_files(Path(item.path)):
            yield path + "/"


def _holds_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
