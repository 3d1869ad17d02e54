"""`add`: from now on a path is tracked by content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from drystone.core.errors import Conflict, UsageError
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress
from drystone.objects.intake import identify_path, store_path
from drystone.workspace.ignore import ignore_state, kept_out_of_git
from drystone.workspace.lockfile import Lock, LockedPath, overlapping
from drystone.workspace.recording import relock
from drystone.workspace.workspace import Workspace


class Added(msgspec.Struct, frozen=True):
    """What `add` did with one path.

    Attributes:
        outcome: `added` it was not tracked; `changed` it was, with another content; `unchanged`.
        ignored: whether a line was written to `.gitignore`.
    """

    path: str
    locked: LockedPath
    outcome: Literal["added", "changed", "unchanged"]
    ignored: bool


def add(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> tuple[Added, ...]:
    """Stores paths, writes them to the lock, and keeps them out of git. All of them or none.

    Args:
        workspace: where.
        paths: absolute.
        dry_run: store and write nothing.
        progress: is told the bytes of what is read.

    Raises:
        NotFound: nothing is there.
        UsageError: a path is outside the project or cannot be stored.
        Conflict: git tracks it, it lies inside a tracked path or holds one, or it keeps changing.
        Corrupt: the lock cannot be understood.
        WorkFailed, ProjectInvalid: it cannot be read or stored.
    """
    names = list(dict.fromkeys(workspace.relative(path) for path in paths))
    before = workspace.lock()
    _refuse(workspace, names, before)
    if dry_run:
        found = {
            name: identify_path(workspace.place(name), known=workspace.stat_index, progress=progress)
            for name in names
        }
        return _told(before, found, set(names) - workspace.git.is_ignored(names))
    ignore_state(workspace.layout.state)
    found = {
        name: store_path(
            workspace.store, workspace.place(name), known=workspace.stat_index, progress=progress
        )
        for name in names
    }
    locked = {name: LockedPath.of(entry) for name, entry in found.items()}
    with kept_out_of_git(workspace.git, names) as ignored:
        before = relock(workspace, "add", locked, ignored)
    return _told(before, found, set(ignored))


def _told(before: Lock, found: dict[str, Entry], ignored: set[str]) -> tuple[Added, ...]:
    locked = {name: LockedPath.of(entry) for name, entry in found.items()}
    return tuple(
        Added(name, now, _outcome(before.paths.get(name), now), name in ignored)
        for name, now in locked.items()
    )


def _outcome(before: LockedPath | None, after: LockedPath) -> Literal["added", "changed", "unchanged"]:
    if before is None:
        return "added"
    return "unchanged" if before == after else "changed"


def _refuse(workspace: Workspace, names: Sequence[str], lock: Lock) -> None:
    """Raises for paths that cannot be tracked, before anything is stored."""
    for name in names:
        _refuse_own(name)
        if workspace.place(name).is_symlink():
            raise UsageError(
                f"`{name}` is a symbolic link",
                because="only the path in it would be kept, not what it points to",
                hints=[f"put a copy in its place: `cp -rL {name} {name}.copy && mv -T {name}.copy {name}`"],
            )
    in_git = sorted(workspace.git.is_tracked(names))
    if in_git:
        raise Conflict(
            f"git tracks `{in_git[0]}`",
            because="a path is tracked by git or by Drystone, not by both",
            hints=[f"take it out of git, leaving the file: `git rm -r --cached -- {in_git[0]}`"],
        )
    overlap = overlapping({**lock.paths, **dict.fromkeys(names)})
    if overlap:
        outer, inner = overlap
        if outer in lock.paths:
            way_out = f"add the whole again with `drystone add {outer}`"
        elif inner in lock.paths:
            way_out = f"stop tracking the part first with `drystone untrack {inner}`"
        else:
            way_out = f"add only the whole with `drystone add {outer}`"
        raise Conflict(
            f"`{inner}` and `{outer}` cannot both be tracked: one lies inside the other", hints=[way_out]
        )


def _refuse_own(name: str) -> None:
    """Raises for git's files and our own: they say what is tracked, so git must have them.

    Raises:
        UsageError: it is such a file.
    """
    of_git = name.rpartition("/")[2].startswith(".git")
    if of_git or name == "drystone.toml":
        raise UsageError(
            f"`{printable(name)}` cannot be tracked by Drystone",
            because=f"{'git' if of_git else 'Drystone'} reads it, and it belongs to the code",
            hints=[f"commit it with `git add {printable(name)} && git commit`"],
        )
