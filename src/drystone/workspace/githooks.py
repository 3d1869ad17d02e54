"""Git hooks that call Drystone: installed and removed on request, never in place of the user's own.

A user's hook is kept beside ours, as `NAME.before-drystone`, and runs first with the same arguments
and input; if it fails, so does the whole.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Literal

import msgspec

from drystone.core.errors import Conflict
from drystone.objects.atomic import explained, write_atomic
from drystone.workspace.git import Git

#: The hooks, and those that git gives something to read.
HOOKS = ("post-checkout", "post-merge", "post-rewrite", "pre-commit", "pre-push")
_WITH_INPUT = ("post-rewrite", "pre-push")
_BEFORE = ".before-drystone"
_MARK = "# Written by `drystone init --hooks`; `drystone init --remove` takes it out again."
_TEXT = """#!/bin/sh
{mark}
python={python}
before="$0{suffix}"
{chain}
if "$python" -P -c 'import drystone' 2>/dev/null; then
  exec "$python" -P -m drystone git-hook {name} "$@"
elif command -v drystone >/dev/null; then
  exec drystone git-hook {name} "$@"
fi
echo "drystone is not installed here: its part of the hook {name} did nothing" >&2
"""
_CHAIN = """if [ -x "$before" ]; then
  "$before" "$@" || exit
fi"""
_CHAIN_WITH_INPUT = """input=$(cat)
if [ -x "$before" ]; then
  if [ -n "$input" ]; then printf '%s\\n' "$input"; fi | "$before" "$@" || exit
fi"""


class HookState(msgspec.Struct, frozen=True):
    """One hook: `installed`, `absent`, or `foreign` (the user's own); whether one of theirs runs first."""

    name: str
    state: Literal["installed", "absent", "foreign"]
    chained: bool


def text(name: str, interpreter: Path) -> str:
    """The hook's script."""
    chain = _CHAIN_WITH_INPUT if name in _WITH_INPUT else _CHAIN
    python = shlex.quote(str(interpreter))
    return _TEXT.format(mark=_MARK, python=python, suffix=_BEFORE, chain=chain, name=name)


def states(git: Git) -> tuple[HookState, ...]:
    """Every hook of ours as it is now."""
    return tuple(_state(git.folder("hooks"), name) for name in HOOKS)


def install(git: Git, interpreter: Path, *, dry_run: bool = False) -> tuple[str, ...]:
    """Writes all hooks, or none; a user's own hook is moved aside and called first.

    Args:
        git: whose hooks.
        interpreter: runs them.
        dry_run: write nothing.

    Returns:
        The names of those that were not installed yet.

    Raises:
        Conflict: hooks lie where other repositories use them too, or one cannot be moved aside.
        WorkFailed, ProjectInvalid: they cannot be written.
    """
    folder = _own_folder(git)
    for name in HOOKS:
        _check(folder, name)
    fresh = tuple(name for name in HOOKS if _state(folder, name).state != "installed")
    if dry_run:
        return fresh
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            hook, before = folder / name, folder / (name + _BEFORE)
            if _state(folder, name).state == "foreign":
                hook.rename(before)
            write_atomic(hook, text(name, interpreter).encode())
            hook.chmod(0o755)
    except OSError as error:
        raise explained(error, "hooks cannot be written", folder) from error
    return fresh


def remove(git: Git, *, dry_run: bool = False) -> tuple[str, ...]:
    """Takes out our hooks and puts the user's own back, unless `dry_run`; gives the names of ours.

    Raises:
        Conflict: one of ours was edited since.
    """
    folder = git.folder("hooks")
    ours = [name for name in HOOKS if _state(folder, name).state == "installed"]
    for name in ours:
        if not _is_as_written(folder / name, name):
            raise Conflict(
                f"the hook `{name}` was edited since `drystone init --hooks` wrote it",
                at=str(folder / name),
                hints=[f"remove it yourself with `rm {shlex.quote(str(folder / name))}`"],
            )
    for name in ours if not dry_run else ():
        before = folder / (name + _BEFORE)
        if os.path.lexists(before):
            before.rename(folder / name)
        else:
            (folder / name).unlink()
    return tuple(ours)


def _state(folder: Path, name: str) -> HookState:
    chained = os.path.lexists(folder / (name + _BEFORE))
    hook = folder / name
    if not os.path.lexists(hook):
        return HookState(name, "absent", chained)
    return HookState(name, "installed" if _MARK in _read(hook) else "foreign", chained)


def _own_folder(git: Git) -> Path:
    folder = git.folder("hooks")
    if folder.resolve() == (git.common_folder() / "hooks").resolve():
        return folder
    raise Conflict(
        f"hooks of this repository lie in `{folder}`",
        because="git's setting `core.hooksPath` names it, so they may be shared with other repositories",
        hints=[f'add to the hook `{name}` there: `drystone git-hook {name} "$@"`' for name in HOOKS],
    )


def _check(folder: Path, name: str) -> None:
    """Raises where a hook of the user's cannot be moved aside."""
    hook, state = folder / name, _state(folder, name)
    if state.state != "foreign":
        return
    if hook.is_symlink() or not hook.is_file():
        because = "it is a symbolic link, and what it points to may look at its own name"
    elif state.chained:
        because = f"`{name}{_BEFORE}` is there already"
    else:
        return
    raise Conflict(
        f"the hook `{name}` is somebody else's and cannot be moved aside; nothing was installed",
        at=str(hook),
        because=because,
        hints=[f'call Drystone from it with the line `drystone git-hook {name} "$@"`'],
    )


def _is_as_written(hook: Path, name: str) -> bool:
    """Whether it is our text, whatever the interpreter."""
    found, ours = _read(hook).split("\n"), text(name, Path("python")).split("\n")
    return found[:2] + found[3:] == ours[:2] + ours[3:]


def _read(hook: Path) -> str:
    try:
        return hook.read_text(errors="replace")
    except OSError:
        return ""
