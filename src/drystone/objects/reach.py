"""What can be reached from objects: directories lead to all below them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drystone.core.errors import Corrupt, NotFound, ProjectInvalid
from drystone.core.ids import digest_of
from drystone.objects.entry import HEADER, Entry
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree

#: How the list of a directory begins.
TREE = f"{HEADER}\n".encode()


class Reach:
    """Objects that were reached, each asked for once.

    Args:
        store: where directories are read.
        patient: go on where an object cannot be read, as if it were damaged; for who only looks.

    Attributes:
        digests: of all that was reached, also of what the store lacks.
        unread: directories that are not here or damaged, with the name by which they were reached.
    """

    def __init__(self, store: ObjectStore, *, patient: bool = False) -> None:
        self._store = store
        self._patient = patient
        self.digests: set[bytes] = set()
        self.unread: dict[str, str] = {}

    def follow(self, name: str, by: str, *, tree: bool | None) -> Iterator[tuple[str, str]]:
        """All objects that are reached from one and were not before, each with the name it goes by.

        Args:
            name: the object's id.
            by: what it is called.
            tree: whether it is a directory; None where only its bytes can tell.
        """
        pending = [(name, by, tree)]
        while pending:
            name, by, tree = pending.pop()
            digest = digest_of(name)
            if digest in self.digests:
                continue
            self.digests.add(digest)
            yield name, by
            if tree is False:
                continue
            for child in self._below(name, by, tree):
                pending.append((child.object, f"{by}/{child.name}", child.kind == "tree"))

    def _below(self, name: str, by: str, tree: bool | None) -> tuple[Entry, ...]:
        try:
            if tree is None and not looks_like_a_tree(self._store, name):
                return ()
            return read_tree(self._store, name)
        except (NotFound, ProjectInvalid, OSError) as error:
            if not isinstance(error, NotFound | Corrupt) and not self._patient:
                raise
            if tree:
                self.unread[name] = by
            return ()


def looks_like_a_tree(store: ObjectStore, name: str) -> bool:
    """Whether an object that is here, or lies apart, begins as the list of a directory does."""
    with suppress(NotFound, Corrupt):
        if store.has(name) and store.size(name) < len(TREE):
            return False
        path = store.loose.path(name)
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(TREE)) == TREE
        return store.read(name).startswith(TREE)
    return False
