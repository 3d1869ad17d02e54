"""What is about to be done, on record before the first file is touched.

A process that is killed in the middle leaves an operation that is not complete: it says what every path
was before, all of which is in the store, so that `undo` can take back whatever had been done of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from drystone.core.errors import DrystoneError
from drystone.workspace.ignore import ignore_state
from drystone.workspace.lockfile import Lock, LockedPath, guarded, replace, write
from drystone.workspace.operations import Change
from drystone.workspace.workspace import Workspace


@contextmanager
def recorded(
    workspace: Workspace,
    verb: str,
    *,
    lock: Sequence[Change] = (),
    files: Sequence[Change] = (),
    ignored: Sequence[str] = (),
    undoes: str | None = None,
) -> Iterator[None]:
    """Does what the `with` block does as an operation. What it replaces must be in the store already.

    After an error the operation stays, as one that was interrupted, unless nothing was touched.

    Raises:
        WorkFailed, ProjectInvalid: it cannot be noted; nothing was touched.
    """
    operations = workspace.operations
    operation = operations.begin(verb, lock=lock, files=files, ignored=ignored, undoes=undoes)
    try:
        yield
    except Exception:
        if operation is not None and _is_untouched(workspace, [*operation.lock], [*operation.files]):
            operations.drop(operation)
        raise
    if operation is not None:
        operations.finish(operation)


def relock(
    workspace: Workspace, verb: str, paths: Mapping[str, LockedPath], ignored: Sequence[str] = ()
) -> Lock:
    """Sets lines of the lock as an operation; gives the lock as it was.

    Args:
        workspace: where.
        verb: whose doing it is.
        paths: the new lines.
        ignored: paths for which a line was written to `.gitignore`.

    Raises:
        Corrupt, Conflict, WorkFailed, ProjectInvalid: as `lockfile.update`.
    """
    layout = workspace.layout
    with guarded(layout.lock, layout.guards):
        before = Lock.read(layout.lock)
        changes = [Change(path, before.paths.get(path), locked) for path, locked in paths.items()]
        with recorded(workspace, verb, lock=changes, ignored=sorted(ignored)):
            write(layout.lock, before.changed(paths=paths))
    return before


def rewrite(workspace: Workspace, verb: str, file: Path, data: bytes, *, dry_run: bool = False) -> None:
    """Replaces a file of the project's own at its root, the settings or the lock, as an operation.

    Under `dry_run` nothing is done.

    Raises:
        UsageError, Conflict: what is there cannot be stored.
        WorkFailed, ProjectInvalid: it cannot be stored or written.
    """
    if dry_run:
        return
    ignore_state(workspace.layout.state)
    before = kept(workspace, file.name)
    executable = before is not None and before.executable
    after = LockedPath(workspace.store.put_bytes(data), "file", len(data), executable)
    with recorded(workspace, verb, files=[Change(file.name, before, after)]):
        replace(file, data, workspace.layout.state)


def present(workspace: Workspace, path: str) -> LockedPath | None:
    """What is at a path now.

    Raises:
        UsageError, Conflict, ProjectInvalid: as `Workspace.entry`.
    """
    entry = workspace.entry(path)
    return LockedPath.of(entry) if entry is not None else None


def kept(workspace: Workspace, path: str) -> LockedPath | None:
    """What is at a path now, and is in the store from now on.

    Raises:
        UsageError, Conflict, ProjectInvalid, WorkFailed: as `Workspace.save`.
    """
    if workspace.entry(path) is None:
        return None
    return LockedPath.of(workspace.save(path))


def _is_untouched(workspace: Workspace, lock: Sequence[Change], files: Sequence[Change]) -> bool:
    try:
        now = workspace.lock().paths if lock else {}
        return all(now.get(change.path) == change.before for change in lock) and all(
            present(workspace, change.path) == change.before for change in files
        )
    except DrystoneError:
        return False  # what cannot be looked at may have been touched
