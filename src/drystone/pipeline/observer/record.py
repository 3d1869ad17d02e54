"""What has been seen of one execution so far, and which paths are worth seeing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from stat import S_ISLNK, S_ISREG

Stat = tuple[int, int, int, int, int]

_ALWAYS = (b"/proc", b"/sys")
_DEVICES, _SHARED = b"/dev/", b"/dev/shm/"
_OURS = b".drystone"


def stat_tuple(stat: os.stat_result) -> Stat:
    """(device, inode, size, mtime_ns, ctime_ns)."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class Scope:
    """Which paths matter: all but the kernel's, and those below an ignored prefix or the root's `.drystone`.

    Of `/dev` only `/dev/shm` holds files. A prefix that contains the root does not reach into it, so a
    workspace in an ignored `/tmp` is still seen.
    """

    def __init__(self, root: bytes, ignore: Iterable[Path]) -> None:
        self.root = root
        self._inside = root + b"/"
        spelled = {os.fsencode(path) for path in ignore}
        prefixes = {
            *_ALWAYS,
            *spelled,
            *map(os.path.realpath, spelled),
            self._inside + _OURS,
        }
        around = {prefix for prefix in prefixes if self._inside.startswith(prefix.rstrip(b"/") + b"/")}
        self._around = tuple(prefix.rstrip(b"/") + b"/" for prefix in sorted(around))
        whole = prefixes - {root} | {_DEVICES, _SHARED}
        self._exact = frozenset(prefix.rstrip(b"/") for prefix in whole)
        # the one test that thousands of look-ups of an import meet; the longest lists of hits first
        self.dropped = tuple(prefix.rstrip(b"/") + b"/" for prefix in sorted(prefixes - around))

    def matters(self, path: bytes) -> bool:
        """Whether a resolved path is recorded."""
        if path.startswith(self.dropped) or path in self._exact:
            return False
        if path == self.root or path.startswith(self._inside):
            return True
        device = path.startswith(_DEVICES) and not path.startswith(_SHARED)
        return not device and not path.startswith(self._around)

    def is_inside(self, path: bytes) -> bool:
        """Whether a resolved path is below the root."""
        return path.startswith(self._inside)

    def is_above(self, path: bytes) -> bool:
        """Whether a resolved path is a directory that the root is in, or the root."""
        return self._inside.startswith(path.rstrip(b"/") + b"/")


class Record:
    """The sets of an Observation as they grow; told resolved paths, before the call happens."""

    def __init__(
        self,
        scope: Scope,
        keep: Callable[[Path], None] | None = None,
        wrote: Callable[[Path], None] | None = None,
    ) -> None:
        self.scope = scope
        self._keep = keep
        self._wrote = wrote
        self.reads: dict[bytes, Stat] = {}
        self.absent: set[bytes] = set()
        self.present: set[bytes] = set()
        self.listed: set[bytes] = set()
        self.scanned: set[bytes] = set()
        self.writes: set[bytes] = set()
        self.removed: set[bytes] = set()
        self.addresses: dict[str, None] = {}
        self.unseen: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self.peak = 0
        self.changed: set[bytes] = set()

    def begins(self) -> None:
        """The command is observed: from here on `wrote` tells all."""
        if self._wrote is not None:
            self._wrote(Path(os.fsdecode(self.scope.root)))

    def read(self, path: bytes, stat: os.stat_result) -> None:
        """A file's content, or a link's target, is about to be read; what may not be is merely present."""
        if path in self.writes or path in self.reads or not self.scope.matters(path):
            return
        if S_ISLNK(stat.st_mode) or (S_ISREG(stat.st_mode) and os.access(path, os.R_OK)):
            self.reads[path] = stat_tuple(stat)
        else:
            self.present.add(path)

    def links(self, links: Iterable[tuple[bytes, os.stat_result]]) -> None:
        """A look-up went through these links; where they lead to is content like any other."""
        for path, stat in links:
            self.read(path, stat)

    def exists(self, path: bytes) -> None:
        """A path was looked up and is there."""
        if path not in self.writes and self.scope.matters(path) and not self.scope.is_above(path):
            self.present.add(path)

    def misses(self, path: bytes) -> None:
        """A path was looked up and is not there, and not by the command's own doing."""
        if path not in self.writes and path not in self.removed and self.scope.matters(path):
            self.absent.add(path)

    def lists(self, path: bytes) -> None:
        """A directory's names are about to be read."""
        if path not in self.writes and self.scope.matters(path):
            self.listed.add(path)

    def scans(self, path: bytes) -> None:
        """A Python is about to read a directory's names in order to import from it."""
        if path not in self.writes and self.scope.matters(path):
            self.scanned.add(path)

    def write(self, path: bytes) -> None:
        """A path is about to be created or changed."""
        if self.scope.matters(path):
            if path in self.reads:
                self._lose(path)
            if self._wrote is not None and path not in self.writes and self.scope.is_inside(path):
                self._wrote(Path(os.fsdecode(path)))
            self.writes.add(path)
            self.removed.discard(path)

    def overwrite(self, path: bytes) -> None:
        """A path is about to be made anew, whatever stands there."""
        if self.scope.matters(path):
            self._lose(path)
            self.write(path)

    def keep_all(self, paths: Iterable[bytes]) -> None:
        """Nobody will be told what is about to be lost: any of these may be."""
        for path in paths:
            self._lose(path)

    def change(self, path: bytes, stat: os.stat_result) -> None:
        """A path is about to be changed in part: the result depends on what was there."""
        self.read(path, stat)
        self._lose(path)
        self.write(path)

    def remove(self, path: bytes) -> None:
        """A path is about to go."""
        if self.scope.matters(path):
            self._lose(path)
            self.removed.add(path)

    def _lose(self, path: bytes) -> None:
        """What is not of the command's own making is about to be lost."""
        if self._keep is not None and path not in self.writes and self.scope.is_inside(path):
            self._keep(Path(os.fsdecode(path)))
