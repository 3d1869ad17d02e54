"""`undo`: what a verb did to the lock and to tracked files is taken back."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

from drystone.core.errors import Conflict
from drystone.objects.hashing import Progress
from drystone.objects.restore import remove, restore
from drystone.workspace.ignore import keep_out_of_git, take_into_git
from drystone.workspace.lockfile import Lock, LockedPath, update
from drystone.workspace.operations import Change, Operation
from drystone.workspace.workspace import Workspace

_SHOWN = 5


class Undone(NamedTuple):
    """What undoing did: lines of the lock and files that are as before, and contents kept before that."""

    operation: Operation
    lock: tuple[str, ...]
    files: tuple[str, ...]


def undo(
    workspace: Workspace,
    operation: Operation,
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Undone:
    """Takes an operation back: its lines of the lock, its files, its lines of `.gitignore`.

    Args:
        workspace: where.
        operation: which.
        force: also where something changed since; what stands there is stored first.
        dry_run: do nothing.
        progress: is told the bytes of what is written, from several threads.

    Raises:
        Conflict: what it changed was changed again since, and `force` is off.
        NotFound: the store lacks what was there before.
        Corrupt, WorkFailed, ProjectInvalid: as `checkout`.
    """
    done = Undone(
        operation,
        tuple(change.path for change in operation.lock),
        tuple(change.path for change in operation.files),
    )
    with nullcontext() if dry_run else workspace.changing():
        if not force:
            _refuse(workspace, operation, workspace.lock())
        if not dry_run:
            _take_back(workspace, operation, progress)
    return done


def _take_back(workspace: Workspace, operation: Operation, progress: Progress | None) -> None:
    for change in operation.files:
        _put_back(workspace, change, progress)
    update(workspace.layout.lock, workspace.layout.guards, lambda now: _without(now, operation))
    take_into_git(workspace.git, operation.ignored)
    keep_out_of_git(workspace.git, [change.path for change in operation.lock if change.before is not None])
    workspace.operations.record(
        "undo",
        lock=tuple(change.inverse for change in operation.lock),
        files=tuple(change.inverse for change in operation.files),
        undoes=operation.id,
    )


def _refuse(workspace: Workspace, operation: Operation, lock: Lock) -> None:
    changed = [change.path for change in operation.lock if lock.paths.get(change.path) != change.after]
    for change in operation.files:
        present = workspace.entry(change.path)
        if (LockedPath.of(present) if present else None) != change.after:
            changed.append(change.path)
    if changed:
        raise Conflict(
            f"`drystone {operation.verb}` cannot be undone: {len(changed)} paths changed since",
            at=[*changed[:_SHOWN], *(["..."] if len(changed) > _SHOWN else [])],
            hints=[f"undo it all the same with `drystone undo --force {operation.id[:16]}`"],
        )


def _put_back(workspace: Workspace, change: Change, progress: Progress | None) -> None:
    place = workspace.place(change.path)
    if workspace.entry(change.path) is not None:
        workspace.save(change.path)  # whatever it is, it is not lost
    if change.before is None:
        remove(place)
    else:
        before = change.before.entry(change.path)
        restore(workspace.store, before, place, known=workspace.stat_index, progress=progress)


def _without(lock: Lock, operation: Operation) -> Lock:
    return lock.changed(paths={change.path: change.before for change in operation.lock})
