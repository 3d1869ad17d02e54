"""The words of `drystone diff`: two sides, then paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import NotFound, UsageError

if TYPE_CHECKING:
    from drystone.project import Project
    from drystone.project.compare import Side


def read(
    words: Sequence[str], behind: Sequence[str], project: Project, context: Context
) -> tuple[Side | None, Side | None, list[str]]:
    """The two sides, None where there is no commit yet, and the paths.

    A word that names a state is one, also where a file has the same name; `--` makes it a path.

    Raises:
        NotFound, UsageError, Ambiguous: a word is neither a side nor a path.
    """
    from drystone.project import compare

    left = list(words)
    sides: list[Side] = []
    while left and len(sides) < 2:
        text = left[0]
        if sides and text.startswith("@") and "@" in sides[0].label:
            text = sides[0].label.partition("@")[0] + text
        try:
            sides.append(compare.side(project, text))
        except (NotFound, UsageError):
            if not _is_path(text, project, context):
                raise
            break
        left.pop(0)
    paths = [_relative(word, project, context) for word in [*left, *behind]]
    if not sides and project.git.head() is None:
        return None, None, paths
    old = sides[0] if sides else compare.side(project, "HEAD")
    return old, sides[1] if len(sides) > 1 else compare.side(project, compare.WORKSPACE), paths


def _is_path(word: str, project: Project, context: Context) -> bool:
    """Whether there is such a file, or the lock knows one there."""
    from drystone.workspace.diff import is_within
    from drystone.workspace.lockfile import Lock

    if os.path.lexists(context.cwd / word):
        return True
    try:
        path = _relative(word, project, context)
    except UsageError:
        return False
    known = Lock.read(project.layout.lock).paths
    return any(is_within(other, path) or is_within(path, other) for other in known)


def _relative(word: str, project: Project, context: Context) -> str:
    """The path as the lock names it."""
    place, root = Path(os.path.normpath(context.cwd / word)), project.layout.root
    if not place.is_relative_to(root):
        place = place.parent.resolve() / place.name
    if not place.is_relative_to(root):
        raise UsageError(f"`{word}` is outside of the project", at=str(root))
    return place.relative_to(root).as_posix()
