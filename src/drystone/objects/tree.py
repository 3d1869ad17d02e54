"""Stored directories: their lists, and what lies below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from drystone.core.errors import NotFound, UsageError
from drystone.core.ids import short
from drystone.objects.entry import Entry, decode
from drystone.objects.hashing import hash_bytes

#: So many folders may lie inside each other.
DEEPEST = 250


class Reader(Protocol):
    """Whatever gives the bytes of an object by its id."""

    def read(self, object_id: str) -> bytes: ...


class Memory(dict[str, bytes]):
    """Trees and links by id, kept in memory: the `Reader` of what `identify_path` met.

    Attributes:
        later: makes the lists of directories that were not made because they are as they were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.later: dict[str, Callable[[], bytes]] = {}

    def keep(self, data: bytes) -> str:
        """Keeps `data` and gives its id."""
        name = hash_bytes(data)
        self[name] = data
        return name

    def read(self, object_id: str) -> bytes:
        """Raises NotFound if the object is not here."""
        if object_id not in self and object_id in self.later:
            self[object_id] = self.later[object_id]()
        try:
            return self[object_id]
        except KeyError:
            raise NotFound(f"object `{short(object_id)}` is not a directory seen here") from None


def read_tree(reader: Reader, tree_id: str) -> tuple[Entry, ...]:
    """The entries of a stored directory, sorted by the bytes of their names.

    Raises:
        NotFound: the tree is not here.
        Corrupt: it is damaged, or not a tree that may be restored.
    """
    return decode(reader.read(tree_id), of=f"object `{short(tree_id)}`")


def walk(
    reader: Reader, entry: Entry, trees: dict[str, tuple[Entry, ...]] | None = None
) -> Iterator[tuple[str, Entry]]:
    """All files and links of an entry with their posix paths relative to it, depth first by name.

    A file or link gives itself with the path "". Empty directories give nothing.

    Args:
        reader: gives the lists of directories.
        entry: where to begin.
        trees: receives what each list holds, by its id.

    Raises:
        NotFound, Corrupt: as `read_tree`.
        UsageError: the directories are nested absurdly deep.
    """
    pending = [("", entry, 0)]
    while pending:
        path, here, depth = pending.pop()
        if here.kind != "tree":
            yield path, here
            continue
        if depth == DEEPEST:
            raise UsageError(f"`{entry.name}` has more than {DEEPEST} folders inside each other")
        prefix = f"{path}/" if path else ""
        below = read_tree(reader, here.object)
        if trees is not None:
            trees[here.object] = below
        pending.extend((prefix + child.name, child, depth + 1) for child in reversed(below))
