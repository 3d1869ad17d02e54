"""A project's remotes: push and pull of objects and journals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt, NotFound, ProjectInvalid
from drystone.core.ids import digest_of
from drystone.ledger.travel import Piece, parcel, take_in, unpack
from drystone.objects.atomic import write_atomic
from drystone.objects.hashing import hash_bytes
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Bucket, Traffic
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.fetching import Fetcher
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import Sender, lacking
from drystone.project import configuration, roots
from drystone.project.project import Project

_MARKER = "drystone.json"
_FORMAT = 1
_SHOWN = 5

Progress = Callable[[int], None]


class Pushed(NamedTuple):
    """What a push did: objects and their bytes in packs, bytes of journals, all traffic."""

    remote: str
    objects: int
    stored: int
    journals: int
    traffic: Traffic


class Pulled(NamedTuple):
    """What a pull brought: objects, journals that grew, what the remote did not have, all traffic."""

    remote: str
    objects: int
    journals: int
    missing: tuple[str, ...]
    traffic: Traffic


class _Journals(msgspec.Struct, frozen=True):
    """What this copy knows of the remote's journals; forgetting it costs time only.

    Attributes:
        ends: up to where each journal is on the remote.
        parcels: names of those that were sent or opened.
    """

    ends: dict[str, int] = {}
    parcels: tuple[str, ...] = ()


def address_of(project: Project, name: str | None) -> Address:
    """The address of a remote in the project's settings; the first one's if no name is given.

    Raises:
        NotFound: there is no such remote.
        ProjectInvalid: the settings cannot be understood.
    """
    found = configuration.remotes(project.layout.root)
    chosen = configuration.choose(found, name)
    return Address(chosen, **found[chosen])


class Remote:
    """One remote of a project, open.

    Args:
        project: whose.
        remote: its name in the settings, its address, or None for the first one.

    Raises:
        NotFound: there is no such remote.
        ProjectInvalid: its settings cannot be.
    """

    def __init__(self, project: Project, remote: str | Address | None = None) -> None:
        address = remote if isinstance(remote, Address) else address_of(project, remote)
        settings = project.settings
        around = Surroundings(settings.environ, settings.home, project.layout.root)
        self.project = project
        self.name = address.name
        self.bucket: Bucket = open_bucket(address, around)
        identity = hash_bytes(f"{address.endpoint} {self.bucket.url}".encode())
        self.folder = project.layout.state / "remotes" / digest_of(identity).hex()[:16]
        self.catalogue = Catalogue(self.bucket, self.folder)
        self.pieces = Pieces(project.layout.state / "pieces", project.store)

    def push(self, progress: Progress = lambda _size: None) -> Pushed:
        """Sends what the lock and the ledger name and the remote lacks, then the journals.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses; what was sent stays.
            NotFound: tracked content is neither here nor there; all else was sent.
            Corrupt: an object here is damaged; it was not sent.
        """
        self._mark()
        self.catalogue.refresh()
        store = self.project.store
        lock = self.project.lock()
        named = [entry for entry in roots.of_ledger(self.project.ledger) if store.has(entry.object)]
        wanted = lacking(store, self.catalogue, [*roots.of_lock(lock), *named])
        sent = Sender(store, self.bucket, self.catalogue, self.pieces, progress).send(wanted)
        journals = self._push_journals()
        if wanted.missing:
            raise NotFound(
                f"{len(wanted.missing)} tracked contents are neither here nor on remote `{self.name}`",
                at=[
                    *list(wanted.missing.values())[:_SHOWN],
                    *(["..."] if len(wanted.missing) > _SHOWN else []),
                ],
                because="everything else was sent",
                hints=["push from where they were added, or make what steps write again with `drystone run`"],
            )
        return Pushed(self.name, sent.objects, sent.stored, journals, self.bucket.traffic)

    def pull(self, paths: Sequence[str] = (), progress: Progress = lambda _size: None) -> Pulled:
        """Fetches the journals, and what the lock names and is not here.

        Args:
            paths: tracked paths; all where none is given.
            progress: is told the size of each object that came.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses; what came is kept.
            WorkFailed: the disk is full.
        """
        self._mark(only_look=True)
        self.catalogue.refresh()
        journals = self._pull_journals()
        lock = self.project.lock()
        entries = [entry for entry in roots.of_lock(lock) if not paths or entry.name in paths]
        got = self.fetcher(progress).closure(entries)
        missing = tuple(sorted(got.missing))
        return Pulled(self.name, len(got.here), journals, missing, self.bucket.traffic)

    def pull_journals(self) -> int:
        """Fetches the journals only; gives how many grew.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses.
            Corrupt: it gives a damaged parcel.
        """
        self._mark(only_look=True)
        return self._pull_journals()

    def fetcher(self, progress: Progress = lambda _size: None) -> Fetcher:
        """Reads from the remote; the catalogue must have been refreshed."""
        return Fetcher(self.project.store, self.bucket, self.catalogue, self.pieces, progress)

    def _mark(self, *, only_look: bool = False) -> None:
        """Hold the remote to a format that is known here; begin an empty one."""
        data = self.bucket.get(_MARKER)
        if data is None:
            if not only_look:
                self.bucket.create(_MARKER, json.dumps({"format": _FORMAT}).encode() + b"\n")
            return
        try:
            found = json.loads(data)["format"]
        except (ValueError, KeyError, TypeError):
            found = None
        if found != _FORMAT:
            raise ProjectInvalid(
                f"remote `{self.name}` is in format {found!r}, known here is {_FORMAT}",
                at=f"{self.bucket.url}/{_MARKER}",
                hints=["update with `pip install --upgrade drystone`"],
            )

    def _push_journals(self) -> int:
        before = self._journals()
        self.project.ledger.refresh()
        packed = parcel(self.project.layout.journals, before.ends)
        if packed is None:
            return 0
        data, ends = packed
        name = digest_of(hash_bytes(data)).hex()
        self.bucket.put(f"journals/{name}", data)
        self.bucket.settle()
        self._remember(_Journals(ends, (*before.parcels, name)))
        return len(data)

    def _pull_journals(self) -> int:
        before = self._journals()
        names = [item.key.removeprefix("journals/") for item in self.bucket.list("journals/")]
        fresh = [name for name in names if name not in set(before.parcels)]
        pieces: list[Piece] = []
        for name in fresh:
            data = self.bucket.get(f"journals/{name}")
            if data is None:
                continue
            if digest_of(hash_bytes(data)).hex() != name:
                raise Corrupt(
                    f"remote `{self.name}` gives a damaged parcel of journals",
                    at=f"{self.bucket.url}/journals/{name}",
                )
            pieces += unpack(data)
        if not pieces:
            return 0
        grown, waiting = take_in(self.project.layout.journals, pieces)
        if not waiting:  # else the parcel in between is still to come, and these are opened again
            self._remember(_Journals({**before.ends, **grown}, (*before.parcels, *fresh)))
        self.project.ledger.refresh()
        return len(grown)

    def _journals(self) -> _Journals:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self.folder.joinpath("journals.json").read_bytes(), type=_Journals)
        return _Journals()

    def _remember(self, journals: _Journals) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / "journals.json", msgspec.json.encode(journals))
