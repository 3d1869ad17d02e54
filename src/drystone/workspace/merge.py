"""Three-way merge of directories: what each side changed since their common ancestor, in one tree.

Only directories that both sides changed are looked into, so the cost follows the changes. A file
that both changed is a clash, and then there are two results: all that merges, with ours of each
clash, and the same with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import msgspec

from drystone.core.errors import UsageError
from drystone.objects.entry import Entry, encode
from drystone.objects.hashing import hash_bytes
from drystone.objects.lists import settle
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Reader, read_tree
from drystone.workspace.lockfile import LockedPath

_DEEPEST = 250  # as deep as trees are stored
_Value = TypeVar("_Value")


class Clash(msgspec.Struct, frozen=True):
    """A file that both sides changed differently; None is the side that has no such file."""

    path: str
    ours: LockedPath | None
    theirs: LockedPath | None


class Merged(NamedTuple):
    """The merge of one path: equal entries unless something clashed."""

    ours: Entry | None
    theirs: Entry | None


def merge_entries(
    store: ObjectStore,
    path: str,
    base: Entry | None,
    ours: Entry | None,
    theirs: Entry | None,
    clashes: list[Clash],
    reader: Reader | None = None,
) -> Merged:
    """Merges what two sides made of a path; lists of directories that this makes are kept in the store.

    Of files, content and executable bit merge independently. What one side deleted and the other
    left alone is gone. Files are only named, so none of them need be in the store: a list of which
    something lacks lies apart there.

    Args:
        store: receives merged lists.
        path: what to call it.
        base: the common ancestor's, None where it had nothing there.
        ours: one side.
        theirs: the other.
        clashes: receives the files that both sides changed differently.
        reader: has the trees that both sides changed; None: the store.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: a tree that is needed cannot be read, or is damaged.
        UsageError: the directories are nested absurdly deep.
    """
    merge = _Merge(reader or store, clashes, {})
    merged = merge.merge(path, base, ours, theirs, 0)
    settle(store, merge.lists)
    return merged


def choose(base: _Value, ours: _Value, theirs: _Value) -> tuple[_Value, _Value]:
    """The value that one side changed, twice; both values where both changed it differently."""
    if ours == theirs or theirs == base:
        return ours, ours
    return (theirs, theirs) if ours == base else (ours, theirs)


class _Merge(NamedTuple):
    reader: Reader
    clashes: list[Clash]
    lists: dict[str, bytes]

    def merge(
        self, path: str, base: Entry | None, ours: Entry | None, theirs: Entry | None, depth: int
    ) -> Merged:
        chosen = Merged(*choose(base, ours, theirs))
        if chosen.ours == chosen.theirs:
            return chosen
        kinds = {entry.kind for entry in (ours, theirs) if entry is not None}
        was = base.kind if base is not None else None
        if kinds == {"tree"} and (was == "tree" or None not in (ours, theirs)):
            return self._trees(path, base, ours, theirs, depth)
        if kinds == {"file"} == {was} and base and ours and theirs:
            content = choose((base.object, base.size), (ours.object, ours.size), (theirs.object, theirs.size))
            executable, _ = choose(base.executable, ours.executable, theirs.executable)
            if content[0] == content[1]:
                entry = Entry(ours.name, "file", *content[0], executable)
                return Merged(entry, entry)
        self.clashes.append(Clash(path, _locked(ours), _locked(theirs)))
        return chosen

    def _trees(
        self, path: str, base: Entry | None, ours: Entry | None, theirs: Entry | None, depth: int
    ) -> Merged:
        if depth == _DEEPEST:
            raise UsageError(f"`{path}` has more than {_DEEPEST} folders inside each other")
        before, left, right = (self._below(entry) for entry in (base, ours, theirs))
        below = [
            self.merge(f"{path}/{name}", before.get(name), left.get(name), right.get(name), depth + 1)
            for name in sorted({*before, *left, *right})
        ]
        name = path.rpartition("/")[2]
        # a directory that one side deleted stays only for what is left in it
        stays = ours is not None and theirs is not None
        mine = self._keep(name, (merged.ours for merged in below), stays)
        if all(merged.ours == merged.theirs for merged in below):
            return Merged(mine, mine)
        return Merged(mine, self._keep(name, (merged.theirs for merged in below), stays))

    def _below(self, entry: Entry | None) -> dict[str, Entry]:
        if entry is None or entry.kind != "tree":
            return {}
        return {child.name: child for child in read_tree(self.reader, entry.object)}

    def _keep(self, name: str, below: Iterable[Entry | None], stays: bool) -> Entry | None:
        entries = [entry for entry in below if entry is not None]
        if not entries and not stays:
            return None
        data = encode(entries)
        tree = hash_bytes(data)
        self.lists[tree] = data
        return Entry(name, "tree", tree, sum(entry.size for entry in entries))


def _locked(entry: Entry | None) -> LockedPath | None:
    return None if entry is None else LockedPath.of(entry)
