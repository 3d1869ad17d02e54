"""Packs on their way to a remote: their indexes, kept here until they count there.

A pack counts once its index is on the remote. If a push ends before that, the next one may pack what is
left otherwise, and would send again what has arrived. So it asks first for the packs that are noted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drystone.core.errors import DrystoneError
from drystone.objects.atomic import write_atomic
from drystone.objects.pack import PackIndex
from drystone.objects.remote.bucket import Item

_NAME = re.compile(r"[0-9a-f]{64}\.index")
_TRUSTED = timedelta(days=1)


class Begun:
    """The packs that are noted.

    Args:
        folder: where; all in it may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, name: str, index: bytes) -> None:
        """Keep the index of a pack that is about to be sent."""
        with suppress(OSError, DrystoneError):  # then it may be sent twice
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / f"{name}.index", index)

    def forget(self, name: str) -> None:
        """It counts there, or never will."""
        with suppress(OSError):
            (self._folder / f"{name}.index").unlink(missing_ok=True)

    def __iter__(self) -> Iterator[tuple[str, bytes, int]]:
        """The name of each pack, its index and its size."""
        for path in sorted(self._folder.glob("*.index")):
            with suppress(OSError, ValueError):
                if not _NAME.fullmatch(path.name):
                    continue
                data = path.read_bytes()
                index = PackIndex(data)
                if index.pack.hex() == path.stem:
                    size = max((place.offset + place.stored for _, place in index.items()), default=0)
                    yield path.stem, data, size


def is_whole(left: Item | None, size: int) -> bool:
    """Whether a pack without an index that an interrupted push left may be used: all of it, and no old one.

    An older one may be collected at any time.
    """
    return left is not None and left.size == size and datetime.now(UTC) - left.modified < _TRUSTED
