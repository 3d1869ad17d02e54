"""The project as it is now, in the terms of a trace: contents, absences and listings of paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from drystone.core.errors import Conflict, DrystoneError, NotFound
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import identify_path
from drystone.pipeline.territory import Territory
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.statindex import StatIndex


class Present:
    """Answers from the stat index where it can, so that asking again costs a `stat`.

    Args:
        territory: names paths.
        index: remembers contents.
        steps: paths of the step files that hide no module; Python lists a script's folder at its first
            import, which is not to depend on which steps there are.
    """

    def __init__(self, territory: Territory, index: StatIndex, steps: frozenset[str]) -> None:
        self._territory = territory
        self._index = index
        self._steps = steps

    def content(self, name: str, status: os.stat_result | None = None) -> str | None:
        """Object id of a file, or of the path that a symbolic link holds; None where neither is there.

        Args:
            name: the path.
            status: its `lstat` if just taken.
        """
        path = self._territory.path(name)
        try:
            status = status or path.lstat()
            if stat.S_ISLNK(status.st_mode):
                return hash_bytes(os.fsencode(path.readlink()))
            return self._index.identify(path, status) if stat.S_ISREG(status.st_mode) else None
        except (OSError, Conflict):  # not to be read, or never twice the same
            return None

    def exists(self, name: str) -> bool:
        """Whether something is there; a symbolic link to nothing is nothing, as for whoever opens it."""
        return os.path.exists(self._territory.path(name))  # noqa: PTH110  Path.exists raises where it may not look

    def metadata(self, name: str, *, read: bool) -> str | None:
        """What a look at a path tells besides its content: `file` or `exec`, if it was not read with its
        size in bytes, `folder`, or `special`; None where nothing is.
        """
        try:
            status = self._territory.path(name).stat()
        except OSError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return "folder"
        if not stat.S_ISREG(status.st_mode):
            return "special"
        kind = "exec" if status.st_mode & stat.S_IXUSR else "file"
        return kind if read else f"{kind} {status.st_size}"

    def listing(self, name: str, without: Iterable[str], *, scanned: bool = False) -> str | None:
        """The id of the sorted names in a folder, None where there is no readable folder.

        Who lists a folder is told of each entry whether it is a folder or a link, so that counts: `find`
        and `os.walk` ask for nothing more.
        Not counted are tools' folders, and what makes the listing depend on the step that asks.

        Args:
            name: the folder.
            without: paths whose presence below the folder is the doing of the step that asks.
            scanned: whether Python asks, in order to import: then steps that hide no module do not count.
        """
        path = self._territory.path(name)
        try:
            with os.scandir(path) as entries:
                kinds = {e.name: _kind(e) for e in entries if self._counts(Path(e.path), scanned)}
        except OSError:
            return None
        inside = "" if name == "." else f"{name}/"
        own = {other[len(inside) :].split("/", 1)[0] for other in without if other.startswith(inside)}
        told = sorted(f"{entry}{kind}" for entry, kind in kinds.items() if entry not in own)
        return hash_bytes("\n".join(told).encode("utf-8", "surrogateescape"))

    def _counts(self, path: Path, scanned: bool) -> bool:
        if not path.is_relative_to(self._territory.root):
            return not path.name.startswith(".")
        counts = self._territory.owner(path) not in ("nobody", "repository") or ".git" in path.parent.parts
        return counts and not (scanned and self._territory.name(path) in self._steps)

    def mark(self, name: str) -> str | None:
        """By what a file outside of the project is known again; None where there is none."""
        try:
            status = self._territory.path(name).stat()
        except OSError:
            return None
        return f"{status.st_size} {status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else None

    def output(self, name: str) -> LockedPath | None:
        """What stands at a path of the project, None where there is nothing."""
        try:
            return LockedPath.of(identify_path(self._territory.path(name), known=self._index))
        except NotFound:
            return None

    def is_output(self, name: str, locked: LockedPath) -> bool:
        """Whether exactly this stands there; cheap where a size or a kind tells already."""
        path = self._territory.path(name)
        try:
            status = path.lstat()
        except OSError:
            return False
        if locked.kind == "file":
            return (
                stat.S_ISREG(status.st_mode)
                and status.st_size == locked.size
                and bool(status.st_mode & stat.S_IXUSR) == locked.executable
                and self.content(name, status) == locked.object
            )
        try:
            return self.output(name) == locked
        except DrystoneError:  # something stands there that can be no output
            return False


def _kind(entry: os.DirEntry[str]) -> str:
    """What a listing says of an entry besides its name."""
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else ""
