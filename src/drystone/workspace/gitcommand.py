"""Calling the git command.

Of git's variables only those that configure git itself are passed on: GIT_DIR and the like, which are
set inside hooks, would point it elsewhere.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from drystone.core.errors import ProjectInvalid

# The other GIT_ variables point at another repository (inside hooks) or change what git prints.
_KEPT = (
    "GIT_CONFIG",
    "GIT_EXEC_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_TRACE",
)


class GitCommand:
    """Calls git in one folder.

    Args:
        root: the top of the work tree, absolute, without symlinks.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _out(
        self, arguments: Sequence[str], *, stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> bytes:
        return self._ask(arguments, stdin=stdin, extra=extra).stdout

    def _ask(
        self,
        arguments: Sequence[str],
        *,
        allowed: Container[int] = (0,),
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        answer = run_git(self.root, arguments, stdin=stdin, extra=extra)
        if answer.returncode not in allowed:
            command = next(word for word in arguments if not word.startswith("-"))
            raise ProjectInvalid(f"`git {command}` failed", at=str(self.root), because=said(answer))
        return answer


def run_git(
    folder: Path, arguments: Sequence[str], *, stdin: bytes = b"", extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """What git answers, whatever its exit code.

    Raises:
        ProjectInvalid: there is no git command.
    """
    # inherited as any child process inherits it
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **(extra or {})}
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise ProjectInvalid("there is no `git` command", hints=["install git 2.30 or newer"]) from error


def said(answer: subprocess.CompletedProcess[bytes]) -> str:
    """The first line of what git complains about."""
    lines = answer.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"exit code {answer.returncode}"


def split(output: bytes) -> list[str]:
    """The parts of an answer to `-z`."""
    return [os.fsdecode(part) for part in output.split(b"\0") if part]
