"""`undo`: what a verb did to the lock and to tracked files is taken back."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

from drystone.core.errors import Conflict
from drystone.objects.entry import Entry
from drystone.objects.hashing import Progress
from drystone.objects.restore import remove, whole
from drystone.objects.tree import Memory, walk
from drystone.workspace.ignore import keep_out_of_git, take_into_git
from drystone.workspace.lockfile import Lock, LockedPath, guarded, write
from drystone.workspace.operations import Change, Operation
from drystone.workspace.recording import kept, present, recorded
from drystone.workspace.workspace import Workspace

_SHOWN = 5


class Undone(NamedTuple):
    """What undoing did, or under `dry_run` would do.

    Attributes:
        operation: what was taken back.
        lock: paths whose lines of the lock are as before.
        files: paths of files that are as before.
        removed: those of them where nothing was before.
    """

    operation: Operation
    lock: tuple[str, ...]
    files: tuple[str, ...]
    removed: tuple[str, ...]


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
    with nullcontext() if dry_run else workspace.changing():
        operation = workspace.operations.again(operation)
        if not force:
            _refuse(workspace, operation)
        if not dry_run:
            _take_back(workspace, operation, progress)
    return Undone(
        operation,
        tuple(change.path for change in operation.lock),
        tuple(change.path for change in operation.files),
        tuple(change.path for change in operation.files if change.before is None),
    )


def _take_back(workspace: Workspace, operation: Operation, progress: Progress | None) -> None:
    layout, store = workspace.layout, workspace.store
    # all that there was is looked up, and all that there is is stored, before anything is touched
    wanted = [
        whole(store, change.before.entry(change.path), workspace.place(change.path))
        if change.before
        else None
        for change in operation.files
    ]
    files = [Change(change.path, kept(workspace, change.path), change.before) for change in operation.files]
    of_lock = bool(operation.lock) or any(change.path == layout.lock.name for change in files)
    with guarded(layout.lock, layout.guards) if of_lock else nullcontext():
        now = workspace.lock() if operation.lock else Lock()
        lines = [Change(change.path, now.paths.get(change.path), change.before) for change in operation.lock]
        with recorded(workspace, "undo", lock=lines, files=files, undoes=operation.id):
            for change, content in zip(files, wanted, strict=True):
                place = workspace.place(change.path)
                if content is None:
                    remove(place)
                else:
                    content.restore(place, known=workspace.stat_index, progress=progress)
            if lines:
                write(layout.lock, now.changed(paths={change.path: change.after for change in lines}))
            take_into_git(workspace.git, operation.ignored)
            keep_out_of_git(workspace.git, [change.path for change in lines if change.after is not None])


def _refuse(workspace: Workspace, operation: Operation) -> None:
    lock = workspace.lock().paths if operation.lock else {}
    changed = [
        change.path for change in operation.lock if lock.get(change.path) not in _possible(change, operation)
    ]
    changed += [change.path for change in operation.files if _changed_since(workspace, change, operation)]
    if changed:
        raise Conflict(
            f"`drystone {operation.verb}` cannot be undone: {len(changed)} paths changed since",
            at=[*changed[:_SHOWN], *(["..."] if len(changed) > _SHOWN else [])],
            hints=[f"undo it all the same with `drystone undo --force {operation.id[:16]}`"],
        )


def _possible(change: Change, operation: Operation) -> tuple[LockedPath | None, ...]:
    """What a path may be if nobody touched it since."""
    return (change.after,) if operation.complete else (change.before, change.after)


def _changed_since(workspace: Workspace, change: Change, operation: Operation) -> bool:
    if present(workspace, change.path) in _possible(change, operation):
        return False
    if operation.complete:
        return True
    # it was interrupted within a folder: each file there is as it was before, or as it was to be
    sides = [_files(workspace, side.entry(change.path)) for side in (change.before, change.after) if side]
    trees = Memory()
    entry = workspace.entry(change.path, trees)
    found = walk(trees, entry) if entry is not None else ()
    return any(all(side.get(path) != file.object for side in sides) for path, file in found)


def _files(workspace: Workspace, entry: Entry) -> dict[str, str]:
    return {path: file.object for path, file in walk(workspace.store, entry)}
