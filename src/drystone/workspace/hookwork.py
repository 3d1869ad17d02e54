"""What our git hooks do, as functions that say what they found."""

from __future__ import annotations

import os
from typing import NamedTuple

from drystone.core.errors import Corrupt, DrystoneError, NotFound
from drystone.objects.entry import printable
from drystone.workspace.checkout import CheckedOut, checkout, withdraw
from drystone.workspace.lockfile import Lock, LockedPath
from drystone.workspace.status import status
from drystone.workspace.workspace import Workspace


class Followed(NamedTuple):
    """What became of the tracked paths after HEAD moved.

    Attributes:
        restored: paths that are as the new lock says now.
        removed: paths that the new commit does not track, and that were as the old one says.
        kept: paths that differ from the old lock too, so somebody is at work there.
        problems: by path, why it could not be restored.
    """

    restored: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    problems: dict[str, DrystoneError]


class Uncommitted(NamedTuple):
    """What a commit would leave behind.

    Attributes:
        modified: tracked paths that differ from the lock.
        conflicts: whether the lock that is about to be committed has conflict markers.
        unstaged: whether the lock differs from the one about to be committed.
    """

    modified: tuple[str, ...]
    conflicts: bool
    unstaged: bool


def follow(workspace: Workspace, previous: str | None) -> Followed:
    """Makes the tracked paths that nobody changed be what the lock says now.

    As git does with its files: what the commit before tracked and this one does not goes, unless it was
    changed. What goes is in the store, and `drystone undo` brings it back.

    Args:
        workspace: where.
        previous: the commit that was HEAD before; None where there was none.

    Raises:
        Corrupt: the lock cannot be understood, for instance because of conflicts.
    """
    lock, before = workspace.lock(), _lock_at(workspace, previous)
    restored: list[str] = []
    removed: list[str] = []
    kept: list[str] = []
    problems: dict[str, DrystoneError] = {}
    for path in _dropped(workspace, lock, before):  # first: what is tracked now may lie in the same place
        try:
            if withdraw(workspace, path, before.paths[path]):
                removed.append(path)
            elif os.path.lexists(workspace.place(path)):
                kept.append(path)
        except DrystoneError as error:
            problems[path] = error
    for path, wanted in sorted(lock.paths.items()):
        if wanted == before.paths.get(path):
            continue
        try:
            present = workspace.entry(path)
            now = None if present is None else LockedPath.of(present)
            if now == wanted:
                continue
            if now is not None and now != before.paths.get(path):
                kept.append(path)
                continue
            done: CheckedOut = checkout(workspace, [workspace.place(path)])
            restored += done.restored
        except DrystoneError as error:
            problems[path] = error
    return Followed(tuple(restored), tuple(removed), tuple(kept), problems)


def uncommitted(workspace: Workspace, index: str | None) -> Uncommitted:
    """What the commit that is being made would leave behind.

    Args:
        workspace: where.
        index: the index that git gave to the hook; None is the repository's own.

    Raises:
        Corrupt, ProjectInvalid: the lock cannot be understood.
    """
    staged = workspace.git.staged("drystone.lock", index)
    try:
        Lock.parse(staged or b"# drystone.lock 1\n")
        conflicts = False
    except Corrupt as error:
        if "conflicts" not in error.message:
            raise
        conflicts = True
    if conflicts:
        return Uncommitted((), True, False)
    found = status(workspace)
    modified = tuple(printable(item.path) for item in found.tracked if item.state == "modified")
    lock = workspace.layout.lock
    return Uncommitted(modified, False, lock.exists() and lock.read_bytes() != staged)


def _dropped(workspace: Workspace, lock: Lock, before: Lock) -> list[str]:
    """The paths that the commit before tracked, and neither this one nor anybody here does.

    A line that somebody took out of the lock without a commit is none of them: git leaves such a file, too.
    """
    gone = before.paths.keys() - lock.paths.keys() - _lock_at(workspace, "HEAD").paths.keys()
    return sorted(gone - workspace.git.is_tracked(gone))


def _lock_at(workspace: Workspace, commit: str | None) -> Lock:
    if commit is None:
        return Lock()
    try:
        return workspace.lock(commit)
    except (NotFound, Corrupt):
        return Lock()
