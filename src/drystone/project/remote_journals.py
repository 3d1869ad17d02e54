"""The journals of a project on a remote: what is new here goes there in one parcel, and the other way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt
from drystone.core.ids import digest_of
from drystone.ledger.travel import Piece, parcel, take_in, unpack
from drystone.objects.atomic import explained, write_atomic
from drystone.objects.hashing import hash_bytes
from drystone.objects.remote.bucket import Bucket

_AT_ONCE = 8
_PREFIX = "journals/"


class Parcel(NamedTuple):
    """What is to be sent, and up to where each journal is on the remote then."""

    data: bytes
    ends: dict[str, int]


class Opened(NamedTuple):
    """What came: number of journals that grew, names of damaged parcels, journals kept aside."""

    grown: int
    damaged: tuple[str, ...]
    aside: tuple[str, ...]


class _Known(msgspec.Struct, frozen=True):
    """What this copy knows of the remote's journals; forgetting it costs time only.

    Attributes:
        ends: up to where each journal is on the remote.
        parcels: names of those that were sent or opened.
    """

    ends: dict[str, int] = {}
    parcels: tuple[str, ...] = ()


class Journals:
    """The journals of one project and one remote.

    Args:
        bucket: the remote.
        folder: of the journals here.
        notes: the file in which is kept what was sent and opened.
    """

    def __init__(self, bucket: Bucket, folder: Path, notes: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._notes = notes

    def pack(self, *, everything: bool = False) -> Parcel | None:
        """What the journals hold now and the remote does not, or all that they hold; None if nothing."""
        packed = parcel(self._folder, {} if everything else self._known().ends)
        return None if packed is None else Parcel(*packed)

    def send(self, packed: Parcel, *, instead_of: frozenset[str] = frozenset()) -> int:
        """Sends a parcel; the number of its bytes.

        Args:
            packed: the parcel.
            instead_of: names of parcels that hold nothing that this one does not; they are deleted.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        name = digest_of(hash_bytes(packed.data)).hex()
        self._bucket.put(f"{_PREFIX}{name}", packed.data)
        self._bucket.settle()
        self._bucket.delete([f"{_PREFIX}{gone}" for gone in sorted(instead_of - {name})])
        self._remember(packed.ends, (name,), instead_of)
        return len(packed.data)

    def lost(self) -> frozenset[str]:
        """Names of parcels that were sent from here, or taken in, and are damaged there or gone.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        known = self._known().parcels
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = zip(known, pool.map(self._get, known), strict=True)
            return frozenset(name for name, data in found if _opened(name, data) is None)

    def fetch(self) -> Opened:
        """Takes in what is new on the remote.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
            WorkFailed: the disk is full.
        """
        pieces, opened, damaged = self._fresh()
        try:
            taken = take_in(self._folder, pieces)
        except OSError as error:
            raise explained(error, "the record of runs cannot be written", self._folder) from error
        if not taken.waiting:  # else the parcel in between is still to come, and these are opened again
            self._remember(taken.ends, tuple(opened))
        return Opened(len(taken.ends) + len(taken.aside), tuple(damaged), taken.aside)

    def foresee(self) -> Opened:
        """What `fetch` would take in; which journals it would keep aside is not found out.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        pieces, _, damaged = self._fresh()
        ends: dict[str, int] = {}
        for piece in pieces:
            ends[piece.journal] = max(ends.get(piece.journal, 0), piece.offset + len(piece.data))
        grown = [name for name, end in ends.items() if end > _size(self._folder / name)]
        return Opened(len(grown), tuple(damaged), ())

    def _fresh(self) -> tuple[list[Piece], list[str], list[str]]:
        """What is new on the remote: the pieces, and the names of parcels that are whole or damaged."""
        known = set(self._known().parcels)
        names = [item.key.removeprefix(_PREFIX) for item in self._bucket.list(_PREFIX)]
        fresh = [name for name in names if name not in known]
        pieces: list[Piece] = []
        opened: list[str] = []
        damaged: list[str] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, data in zip(fresh, pool.map(self._get, fresh), strict=True):
                found = _opened(name, data)
                if found is None:
                    damaged.append(name)
                else:
                    pieces += found
                    opened.append(name)
        return pieces, opened, damaged

    def _get(self, name: str) -> bytes:
        return self._bucket.get(f"{_PREFIX}{name}") or b""

    def _known(self) -> _Known:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._notes.read_bytes(), type=_Known)
        return _Known()

    def _remember(
        self, ends: dict[str, int], parcels: tuple[str, ...], gone: frozenset[str] = frozenset()
    ) -> None:
        before = self._known()
        kept = (name for name in before.parcels if name not in gone)
        longest = {name: max(end, before.ends.get(name, 0)) for name, end in ends.items()}
        now = _Known({**before.ends, **longest}, tuple(dict.fromkeys((*kept, *parcels))))
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._notes, msgspec.json.encode(now))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _opened(name: str, data: bytes) -> list[Piece] | None:
    """The pieces of a parcel, None if it is not what its name says."""
    if digest_of(hash_bytes(data)).hex() != name:
        return None
    try:
        return list(unpack(data))
    except Corrupt:
        return None
