"""Lists of directories that came without what they list: from a remote, or from a merge.

A list in the store promises that all below it is there, too: whoever adds a folder that has not changed
relies on that. So a list is stored after all that it lists. One of which something lacks lies apart, in
the folder `lists`: it can be read, and counts as not stored until the rest came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from drystone.core.errors import Corrupt, NotFound
from drystone.core.ids import digest_of, name_of
from drystone.objects.atomic import write_atomic
from drystone.objects.entry import Entry, decode
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree


def settle(store: ObjectStore, lists: Mapping[str, bytes], *, distrusting: bool = False) -> None:
    """Stores lists below which all is here, each after those that it lists; the others lie apart then.

    Args:
        store: where to.
        lists: by id, verified. What is none, though it began as one, lists nothing.
        distrusting: something lacks, perhaps also below a list that is in the store.

    Raises:
        WorkFailed, ProjectInvalid: as of any writing.
    """
    if not lists:
        return
    settling = _Settling(store, lists, distrusting)
    with store.batch() as batch:  # nothing is taken away meanwhile
        settling.look()
        for name in settling.whole:
            batch.put(lists[name], last=True)
            if store.has(name):  # from before, and perhaps nobody needed it
                batch.hold(name)
    for name in settling.whole:
        store.loose.path_apart(name).unlink(missing_ok=True)
    for name in lists.keys() - set(settling.whole):
        lay_apart(store, name, lists[name])


def lay_apart(store: ObjectStore, name: str, data: bytes) -> None:
    """Keeps a list of which something lacks.

    Raises:
        WorkFailed, ProjectInvalid: as of any writing.
    """
    path = store.loose.path_apart(name)
    with store.explaining():
        store.loose.prepare()
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, data, temporary_in=store.loose.incoming)


def lies_apart(store: ObjectStore, name: str) -> bool:
    """Whether a list of which something lacks is here."""
    return store.loose.path_apart(name).is_file()


def settle_apart(store: ObjectStore) -> None:
    """Stores the lists that lie apart though nothing of them lacks any more.

    Raises:
        WorkFailed, ProjectInvalid: as of any writing.
    """
    lists: dict[str, bytes] = {}
    for path in store.loose.apart.glob("*"):
        with suppress(NotFound, Corrupt, ValueError):
            name = name_of(bytes.fromhex(path.name))
            lists[name] = store.read(name)
    settle(store, lists, distrusting=True)


class _Settling:
    """Which of some lists are whole.

    Attributes:
        whole: their ids, each after those that it lists.
    """

    def __init__(self, store: ObjectStore, lists: Mapping[str, bytes], distrusting: bool) -> None:
        self._store = store
        self._lists = lists
        self._distrusting = distrusting
        self._listed: dict[str, _Listed | None] = {}
        self._known: dict[str, bool] = {}
        self._absent: set[bytes] = set()
        self.whole: list[str] = []

    def look(self) -> None:
        """Find them; what they list is looked for all at once."""
        for name in self._lists:
            self._learn(name)
        self._absent = self._store.packs.without(
            digest_of(file) for listed in self._listed.values() if listed for file in listed.files
        )
        pending = list(self._lists)
        while pending:
            name = pending[-1]
            self._learn(name)
            listed = self._listed[name]
            inner = [tree for tree in listed.trees if tree not in self._known] if listed else []
            pending += inner  # first
            if not inner:
                pending.pop()
                if name not in self._known:
                    self._known[name] = self._is_whole(name, listed)
                    self.whole += [name] if self._known[name] and name in self._lists else []

    def _is_whole(self, name: str, listed: _Listed | None) -> bool:
        """Whether a list is here, or is to be stored, and all below it is here."""
        if name not in self._lists and not self._store.has(name):
            return False
        if listed is None:  # it is in the store
            return True
        return all(map(self._known.__getitem__, listed.trees)) and all(map(self._has, listed.files))

    def _learn(self, name: str) -> None:
        """What a list names; lists in the store are only looked into where they are not trusted."""
        if name in self._listed:
            return
        data = self._lists.get(name)
        if data is None and not self._distrusting:
            self._listed[name] = None
            return
        self._listed[name] = _Listed([], [])
        with suppress(NotFound, Corrupt):
            below = read_tree(self._store, name) if data is None else decode(data, of=name)
            self._listed[name] = _Listed.of(below)

    def _has(self, file: str) -> bool:
        digest = digest_of(file)
        if digest in self._absent or self._distrusting:
            return self._store.has(file)
        return True


class _Listed(NamedTuple):
    """The ids of what a list names."""

    trees: list[str]
    files: list[str]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> _Listed:
        trees, files = list[str](), list[str]()
        for entry in entries:
            (trees if entry.kind == "tree" else files).append(entry.object)
        return cls(trees, files)
