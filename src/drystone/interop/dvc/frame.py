"""What makes a folder a DVC repository: `.dvc/config`, its ignore files, and who ignores whom."""

from __future__ import annotations

import os
import re
from pathlib import Path

from drystone.core.errors import NotARepository
from drystone.interop.dvc.config import parse
from drystone.objects.atomic import explained, write_atomic
from drystone.workspace.git import Git

REMOTE = "drystone"

_DVC_GITIGNORE = "/config.local\n/tmp\n/cache\n"
_DVCIGNORE = (
    "# Add patterns of files dvc should ignore, which could improve\n"
    "# the performance. Learn more at\n"
    "# https://dvc.org/doc/user-guide/dvcignore\n"
)
_STATE = "/.drystone\n"


def git_around(folder: Path) -> Git | None:
    """The git work tree that holds a folder, None if there is none."""
    here = folder
    while not here.is_dir():
        here = here.parent
    try:
        return Git.discover(here)
    except NotARepository:
        return None


def write_frame(root: Path, remote: Path | None, *, in_git: bool) -> None:
    """Makes `root` a DVC repository, or adds the remote to the one that it is.

    Args:
        root: a folder; made if need be.
        remote: a folder to name as the remote; the default one, if there is no default yet.
        in_git: whether git keeps the folder; otherwise DVC must be told not to look for it.

    Raises:
        WorkFailed, ProjectInvalid: it cannot be written, or its configuration cannot be understood.
    """
    own = root / ".dvc"
    try:
        own.mkdir(parents=True, exist_ok=True)
        config = (own / "config").read_text(encoding="utf-8") if (own / "config").exists() else None
        ignore = (root / ".dvcignore").read_text(encoding="utf-8") if (root / ".dvcignore").exists() else None
    except (OSError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, OSError) else OSError(str(error))
        raise explained(reason, "a DVC repository cannot be written", root) from error
    if not (own / ".gitignore").exists():
        write_atomic(own / ".gitignore", _DVC_GITIGNORE.encode())
    new = ("" if in_git else "[core]\n    no_scm = True\n") if config is None else config
    if remote is not None:
        new = with_remote(new, os.path.relpath(remote, own))
    if new != config:
        write_atomic(own / "config", new.encode())
    wanted = ignore if ignore is not None else _DVCIGNORE
    if (root / ".drystone").is_dir() and _STATE not in wanted:
        wanted += ("" if wanted.endswith("\n") else "\n") + _STATE
    if wanted != ignore:
        write_atomic(root / ".dvcignore", wanted.encode())


def with_remote(config: str, url: str) -> str:
    """DVC's configuration with our remote in it; everything else stays as it was written.

    Raises:
        ProjectInvalid: it cannot be understood.
    """
    sections = parse(config, of=".dvc/config")
    name = f'remote "{REMOTE}"'
    lines = config.splitlines()
    if name in sections:
        lines = _replaced(lines, name, url)
    else:
        lines += [f"['{name}']", f"    url = {url}"]
    if "core" not in sections:
        lines = ["[core]", f"    remote = {REMOTE}", *lines]
    elif "remote" not in sections["core"]:
        start = next(number for number, line in enumerate(lines) if re.match(r"\s*\[\s*['\"]?core\b", line))
        lines.insert(start + 1, f"    remote = {REMOTE}")
    return "\n".join(lines) + "\n"


def _replaced(lines: list[str], section: str, url: str) -> list[str]:
    """The lines with another `url` in a section that is there."""
    found: list[str] = []
    inside = False
    for line in lines:
        if line.strip().startswith("["):
            inside = section in line
        found.append(f"    url = {url}" if inside and line.partition("=")[0].strip() == "url" else line)
    return found
