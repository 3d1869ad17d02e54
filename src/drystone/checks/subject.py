"""What a check is about: bytes with a name, and how the file system told them when they were identified."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Conflict
from drystone.ledger.facts import AssetKind

Stamp = tuple[tuple[str, int, int, int, int], ...]


class Subject(NamedTuple):
    """A dataset or model that a check looks at.

    Attributes:
        about: its reference, e.g. `model:late-arrival`, with a version only where one was asked for.
        place: its path in the work tree, relative to the root, posix.
        path: where its bytes are.
        object: their id, "" in a session that records nothing.
        stamp: what the file system said of every file when `object` was found.
    """

    kind: AssetKind
    name: str
    about: str
    place: str
    path: Path
    object: str
    stamp: Stamp

    def check_unchanged(self) -> None:
        """Refuse to go on if the bytes may not be those of `object` any more.

        Raises:
            Conflict: a file was written since.
        """
        if self.object and stamp(self.path) != self.stamp:
            raise Conflict(
                f"`{self.place}` changed while it was checked",
                because=f"the evidence would speak of `{self.about}` as it was before",
                hints=["run the checks again once nothing writes there"],
            )


def stamp(path: Path) -> Stamp:
    """Device-independent identity of a file, or of every file below a directory, by `stat`."""
    files = (
        [path]
        if not path.is_dir()
        else sorted(Path(top, name) for top, _, own in os.walk(path) for name in own)
    )
    stamps = []
    for file in files:
        status = file.stat()
        stamps.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(stamps)
