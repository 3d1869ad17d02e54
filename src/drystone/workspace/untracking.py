"""`untrack`: from now on a path is not tracked any more. What lies there stays as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import msgspec

from drystone.core.errors import NotFound
from drystone.core.suggest import similar
from drystone.objects.entry import printable
from drystone.workspace.diff import is_within
from drystone.workspace.ignore import ignore_state, of_ours, take_into_git
from drystone.workspace.lockfile import LockedPath, guarded, write
from drystone.workspace.operations import Change
from drystone.workspace.recording import recorded
from drystone.workspace.workspace import Workspace


class Untracked(msgspec.Struct, frozen=True):
    """What `untrack` did with one path, or under `dry_run` would do.

    Attributes:
        locked: what its line of the lock was.
        exposed: whether its line of `.gitignore` went, so that git sees what lies there.
    """

    path: str
    locked: LockedPath
    exposed: bool


def untrack(workspace: Workspace, paths: Sequence[Path], *, dry_run: bool = False) -> tuple[Untracked, ...]:
    """Takes paths out of the lock, and the lines that `add` wrote for them out of `.gitignore`.

    Their content stays where it is, in the work tree and in the store.

    Args:
        workspace: where.
        paths: absolute; tracked paths, or folders of them.
        dry_run: write nothing.

    Raises:
        NotFound: at or below one of them nothing is tracked.
        UsageError: one lies outside of the project.
        Corrupt: the lock cannot be understood.
        WorkFailed, ProjectInvalid: it cannot be written.
    """
    layout = workspace.layout
    if not dry_run:
        ignore_state(layout.state)
    with nullcontext() if dry_run else guarded(layout.lock, layout.guards):
        before = workspace.lock()
        names = _chosen(workspace, paths, before.paths)
        exposed = of_ours(workspace.git, names)
        if not dry_run:
            changes = [Change(name, before.paths[name], None) for name in names]
            with recorded(workspace, "untrack", lock=changes):
                write(layout.lock, before.changed(paths=dict.fromkeys(names)))
                take_into_git(workspace.git, names)
    return tuple(Untracked(name, before.paths[name], name in exposed) for name in names)


def _chosen(workspace: Workspace, paths: Sequence[Path], locked: dict[str, LockedPath]) -> list[str]:
    chosen: set[str] = set()
    for path in paths:
        name = "" if Path(os.path.normpath(path)) == workspace.layout.root else workspace.relative(path)
        found = [other for other in locked if not name or is_within(other, name)]
        if not found:
            raise _not_tracked(workspace, name, locked)
        chosen.update(found)
    return sorted(chosen)


def _not_tracked(workspace: Workspace, name: str, locked: dict[str, LockedPath]) -> NotFound:
    shown = printable(name)
    outer = next((other for other in locked if name and is_within(name, other)), None)
    if outer is not None:
        whole = printable(outer)
        return NotFound(
            f"`{shown}` is part of the tracked path `{whole}`",
            hints=[
                f"stop tracking the whole with `drystone untrack {whole}`",
                f"move it out of there, and take the rest as it is then with `drystone add {whole}`",
            ],
        )
    hints = [
        f"a tracked path has a similar name: `{printable(other)}`" for other in similar(name, locked)[:1]
    ]
    if name and workspace.git.is_tracked([name]):
        hints.append(f"git tracks it; take it out of git, leaving the file: `git rm -r --cached -- {shown}`")
    hints.append("each tracked path has a line in `drystone.lock`")
    return NotFound(f"`{shown}` is not tracked" if name else "nothing is tracked", hints=hints)
