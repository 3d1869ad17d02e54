"""Keeping tracked paths and Drystone's own state out of git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drystone.core.errors import Conflict
from drystone.objects.atomic import write_atomic
from drystone.workspace.git import Git

_SPECIAL = re.compile(r"([\\*?\[])|( )$")


def ignore_state(state: Path) -> None:
    """Makes the folder `.drystone` if need be, with a `.gitignore` that hides all of it."""
    state.mkdir(exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        write_atomic(ignore, b"*\n")


def pattern_of(path: str) -> str:
    """The line of the root's `.gitignore` that matches exactly this path."""
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], path)
    return "/" + re.sub("[\r\n]", "?", escaped)  # a pattern cannot hold a line break: any one character


def take_into_git(git: Git, paths: Iterable[str]) -> None:
    """Removes the lines of `paths` from the root's `.gitignore`, where they stand alone in it.

    Raises:
        WorkFailed, ProjectInvalid: the file cannot be written.
    """
    lines = {pattern_of(path).encode("utf-8", "surrogateescape") for path in paths}
    file = git.root / ".gitignore"
    if not lines or not file.exists():
        return
    old = file.read_bytes()
    new = b"".join(line for line in old.splitlines(keepends=True) if line.rstrip(b"\n") not in lines)
    if new != old:
        write_atomic(file, new)


def of_ours(git: Git, paths: Iterable[str]) -> set[str]:
    """Those of `paths` of which `take_into_git` would remove a line."""
    there = {line.rstrip(b"\n") for line in (_read(git.root / ".gitignore") or b"").splitlines(keepends=True)}
    return {path for path in paths if pattern_of(path).encode("utf-8", "surrogateescape") in there}


def keep_out_of_git(git: Git, paths: Iterable[str]) -> list[str]:
    """Adds those of `paths` to the root's `.gitignore` that git does not ignore yet; gives them.

    All lines are in one file at the root, because a `.gitignore` beside the data would become part of
    a tracked folder, and vanish with an output folder that a step deletes.

    Raises:
        Conflict: another `.gitignore` insists on a path; the file is as it was.
        WorkFailed, ProjectInvalid: the file cannot be written.
    """
    wanted = list(paths)
    ignored = git.is_ignored(wanted)
    added = [path for path in wanted if path not in ignored]
    if not added:
        return []
    file = git.root / ".gitignore"
    old = _read(file)
    begun = old + b"\n" if old and not old.endswith(b"\n") else old or b""
    lines = "".join(pattern_of(path) + "\n" for path in added)
    write_atomic(file, begun + lines.encode("utf-8", "surrogateescape"))
    insisted = set(added) - git.is_ignored(added)
    if insisted:
        _put_back(file, old)
        path = min(insisted)
        raise Conflict(
            f"`{path}` cannot be kept out of git",
            because="a `.gitignore` or git's index takes it back in",
            hints=[f"see which with `git check-ignore --verbose --no-index {path}`"],
        )
    return added


@contextmanager
def kept_out_of_git(git: Git, paths: Iterable[str]) -> Iterator[list[str]]:
    """As `keep_out_of_git`; after an error in the `with` block the file is as it was.

    Raises:
        Conflict, WorkFailed, ProjectInvalid: as `keep_out_of_git`.
    """
    file = git.root / ".gitignore"
    old = _read(file)
    added = keep_out_of_git(git, paths)
    new = _read(file)
    try:
        yield added
    except Exception:
        if added and _read(file) == new:  # nobody else wrote it meanwhile
            _put_back(file, old)
        raise


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _put_back(file: Path, old: bytes | None) -> None:
    if old is None:
        file.unlink(missing_ok=True)
    else:
        write_atomic(file, old)
