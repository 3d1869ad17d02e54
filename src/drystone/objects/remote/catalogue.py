"""What a remote holds: the indexes of its packs, fetched once and kept beside the store."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import DrystoneError
from drystone.objects.atomic import write_atomic
from drystone.objects.pack import CHUNKS, LARGEST, PackIndex, Place
from drystone.objects.remote.begun import Begun
from drystone.objects.remote.bucket import Bucket

_AT_ONCE = 8
_FEW = 4  # indexes that are searched faster than sieved
_FARTHEST = 1 << 40
_KEY = re.compile(r"indexes/([0-9a-f]{64})\.index")
_TRASHED = re.compile(r"trash/([0-9a-f]{64})\.index")
_PACK = re.compile(r"packs/[0-9a-f]{2}/([0-9a-f]{64})\.pack")


class Held(NamedTuple):
    """Where a remote holds an object: the pack's name (64 hex digits) and the place in it."""

    pack: str
    place: Place


class Catalogue:
    """The indexes of a remote. Threads may ask while others tell of packs.

    Args:
        bucket: the remote.
        folder: where its indexes are kept; all in it can be fetched again.
        read_only: leave that folder as it is.

    Attributes:
        begun: packs that were on their way there from here, and do not count yet as far as we know.
        damaged: names of packs whose index the remote gives damaged; what they hold counts as not there.
    """

    def __init__(self, bucket: Bucket, folder: Path, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self._bucket = bucket
        self._folder = folder
        self._guard = threading.Lock()
        self._indexes: dict[str, PackIndex] = {}
        self._last = ""
        self._sieve: Sieve | None = None
        self.damaged: frozenset[str] = frozenset()
        self.begun = Begun(folder / "sending")

    def refresh(self, *, anew: bool = False) -> None:
        """Learn of packs that came or went, and of indexes that have another length than what is kept.

        Args:
            anew: fetch every index: one may be damaged there that is kept here whole.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        found = ((_KEY.fullmatch(item.key), item.size) for item in self._bucket.list("indexes/"))
        names = {match[1]: size for match, size in found if match}
        known: dict[str, PackIndex] = {}
        for name, size in names.items() if not anew else ():
            kept = self._indexes.get(name) or self._load(name)
            if kept is not None and kept.size == size:
                known[name] = kept
        lacking = sorted(names.keys() - known.keys())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            fetched = dict(zip(lacking, pool.map(self._fetch, lacking), strict=True))
        self.damaged = frozenset(name for name, index in fetched.items() if index is False)
        for name, index in fetched.items():
            if isinstance(index, PackIndex):
                known[name] = index
        self._forget(names.keys())
        with self._guard:
            self._indexes, self._sieve = known, None

    def learn(self, name: str, data: bytes) -> None:
        """Take note of a pack that was just sent."""
        self._keep(name, data)
        self.begun.forget(name)
        index = PackIndex(data)
        with self._guard:  # others may be searching: what they search is never changed
            self._indexes = {**self._indexes, name: index}
            if self._sieve is not None:
                self._sieve.add(index)

    def find(self, digest: bytes) -> Held | None:
        """Where the remote holds an object, as of the last refresh."""
        last, indexes = self._last, self._indexes
        if last in indexes and (place := _sound(indexes[last].find(digest))):
            return Held(last, place)
        if not self._perhaps(digest):
            return None
        for name, index in indexes.items():
            if place := _sound(index.find(digest)):
                self._last = name
                return Held(name, place)
        return None

    def size(self, digest: bytes) -> int:
        """Bytes of an object, 0 where the remote does not hold it."""
        held = self.find(digest)
        return 0 if held is None else held.place.size

    def find_all(self, digest: bytes) -> Iterator[Held]:
        """All places where the remote holds an object."""
        for name, index in self._indexes.items():
            if place := _sound(index.find(digest)):
                yield Held(name, place)

    def without_index(self) -> list[str]:
        """Names of packs that have no index, in `indexes/` or in the trash: it was lost, or never sent.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        has: set[str] = set()
        for prefix, pattern in (("indexes/", _KEY), ("trash/", _TRASHED)):
            found = (pattern.fullmatch(item.key) for item in self._bucket.list(prefix))
            has |= {match[1] for match in found if match}
        packs = (_PACK.fullmatch(item.key) for item in self._bucket.list("packs/"))
        return sorted(match[1] for match in packs if match and match[1] not in has)

    def unreadable(self) -> list[str]:
        """Names of packs whose index is damaged, as of the last refresh, or not there.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        return sorted({*self.damaged, *self.without_index()})

    @property
    def packs(self) -> frozenset[str]:
        """Names of all packs that count."""
        return frozenset(self._indexes)

    def entries(self, pack: str) -> Iterator[tuple[bytes, Place]]:
        """All objects of a pack."""
        return self._indexes[pack].items()

    def __iter__(self) -> Iterator[bytes]:
        """The digests of all that is there, pieces of large objects too."""
        for index in self._indexes.values():
            yield from index

    def __len__(self) -> int:
        return sum(len(index) for index in self._indexes.values())

    def _perhaps(self, digest: bytes) -> bool:
        if len(self._indexes) < _FEW:
            return True
        with self._guard:
            if self._sieve is None:
                self._sieve = Sieve()
                for index in self._indexes.values():
                    self._sieve.add(index)
            return digest in self._sieve

    def _load(self, name: str) -> PackIndex | None:
        with suppress(OSError, ValueError):
            return _checked(name, self._folder.joinpath(f"{name}.index").read_bytes())
        return None

    def _fetch(self, name: str) -> PackIndex | bool:
        """The index of a pack; True where it was collected since it was listed, False if it is damaged."""
        data = self._bucket.get(f"indexes/{name}.index")
        if data is None:
            return True
        try:
            index = _checked(name, data)
        except ValueError:
            return False
        self._keep(name, data)
        return index

    def _keep(self, name: str, data: bytes) -> None:
        if self._read_only:
            return
        with suppress(OSError, DrystoneError):  # it is fetched anew next time
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / f"{name}.index", data)

    def _forget(self, names: Set[str]) -> None:
        """Remove what is kept of packs that are gone."""
        if self._read_only:
            return
        with suppress(OSError):
            for path in self._folder.glob("*.index"):
                if path.stem not in names:
                    path.unlink(missing_ok=True)


class Sieve:
    """Tells of most objects that no index has them, without searching each: one bit for 24 of a hash."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << 21)

    def add(self, index: PackIndex) -> None:
        """Take in the hashes of an index."""
        bits = self._bits
        for digest in index:
            bits[digest[0] << 13 | digest[1] << 5 | digest[2] >> 3] |= 1 << (digest[2] & 7)

    def __contains__(self, digest: bytes) -> bool:
        byte = self._bits[digest[0] << 13 | digest[1] << 5 | digest[2] >> 3]
        return bool(byte >> (digest[2] & 7) & 1)


def _sound(place: Place | None) -> Place | None:
    """A place that can be; an index comes from elsewhere and may say anything."""
    if place is None or place.stored > LARGEST or place.encoding > CHUNKS or place.offset > _FARTHEST:
        return None
    return None if place.encoding != CHUNKS and place.size > LARGEST else place


def _checked(name: str, data: bytes) -> PackIndex:
    index = PackIndex(data)
    if index.pack.hex() != name:
        raise ValueError("it is another pack's")
    return index
