"""What was collected as garbage, kept for a while: `trash/TIME/` in the store for each collection.

A folder holds objects as files named by their 64 hex digits, and packs with their indexes. Its name is
the time of the collection, nanoseconds since the epoch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.ids import OBJECT_PREFIX, is_object_id
from drystone.objects.atomic import sync_directory
from drystone.objects.packs import INDEX_SUFFIX, PACK_SUFFIX, Pack
from drystone.objects.store import ObjectStore


class Content(NamedTuple):
    """What lies in a trash: how many files of objects and packs, and their bytes."""

    files: int
    size: int


class Trash:
    """The trash of a store. Whoever moves something in or out is alone in the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.folder = store.root / "trash"

    def begin(self, now: int) -> Path:
        """The folder for a new collection."""
        folder = self.folder / str(now)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def holds(self, digest: bytes) -> bool:
        """Whether an object lies in it."""
        for _, path in self._files():
            if path.suffix == PACK_SUFFIX:
                with suppress(OSError, ValueError):
                    if digest in Pack(path).index:
                        return True
            elif path.name == digest.hex():
                return True
        return False

    def content(self, before: int | None = None) -> Content:
        """What lies in it, or in the folders of collections before a time."""
        sizes = [
            path.stat().st_size
            for _, path in self._files(before)
            if path.suffix == PACK_SUFFIX or is_object_id(OBJECT_PREFIX + path.name)
        ]
        return Content(len(sizes), sum(sizes))

    def empty(self, before: int) -> None:
        """Deletes what was collected before a time, for good."""
        for folder in self._collections(before):
            shutil.rmtree(folder)

    def bring_back(self, wanted: set[bytes] | None = None) -> int:
        """Moves files back into the store; gives their number.

        Args:
            wanted: digests; only files that hold one of them. None: all.
        """
        moved = 0
        for folder, path in list(self._files()):
            if path.suffix == PACK_SUFFIX:
                moved += self._pack_back(path, wanted)
            elif is_object_id(OBJECT_PREFIX + path.name) and (
                wanted is None or bytes.fromhex(path.name) in wanted
            ):
                self._store.loose.settle(path, OBJECT_PREFIX + path.name)
                moved += 1
            if not any(folder.iterdir()):
                folder.rmdir()
        self._store.packs.forget()
        return moved

    def _pack_back(self, path: Path, wanted: set[bytes] | None) -> int:
        if wanted is not None:
            try:
                if wanted.isdisjoint(Pack(path).index):
                    return 0
            except (OSError, ValueError):
                return 0  # its index is not here or damaged: `--restore` brings it back, `fsck` mends it
        home = self._store.packs.folder
        home.mkdir(exist_ok=True)
        index = path.with_suffix(INDEX_SUFFIX)
        path.rename(home / path.name)
        sync_directory(home)
        if index.exists():
            index.rename(home / index.name)
            sync_directory(home)
        return 1

    def _collections(self, before: int | None = None) -> list[Path]:
        if not self.folder.is_dir():
            return []
        dated = [folder for folder in self.folder.iterdir() if folder.name.isdecimal()]
        return sorted(folder for folder in dated if before is None or int(folder.name) < before)

    def _files(self, before: int | None = None) -> Iterator[tuple[Path, Path]]:
        for folder in self._collections(before):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208  names
                yield folder, folder / name
