"""Telling git to merge `drystone.lock` with our driver: a line for everybody, a setting for this clone."""

from __future__ import annotations

import shlex
from pathlib import Path

from drystone.core.errors import Conflict
from drystone.objects.atomic import write_atomic
from drystone.workspace.git import Git

LINE = "drystone.lock merge=drystone"
_ATTRIBUTES = ".gitattributes"
_KEY = "merge.drystone"
_CALL = "git-merge %O %A %B %P"


def command(interpreter: Path) -> str:
    """What git runs: our driver; where that is not installed any more, git's own merge of lines."""
    python = shlex.quote(str(interpreter)).replace("%", "%%")
    return (
        f"if {python} -P -c 'import drystone' 2>/dev/null; then {python} -P -m drystone {_CALL}; "
        f"elif command -v drystone >/dev/null; then drystone {_CALL}; "
        "else git merge-file -L ours -L base -L theirs %A %O %B; fi"
    )


def is_installed(git: Git) -> bool:
    """Whether git merges the lock here with our driver."""
    ours = _is_ours(git.configuration(f"{_KEY}.driver"))
    return ours and git.attribute("merge", "drystone.lock") == "drystone"


def install(git: Git, interpreter: Path, *, dry_run: bool = False) -> bool:
    """Writes the line of `.gitattributes` and this clone's setting; gives whether anything changed.

    Under `dry_run` nothing is written; other attributes that insist are only found by writing.

    Raises:
        Conflict: a driver of that name is set to something else, or other attributes insist.
        WorkFailed, ProjectInvalid: it cannot be written.
    """
    wanted, present = command(interpreter), git.configuration(f"{_KEY}.driver")
    if present is not None and not _is_ours(present):
        raise Conflict(
            "git has another merge driver of the name `drystone`",
            because=f"`{_KEY}.driver` is `{present}`",
            hints=[f"remove it with `git config --unset {_KEY}.driver`"],
        )
    if dry_run:
        return present != wanted or not _has_line(git)
    changed = _add_line(git)
    if present != wanted:
        git.configure(f"{_KEY}.name", "Drystone's merge of drystone.lock")
        git.configure(f"{_KEY}.driver", wanted)
        changed = True
    return changed


def remove(git: Git, *, dry_run: bool = False) -> bool:
    """Takes out what `install` wrote, unless `dry_run`; gives whether there was anything."""
    file = git.root / _ATTRIBUTES
    old = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
    new = [line for line in old if line.strip() != LINE.encode()]
    if new != old and not dry_run:
        if new:
            write_atomic(file, b"".join(new))
        else:
            file.unlink()
    ours = _is_ours(git.configuration(f"{_KEY}.driver"))
    if ours and not dry_run:
        for key in ("driver", "name"):
            git.configure(f"{_KEY}.{key}", None)
    return ours or new != old


def _is_ours(setting: str | None) -> bool:
    return setting is not None and _CALL in setting


def _has_line(git: Git) -> bool:
    return git.attribute("merge", "drystone.lock") == "drystone"


def _add_line(git: Git) -> bool:
    if _has_line(git):
        return False
    file = git.root / _ATTRIBUTES
    old = file.read_bytes() if file.exists() else b""
    if old and not old.endswith(b"\n"):
        old += b"\n"
    write_atomic(file, old + LINE.encode() + b"\n")
    found = git.attribute("merge", "drystone.lock")
    if found != "drystone":
        raise Conflict(
            f"git's attributes say `merge={found}` for `drystone.lock`",
            because=f"they go before `{_ATTRIBUTES}`, to which `{LINE}` was added",
            hints=["see them with `git check-attr --all drystone.lock` and `cat .git/info/attributes`"],
        )
    return True
