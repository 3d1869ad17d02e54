"""What a remote holds: the indexes of its packs, fetched once and kept beside the store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import DrystoneError
from drystone.objects.atomic import write_atomic
from drystone.objects.pack import PackIndex, Place
from drystone.objects.remote.bucket import Bucket

_AT_ONCE = 8


class Held(NamedTuple):
    """Where a remote holds an object: the pack's name (64 hex digits) and the place in it."""

    pack: str
    place: Place


class Catalogue:
    """The indexes of a remote.

    Args:
        bucket: the remote.
        folder: where its indexes are kept; all in it can be fetched again.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._indexes: dict[str, PackIndex] = {}
        self._last = ""

    def refresh(self) -> None:
        """Learn of packs that came or went.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        names = {
            item.key.removeprefix("indexes/").removesuffix(".index") for item in self._bucket.list("indexes/")
        }
        for gone in self._indexes.keys() - names:
            del self._indexes[gone]
        lacking = sorted(name for name in names - self._indexes.keys() if not self._load(name))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._fetch, lacking))

    def learn(self, name: str, data: bytes) -> None:
        """Take note of a pack that was just sent."""
        self._keep(name, data)
        self._indexes[name] = PackIndex(data)

    def find(self, digest: bytes) -> Held | None:
        """Where the remote holds an object, as of the last refresh."""
        last = self._indexes.get(self._last)
        if last is not None and (place := last.find(digest)):
            return Held(self._last, place)
        for name, index in self._indexes.items():
            if place := index.find(digest):
                self._last = name
                return Held(name, place)
        return None

    def entries(self, pack: str) -> Iterator[tuple[bytes, Place]]:
        """All objects of a pack."""
        return self._indexes[pack].items()

    def __iter__(self) -> Iterator[bytes]:
        """The digests of all that is there, pieces of large objects too."""
        for index in self._indexes.values():
            yield from index

    def __len__(self) -> int:
        return sum(len(index) for index in self._indexes.values())

    def _load(self, name: str) -> bool:
        with suppress(OSError, ValueError):
            self._indexes[name] = _checked(name, self._folder.joinpath(f"{name}.index").read_bytes())
            return True
        return False

    def _fetch(self, name: str) -> None:
        data = self._bucket.get(f"indexes/{name}.index")
        if data is None:
            return  # collected since it was listed
        with suppress(ValueError):  # a damaged index: what only it tells of is not here, and is sent again
            self._indexes[name] = _checked(name, data)
            self._keep(name, data)

    def _keep(self, name: str, data: bytes) -> None:
        with suppress(OSError, DrystoneError):  # it is fetched anew next time
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / f"{name}.index", data)


def _checked(name: str, data: bytes) -> PackIndex:
    index = PackIndex(data)
    if index.pack.hex() != name:
        raise ValueError("it is another pack's")
    return index
