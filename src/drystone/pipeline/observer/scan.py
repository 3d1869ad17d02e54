"""What a command wrote where it could not be observed: the workspace before, compared with after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG

from drystone.pipeline.observer.record import Scope

_LARGE = 1 << 26
_SKIPPED = (b".venv", b".git")

Snapshot = dict[bytes, tuple[int, ...]]


def snapshot(scope: Scope) -> Snapshot:
    """Kind, inode, size, mtime_ns and ctime_ns of what matters below the root, without `.venv` and `.git`.

    Of a directory only the kind: its times change with its names, and those are here themselves.
    """
    seen: Snapshot = {}
    waiting = [scope.root]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                path = entry.path
                if not scope.matters(path) or entry.name in _SKIPPED:
                    continue
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if S_ISDIR(stat.st_mode):
                    seen[path] = (S_IFMT(stat.st_mode),)
                    waiting.append(path)
                else:
                    kind = S_IFMT(stat.st_mode)
                    seen[path] = (kind, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return seen


def small(seen: Snapshot) -> Iterator[bytes]:
    """The files and links that are not too large to be kept in case they get lost."""
    for path, state in seen.items():
        if (S_ISREG(state[0]) or S_ISLNK(state[0])) and state[2] <= _LARGE:
            yield path


def difference(before: Snapshot, after: Snapshot) -> tuple[set[bytes], set[bytes]]:
    """The paths written (new or changed) and the paths removed."""
    written = {path for path, state in after.items() if before.get(path) != state}
    return written, before.keys() - after.keys()
