"""Three-way merge of `drystone.lock`: what git's merge driver does.

Paths merge one by one, directories that both sides changed as trees. A path that does not merge
stands between conflict markers, alone. A step that both sides ran differently loses its line: the
trace of one side says nothing about the merged files, and without a line `drystone run` decides
anew, from what is there, and finds in its cache whatever fits. What such a step writes is not worth
a conflict, as it is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt, DrystoneError, NotFound, RemoteUnavailable
from drystone.objects.entry import Entry, escape
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Reader
from drystone.workspace import markers
from drystone.workspace.lockfile import HEADER, Lock, LockedPath, overlapping, path_line, step_line
from drystone.workspace.markers import Item
from drystone.workspace.merge import Clash, choose, merge_entries


class LockMerge(NamedTuple):
    """What became of three locks.

    Attributes:
        data: the merged lock; what clashes stands between markers.
        directories: directories that both sides changed and that merged.
        dropped: steps that both sides ran differently; their lines are gone.
        remade: what those steps write, where the two sides differ; ours is kept until they run.
        clashes: files that both sides changed differently, within directories too.
        conflicts: tracked paths that stand between markers.
        partly: those of them that are directories of which both lines have all that merges.
        problems: why a directory could not be looked into.
    """

    data: bytes
    directories: tuple[str, ...]
    dropped: tuple[str, ...]
    remade: tuple[str, ...]
    clashes: tuple[Clash, ...]
    conflicts: tuple[str, ...]
    partly: tuple[str, ...]
    problems: tuple[DrystoneError, ...]


def merge_locks(
    store: ObjectStore, base: bytes, ours: bytes, theirs: bytes, reader: Reader | None = None
) -> LockMerge:
    """Merges the bytes of two locks that have a common ancestor (empty bytes: none).

    The ancestor may hold conflicts, as git merges ancestors where a history has several.

    Args:
        store: receives merged trees.
        base, ours, theirs: the locks.
        reader: has the lists of directories and the traces of steps; None: the store.

    Raises:
        Corrupt, ProjectInvalid: one of them cannot be understood.
        WorkFailed, ProjectInvalid: a merged tree cannot be stored.
    """
    before, unsure = _ancestor(base)
    left, right = (Lock.parse(data) if data else Lock() for data in (ours, theirs))
    return _Merging(store, reader or store, before, unsure, left, right).run()


class _Trace(msgspec.Struct):
    """The part of a trace that is of interest here."""

    writes: dict[str, msgspec.Raw]


class _Merging:
    """One merge under way."""

    def __init__(
        self,
        store: ObjectStore,
        reader: Reader,
        base: Lock,
        unsure: set[tuple[str, str]],
        ours: Lock,
        theirs: Lock,
    ) -> None:
        self.store, self.reader = store, reader
        self.base, self.unsure, self.ours, self.theirs = base, unsure, ours, theirs
        self.directories: list[str] = []
        self.partly: set[str] = set()
        self.remade: list[str] = []
        self.clashes: list[Clash] = []
        self.problems: list[DrystoneError] = []

    def run(self) -> LockMerge:
        steps, dropped = self._steps()
        rewritten = self._rewritten(dropped)
        merged: dict[str, tuple[LockedPath | None, LockedPath | None]] = {}
        for path in {**self.ours.paths, **self.theirs.paths}:
            merged[path] = self._path(path, rewritten)
        items = _without_overlap(merged, self.ours.paths, self.theirs.paths)
        conflicts = [name for item in items if item.clashes for _, name in sorted(item.names)]
        items += [Item((line,), (line,)) for line in steps]
        return LockMerge(
            markers.write(items),
            tuple(self.directories),
            tuple(dropped),
            tuple(self.remade),
            tuple(self.clashes),
            tuple(conflicts),
            tuple(path for path in conflicts if path in self.partly),
            tuple(self.problems),
        )

    def _steps(self) -> tuple[list[str], list[str]]:
        lines, dropped = [], []
        for step in sorted({*self.ours.steps, *self.theirs.steps}):
            mine, other = self.ours.steps.get(step), self.theirs.steps.get(step)
            trace, alternative = choose(self.base.steps.get(step), mine, other)
            if trace != alternative or (mine != other and ("step", step) in self.unsure):
                dropped.append(step)
            elif trace is not None:
                lines.append(step_line(step, trace))
        return lines, dropped

    def _rewritten(self, dropped: list[str]) -> set[str]:
        """What dropped steps wrote on both sides, as far as their traces can tell."""
        found: set[str] = set()
        for step in dropped:
            if step in self.ours.steps and step in self.theirs.steps:
                found |= self._writes(self.ours.steps[step]) & self._writes(self.theirs.steps[step])
        return found

    def _writes(self, trace: str) -> set[str]:
        try:
            return set(msgspec.json.decode(self.reader.read(trace), type=_Trace).writes)
        except (NotFound, Corrupt, RemoteUnavailable, msgspec.MsgspecError):
            return set()  # then what it wrote is a conflict like any other

    def _path(self, path: str, rewritten: set[str]) -> tuple[LockedPath | None, LockedPath | None]:
        base, mine, other = (lock.paths.get(path) for lock in (self.base, self.ours, self.theirs))
        unsure = ("path", path) in self.unsure
        chosen = (mine, other) if unsure else choose(base, mine, other)
        if chosen[0] == chosen[1]:
            return chosen
        if path in rewritten:
            self.remade.append(path)
            return mine, mine
        if unsure or mine is None or other is None:
            self.clashes.append(Clash(path, mine, other))
            return chosen
        return self._entries(path, base, mine, other)

    def _entries(
        self, path: str, base: LockedPath | None, mine: LockedPath, other: LockedPath
    ) -> tuple[LockedPath, LockedPath]:
        before: Entry | None = None if base is None else base.entry(path)
        clashes: list[Clash] = []
        try:
            merged = merge_entries(
                self.store, path, before, mine.entry(path), other.entry(path), clashes, self.reader
            )
        except (NotFound, Corrupt, RemoteUnavailable) as error:
            self.problems.append(_unknown(path, error))
            return mine, other
        assert merged.ours is not None and merged.theirs is not None  # both sides have something there
        self.clashes += clashes
        if not clashes and mine.kind == "tree":
            self.directories.append(path)
        elif mine.kind == other.kind == "tree":
            self.partly.add(path)
        return LockedPath.of(merged.ours), LockedPath.of(merged.theirs)


def _ancestor(data: bytes) -> tuple[Lock, set[tuple[str, str]]]:
    """The ancestor's lock, without what is in conflict in it, and what that is."""
    if not data:
        return Lock(), set()
    items = markers.read(data)
    unsure = {name for item in items if item.clashes for name in item.names}
    if not unsure:
        return Lock.parse(data), unsure
    sure = [item for item in items if not item.clashes and item.ours != (HEADER,)]
    return Lock.parse(markers.write(sure)), unsure


def _without_overlap(
    merged: Mapping[str, tuple[LockedPath | None, LockedPath | None]],
    ours: Mapping[str, LockedPath],
    theirs: Mapping[str, LockedPath],
) -> list[Item]:
    """The items of all paths; where one lies inside another, all of those are one conflict."""
    rest = {path: sides for path, sides in merged.items() if sides != (None, None)}
    items: list[tuple[str, Item]] = []
    while overlap := overlapping(rest):
        outer = overlap[0]
        group = sorted(path for path in rest if path == outer or path.startswith(outer + "/"))
        both = (
            tuple(path_line(path, side[path]) for path in group if path in side) for side in (ours, theirs)
        )
        items.append((outer, Item(*both)))
        for path in group:
            del rest[path]
    for path, sides in rest.items():
        mine, other = (() if side is None else (path_line(path, side),) for side in sides)
        items.append((path, Item(mine, other)))
    return [item for _, item in sorted(items, key=lambda pair: escape(pair[0]))]


def _unknown(path: str, error: DrystoneError) -> DrystoneError:
    return type(error)(
        f"`{path}` was changed on both sides and cannot be merged here",
        at=error.at,
        because=[error.message, *error.because],
        hints=[
            "fetch what is missing with `drystone pull`, then merge again with"
            " `git checkout --merge drystone.lock`",
            f"or take one side whole with `drystone git-merge --ours {path}` (or `--theirs`)",
        ],
    )
