"""From a path as a process spells it to the file that the kernel will find, with the links on the way."""

# paths are bytes here: what a process names need not be text
# ruff: noqa: PTH115, PTH118

from __future__ import annotations

import os
from collections.abc import Iterator
from stat import S_ISDIR, S_ISLNK
from typing import NamedTuple

_MOST_LINKS = 40
_KEPT = 20_000


class Found(NamedTuple):
    """`path` has no symbolic link above its last component; `stat` is its own, None if absent."""

    path: bytes
    stat: os.stat_result | None


class Links(list[tuple[bytes, os.stat_result]]):
    """The symbolic links that a look-up went through."""


class Resolver:
    """Resolves absolute paths as the kernel does, keeping the directories it has met until `forget`."""

    def __init__(self) -> None:
        # spelled directory -> its real path, where the root is b""
        self._directories: dict[bytes, bytes] = {b"": b""}

    def forget(self) -> None:
        """Names have changed: what a directory's spelling led to may no longer hold."""
        self._directories = {b"": b""}

    def is_below(self, path: bytes, prefixes: tuple[bytes, ...]) -> bool:
        """Whether it is known that the last `..` of an absolute `path` leads to below one of `prefixes`.

        False where nobody has looked there yet: `find` then meets the links on the way.
        """
        real = self._directories.get(path[: path.rfind(b"/..") + 3])
        return real is not None and (real + b"/").startswith(prefixes)

    def find(self, path: bytes, follow: bool, links: Links) -> Found:
        """The file at an absolute `path`; `follow` says whether a link in the last place is followed.

        What is absent is named as precisely as can be: the real path of the directories that exist, then
        the rest as spelled.
        """
        if path.endswith(b"/"):
            follow = True
            path = path.rstrip(b"/")
        head, _, name = path.rpartition(b"/")
        if name == b"." or name == b".." or not name:
            return self._as_directory(path, links)
        parent = self._directories.get(head)
        if parent is None:
            parent, exists = self._directory(head, links)
            if not exists:
                return Found(parent + b"/" + name, None)
        real = parent + b"/" + name
        try:
            stat = os.lstat(real)
        except OSError:
            return Found(real, None)
        if follow and S_ISLNK(stat.st_mode):
            return self._follow(parent, real, stat, links)
        return Found(real, stat)

    def _follow(self, parent: bytes, real: bytes, stat: os.stat_result, links: Links) -> Found:
        links.append((real, stat))
        if len(links) > _MOST_LINKS:
            return Found(real, None)
        try:
            target = os.readlink(real)
        except OSError:
            return Found(real, None)
        return self.find(os.path.join(parent + b"/", target), True, links)

    def _as_directory(self, path: bytes, links: Links) -> Found:
        real, exists = self._directory(path, links)
        try:
            return Found(real or b"/", os.lstat(real or b"/") if exists else None)
        except OSError:
            return Found(real, None)

    def _directory(self, path: bytes, links: Links) -> tuple[bytes, bool]:
        """The real path of a directory and whether it exists."""
        known = self._directories.get(path)
        if known is not None:
            return known, True
        head, _, name = path.rpartition(b"/")
        parent, exists = self._directory(head, links)
        if not exists:
            # the kernel stops at the first that is missing, so `..` behind it leads nowhere
            return (parent if name in (b"", b".", b"..") else parent + b"/" + name), False
        if name == b"..":
            real = parent.rpartition(b"/")[0]
        elif name in (b"", b"."):
            real = parent
        else:
            found = self.find(parent + b"/" + name, True, links)
            if found.stat is None or not S_ISDIR(found.stat.st_mode):
                return found.path, False
            real = found.path if found.path != b"/" else b""
        if len(self._directories) > _KEPT:
            self.forget()
        self._directories[path] = real
        return real, True


def below(top: Found) -> Iterator[tuple[bytes, os.stat_result]]:
    """Everything that moves with `top`, itself (as b"") first, each with its path behind that of `top`."""
    waiting = [(b"", top.stat)]
    while waiting:
        path, stat = waiting.pop()
        if stat is None:
            continue
        yield path, stat
        if S_ISDIR(stat.st_mode):
            try:
                with os.scandir(top.path + path) as entries:
                    waiting += [
                        (path + b"/" + entry.name, entry.stat(follow_symlinks=False)) for entry in entries
                    ]
            except OSError:
                continue
