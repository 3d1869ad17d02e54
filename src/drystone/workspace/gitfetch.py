"""Files of another repository, without a clone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from drystone.core.errors import NotFound
from drystone.workspace.gitcommand import run_git, said


def fetch_files(where: str, revision: str | None, paths: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Files at the top of another repository, without a clone: one commit is asked for, and no more.

    Args:
        where: whatever `git clone` takes.
        revision: a branch, a tag or a whole commit id; None is what HEAD is there.
        paths: names of files; those that are not there are not in the answer.
        folder: for git; made if need be.

    Raises:
        NotFound: there is no such repository, or no such revision in it.
        ProjectInvalid: there is no git command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = revision or "HEAD"
    if wanted.startswith("-") or where.startswith("-"):
        raise NotFound(f"no git revision named `{wanted}`", at=where)
    run_git(folder, ["init", "--quiet", "--bare"])
    run_git(folder, ["config", "remote.origin.url", where])
    # where the other side can, only what is looked at comes: the top folder's list and these files
    options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--depth", "1", "--filter=blob:none"]
    mark = f"refs/drystone/{os.urandom(8).hex()}"
    answer = run_git(folder, ["fetch", *options, "origin", f"+{wanted}:{mark}"])
    words = said(answer)
    if answer.returncode and ("couldn't find remote ref" in words or "not our ref" in words):
        raise NotFound(
            f"no git revision named `{wanted}`",
            at=where,
            because="another repository is asked for branches, tags and whole commit ids only",
        )
    if answer.returncode:
        raise NotFound(
            f"git cannot read the repository `{where}`",
            because=words,
            hints=[f"see what git says with `git ls-remote {where}`"],
        )
    found = {path: run_git(folder, ["cat-file", "blob", f"{mark}:{path}"]) for path in paths}
    return {path: got.stdout for path, got in found.items() if got.returncode == 0}
