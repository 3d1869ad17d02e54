"""Objects that are files of their own: `AB/REST` of the 64 hex digits of the name, read-only.

Large objects stay so, since a whole file can be restored by sharing its blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from drystone.core.errors import NotFound
from drystone.core.ids import OBJECT_PREFIX, digest_of, is_object_id
from drystone.objects.atomic import sweep, sync_directory, temporary, write_all

Failpoint = Callable[[str], None]


class Loose:
    """The files below `root`, which the first write makes.

    Args:
        root: the folder of the store.
        failpoint: called with the name of each step of a write, so that tests can stop it there.
    """

    def __init__(self, root: Path, failpoint: Failpoint) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.partial = root / "partial"
        self.apart = root / "lists"
        self._failpoint = failpoint
        self._prepared = False

    def path(self, name: str) -> Path:
        """Where the object lies if it is a file of its own.

        Raises:
            NotFound: `name` is not an object id.
        """
        if not is_object_id(name):
            raise NotFound(f"not an object id: `{name}`")
        digits = name.removeprefix(OBJECT_PREFIX)
        return self.root / digits[:2] / digits[2:]

    def open(self, name: str) -> int:
        """The file of an object, or of a list that lies apart, open.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
            NotFound: `name` is not an object id.
        """
        try:
            return os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return os.open(self.path_apart(name), os.O_RDONLY | os.O_CLOEXEC)

    def path_apart(self, name: str) -> Path:
        """Where the list of a directory lies if not all that it lists is here (`objects/lists.py`)."""
        return self.apart / name.removeprefix(OBJECT_PREFIX)

    def digests(self, first: int) -> frozenset[bytes]:
        """Of all objects here whose digest begins with this byte."""
        prefix = f"{first:02x}"
        try:
            names = [OBJECT_PREFIX + prefix + rest for rest in os.listdir(self.root / prefix)]  # noqa: PTH208
        except FileNotFoundError:
            return frozenset()
        return frozenset(digest_of(name) for name in names if is_object_id(name))

    def __iter__(self) -> Iterator[str]:
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            name = OBJECT_PREFIX + path.parent.name + path.name
            if is_object_id(name):
                yield name

    def prepare(self) -> None:
        """Make the folder for what is being written, and free it of what killed processes left."""
        if not self._prepared:
            self.incoming.mkdir(parents=True, exist_ok=True)
            sweep(self.incoming)
            self._prepared = True

    def publish(self, fill: Callable[[int], str | None], holds: Callable[[str], bool]) -> str | None:
        """Has a new file filled and gives it the name that `fill` returns, durably.

        Args:
            fill: is given the open file; None takes it back.
            holds: whether an object of this name is here already, whole.

        Raises:
            OSError: it cannot be written; nothing of it is left.
        """
        self.prepare()
        with temporary(self.incoming) as (descriptor, new):
            self._failpoint("created")
            name = fill(descriptor)
            self._failpoint("written")
            if name is None or holds(name):
                return name
            self.keep(descriptor, new, name)
            return name

    def keep(self, descriptor: int, new: Path, name: str) -> None:
        """Give a file of this file system that is written, and still open, its name, durably.

        Raises:
            OSError: it cannot be.
        """
        os.fchmod(descriptor, 0o444)
        os.fsync(descriptor)
        self._failpoint("synced")
        self.settle(new, name)

    def publish_bytes(self, name: str, data: bytes) -> None:
        """Keeps `data` in a file of this name, its own, durably.

        Raises:
            OSError: it cannot be written; nothing of it is left.
        """

        def fill(descriptor: int) -> str:
            write_all(descriptor, data)
            return name

        self.publish(fill, lambda _: False)

    def settle(self, new: Path, name: str) -> None:
        """Give a synced file its name."""
        home = self.path(name)
        if not home.parent.is_dir():
            home.parent.mkdir(exist_ok=True)
            sync_directory(self.root)
        self._failpoint("folder made")
        new.rename(home)
        self._failpoint("renamed")
        sync_directory(home.parent)
