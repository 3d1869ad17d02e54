"""From what was observed to what counts: inputs, outputs, and what speaks against reuse."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from drystone.pipeline.observation import Observation
from drystone.pipeline.present import Present
from drystone.pipeline.territory import Owner, Territory
from drystone.workspace.lockfile import LockedPath

#: Whose files are inputs when they are read, and whose when they are looked for.
_READ = frozenset(("project", "outside", "repository", "settings"))
_OWN = frozenset(("project", "outside"))
_LOOKED = frozenset(("project", "outside", "repository"))
#: Times of files are taken from a clock that ticks, ours is not.
_TICK = 20_000_000


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution did, in names of paths.

    Attributes:
        reads: object id of each input.
        absent: paths looked up in vain.
        present: paths looked up and found, of which nothing was read.
        metadata: of each of the project's inputs, and paths found there, what `Present.metadata` says.
        listed: folders whose names were read, with the id of those names.
        scanned: those that only Python's imports listed.
        outputs: paths that it wrote and that are there.
        made: folders that it made or made sure of.
        modified: inputs that it then wrote.
        edited: inputs that somebody else changed, made or removed while it ran.
        consumed: files of the project that it removed and had not made.
        beyond: files that it left outside the project, where they are not kept.
        left: those and what it left in folders for temporary files, with `Present.mark`.
        prefixes: of other interpreters than the project's whose modules it read.
    """

    reads: dict[str, str]
    absent: tuple[str, ...]
    present: tuple[str, ...]
    metadata: dict[str, str]
    listed: dict[str, str]
    scanned: tuple[str, ...]
    outputs: tuple[str, ...]
    made: tuple[str, ...]
    modified: tuple[str, ...]
    edited: tuple[str, ...]
    consumed: tuple[str, ...]
    beyond: tuple[str, ...]
    left: dict[str, str]
    prefixes: tuple[str, ...]


def is_asset_part(name: str) -> bool:
    """Whether a path lies inside `models/NAME`, which is stored as one thing."""
    return name.startswith("models/") and name.count("/") >= 2


def unit(name: str) -> str:
    """What is stored and locked when this path is written: the model's folder, else the path."""
    return "/".join(name.split("/")[:2]) if is_asset_part(name) else name


class Account:
    """Makes sense of one observation.

    Args:
        observation: what was observed.
        started: when the execution began, nanoseconds since the epoch.
        previous: the step's own outputs before, which were set aside.
        kept: what files were before it changed them, as far as that is known.
    """

    def __init__(
        self,
        observation: Observation,
        territory: Territory,
        present: Present,
        started: int,
        previous: Iterable[str],
        kept: Mapping[str, LockedPath] | None = None,
    ) -> None:
        self._seen = observation
        self._territory = territory
        self._present = present
        self._started = started - _TICK
        self._previous = frozenset(previous)
        self._kept = kept or {}
        self._unmodified: set[Path] = set()
        self._reads: dict[str, str] = {}
        self._modified: set[str] = set()
        self._edited: set[str] = set()
        self._consumed: set[str] = set()
        self._prefixes: set[str] = set()
        self._reached = tuple(self._linked())

    def findings(self) -> Findings:
        """Everything that counts, sorted."""
        for path, opened in self._seen.reads.items():
            self._read(path, opened)
        self._changes()
        files, folders = self._written()
        outputs = sorted({unit(name) for name in files})
        touched = [path for path in self._seen.writes | self._seen.removed if self._owner(path) in _OWN]
        own = {*outputs, *map(self._territory.name, touched)}
        self._removals()
        found, left = sorted(self._found(own)), dict(sorted(self._left()))
        return Findings(
            reads=dict(sorted(self._reads.items())),
            absent=tuple(sorted(self._absent(own))),
            present=tuple(found),
            metadata=dict(self._metadata(found)),
            listed=dict(sorted(self._listed(own))),
            scanned=tuple(sorted(map(self._territory.name, self._seen.scanned))),
            outputs=tuple(outputs),
            made=tuple(sorted(folders)),
            modified=tuple(sorted(self._modified)),
            edited=tuple(sorted(self._edited)),
            consumed=tuple(sorted(self._consumed)),
            beyond=tuple(sorted(name for name in left if not self._territory.is_temporary(Path(name)))),
            left=left,
            prefixes=tuple(sorted(self._prefixes)),
        )

    def _read(self, path: Path, opened: tuple[int, int, int, int, int]) -> None:
        source = self._territory.source(path)
        path = source or path
        owner = self._owner(path)
        if owner == "environment" and (prefix := self._territory.prefix(path)) is not None:
            self._prefixes.add(self._territory.name(prefix))
        if owner not in _READ:
            return
        name = self._territory.name(path)
        try:
            status = path.lstat()
        except OSError:
            self._vanished(name, path, owner == "project")
            return
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            return
        now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        unchanged = status.st_ctime_ns < self._started if source else now == opened
        if path in self._seen.writes:
            unchanged = unchanged or (name in self._kept and self._present.is_output(name, self._kept[name]))
            if not unchanged:
                # Outside the project this is scratch, such as a program's cache.
                self._modified.update([name] if owner == "project" else [])
                return
            self._unmodified.add(path)
        content = self._present.content(name, status)
        if unchanged and content is not None:
            self._reads[name] = content
        else:
            self._edited.add(name)

    def _owner(self, path: Path) -> Owner:
        """As the territory says; what a link of the project leads to is meant, however hidden it is."""
        owner = self._territory.owner(path)
        hidden = owner in ("settings", "nobody") and f"{path}/".startswith(self._reached or ("\0",))
        return "outside" if hidden else owner

    def _linked(self) -> Iterator[str]:
        """Where links of the project lead to that are hidden outside of it."""
        for path in self._seen.reads:
            if self._territory.owner(path) == "project" and path.is_symlink():
                target = Path(os.path.realpath(path))
                if self._territory.owner(target) == "settings" or "/.cache/" in str(target):
                    yield f"{target}/"

    def _vanished(self, name: str, path: Path, in_project: bool) -> None:
        if path not in self._seen.removed:
            self._edited.add(name)
        elif in_project and name not in self._previous:
            self._consumed.add(name)

    def _written(self) -> tuple[set[str], set[str]]:
        """Files and folders of the project that the execution left behind."""
        files, folders = set(), set()
        for path in self._seen.writes - self._unmodified:
            if self._territory.owner(path) != "project" or path == self._territory.root:
                continue
            mode = _mode(path)
            if stat.S_ISDIR(mode):
                folders.add(self._territory.name(path))
            elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                files.add(self._territory.name(path))
        return files, folders

    def _changes(self) -> None:
        """Whoever ran unobserved may have read what it then changed."""
        for path in self._seen.changed:
            name = self._territory.name(path)
            if self._territory.owner(path) != "project" or not stat.S_ISREG(_mode(path)):
                continue
            if name in self._kept and self._present.is_output(name, self._kept[name]):
                self._unmodified.add(path)
            elif name not in self._previous:
                self._modified.add(name)

    def _left(self) -> Iterator[tuple[str, str]]:
        for path in self._seen.writes - self._unmodified:
            if self._owner(path) == "outside" and (mark := self._present.mark(str(path))) is not None:
                yield str(path), mark

    def _removals(self) -> None:
        for path in self._seen.removed - self._seen.writes:
            name = self._territory.name(path)
            gone = self._territory.owner(path) == "project" and not os.path.lexists(path)
            if gone and name not in self._previous:
                self._consumed.add(name)

    def _absent(self, own: set[str]) -> Iterator[str]:
        for path in self._seen.absent:
            name = self._territory.name(path)
            if self._owner(path) in _LOOKED:
                if not self._present.exists(name):  # made and removed again, perhaps
                    yield name
                elif name not in own:
                    self._edited.add(name)

    def _found(self, own: set[str]) -> Iterator[str]:
        """What mattered by being there; a folder that holds an input or an output need not be named."""
        implied = {folder for name in (*self._reads, *own) for folder in _above(name)}
        for path in self._seen.present:
            name = self._territory.name(path)
            if self._owner(path) in _LOOKED and name not in implied | own | self._reads.keys():
                if self._present.exists(name):
                    yield name
                else:
                    self._edited.add(name)

    def _metadata(self, found: Iterable[str]) -> Iterator[tuple[str, str]]:
        for names, read in ((sorted(self._reads), True), (found, False)):
            for name in names:
                told = self._present.metadata(name, read=read)
                if told is not None and self._owner(self._territory.path(name)) in ("project", "outside"):
                    yield name, told

    def _listed(self, own: set[str]) -> Iterator[tuple[str, str]]:
        for path in self._seen.listed:
            name = self._territory.name(path)
            owner = self._owner(path)
            if owner == "outside" and any(other.startswith(f"{name}/") for other in own):
                continue  # a folder for scratch, such as /tmp
            if owner in _LOOKED:
                listing = self._present.listing(name, own, scanned=path in self._seen.scanned)
                if listing is not None:
                    yield name, listing


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0
