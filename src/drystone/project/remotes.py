"""A project's remotes: push and pull of objects and journals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from drystone.core.errors import Corrupt, NotFound, ProjectInvalid, RemoteUnavailable
from drystone.core.ids import digest_of, short
from drystone.objects.atomic import write_atomic
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress, hash_bytes
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Bucket, Traffic
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.checking import Checker
from drystone.objects.remote.fetching import Fetched, Fetcher
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import Sender, Sent, Wanted, lacking
from drystone.objects.remote.spans import pack_key
from drystone.objects.tree import read_tree
from drystone.project import clones, configuration
from drystone.project.needs import named
from drystone.project.project import Project
from drystone.project.remote_journals import Journals

_MARKER = "drystone.json"
_TRIED = "tried.json"
_FORMAT = 1
_SHOWN = 5
_ROUNDS = 3  # a collector that runs at the same time may take away what was there a moment ago


class Pushed(NamedTuple):
    """What a push did, or under `dry_run` would do.

    Attributes:
        objects: number of objects sent, pieces of large ones and lists included.
        stored: their bytes in packs.
        journals: bytes of journals sent.
        repaired: objects and pieces of which the remote had a damaged copy and has a good one now.
    """

    remote: str
    objects: int
    stored: int
    journals: int
    repaired: int
    traffic: Traffic


class Pulled(NamedTuple):
    """What a pull brought.

    Attributes:
        objects: number of objects that came.
        journals: number of journals that grew.
        missing: what the remote did not have: id to the path that needs it.
        damaged: of what it gave other bytes than were sent: id to the path that needs it.
        parcels: names of parcels of journals that are damaged there.
        others: names of remotes that had what this one lacks or has damaged.
    """

    remote: str
    objects: int
    journals: int
    missing: dict[str, str]
    damaged: dict[str, str]
    parcels: tuple[str, ...]
    others: tuple[str, ...]
    traffic: Traffic


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
        self._others = [other for other in configuration.remotes(project.layout.root) if other != self.name]
        self.bucket: Bucket = open_bucket(address, around)
        identity = hash_bytes(f"{address.endpoint} {self.bucket.url}".encode())
        self.folder = project.layout.state / "remotes" / digest_of(identity).hex()[:16]
        self.catalogue = Catalogue(self.bucket, self.folder)
        self.pieces = Pieces(project.layout.state / "pieces", project.store)
        self.journals = Journals(self.bucket, project.layout.journals, self.folder / "journals.json")

    def push(self, progress: Progress = lambda _size: None, *, repair: bool = False) -> Pushed:
        """Sends what the lock and the ledger name and the remote lacks, then the journals.

        What was relied on is looked for once more at the end, so that a collector which ran meanwhile has
        taken nothing away.

        Args:
            progress: is told the size of each object that was dealt with.
            repair: read all that the remote holds of these, and send again what is damaged there, or what
                a directory there names and is not.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses; what was sent stays.
            NotFound: tracked content is neither here nor there; all else was sent.
            Corrupt: an object here is damaged; all other files were sent.
        """
        self.bucket.prepare()
        self._mark()
        clones.register(self.project, self.bucket, self.folder)
        self.catalogue.refresh()
        self.project.ledger.refresh()
        parcel = self.journals.pack()  # before the objects, so that those it names are sent as well
        repaired = self._repair(progress) if repair else 0
        sent, missing = Sent(0, 0), dict[str, str]()
        for _ in range(_ROUNDS):
            wanted = self._lacking(thorough=repair)
            missing = wanted.missing
            sender = Sender(self.project.store, self.bucket, self.catalogue, self.pieces, progress)
            done = sender.send(wanted)
            sent = Sent(sent.objects + done.objects, sent.stored + done.stored)
            if self._is_all_there(sender.packs):
                break
        else:
            raise RemoteUnavailable(
                f"remote `{self.name}` loses what it is sent",
                at=self.bucket.url,
                because="packs that were there are gone, again and again",
                hints=["see who collects there, and run the same command again afterwards"],
            )
        journals = 0 if parcel is None else self.journals.send(parcel)
        if missing:
            raise self._not_all_here(missing)
        return Pushed(self.name, sent.objects, sent.stored, journals, repaired, self.bucket.traffic)

    def plan(self) -> Wanted:
        """What a push would send.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses.
        """
        with suppress(NotFound):  # it is empty: all would be sent
            self.hold_to_format()
        self.catalogue.refresh()
        return self._lacking()

    def pull(self, wanted: Sequence[Entry] | None = None, progress: Progress = lambda _size: None) -> Pulled:
        """Fetches the journals, and what the lock names and is not here.

        Args:
            wanted: entries, called by their paths; None is all of the lock.
            progress: is told the size of each object that came.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses; what came is kept.
            WorkFailed: the disk is full.
        """
        self.hold_to_format()
        opened = self.journals.fetch()
        self.project.ledger.refresh()
        clones.register_reader(self.project, self.bucket, self.folder)
        self.catalogue.refresh()
        entries = list(self.project.lock().entries() if wanted is None else wanted)
        got = self.fetcher(progress).closure(entries)
        others = []
        for name in self._others if got.lacking else ():
            more = self._from_other(name, entries, progress)
            if more is not None:
                others += [name] if more.here else []
                still = (got.damaged | more.damaged) & more.lacking
                got = Fetched(got.here | more.here, more.missing, still)
        needed_by = self._needed_by(entries, got.lacking)
        missing = got.missing - got.damaged
        return Pulled(
            self.name,
            len(got.here),
            opened.grown,
            {name: needed_by[name] for name in sorted(missing, key=needed_by.__getitem__)},
            {name: needed_by[name] for name in sorted(got.damaged, key=needed_by.__getitem__)},
            opened.damaged,
            tuple(others),
            self.bucket.traffic,
        )

    def _from_other(self, name: str, entries: Sequence[Entry], progress: Progress) -> Fetched | None:
        """What another remote gave of what is not here; None if it cannot be asked."""
        with suppress(RemoteUnavailable):
            other = Remote(self.project, name)
            other.catalogue.refresh()
            return other.fetcher(progress).closure(entries)
        return None

    def pull_journals(self) -> int:
        """Fetches the journals only; gives how many grew.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses.
            Corrupt: it gives a damaged parcel.
        """
        self.hold_to_format()
        opened = self.journals.fetch()
        if opened.damaged:
            raise Corrupt(f"remote `{self.name}` gives damaged journals", at=list(opened.damaged)[:_SHOWN])
        return opened.grown

    @property
    def conditional(self) -> bool | None:
        """Whether the bucket writes a key only if nobody was first, where that is asked for.

        Found out by the first push from here, None until then. Nothing relies on it: what must be done by
        one at a time is done under a lease, which asks for no condition.
        """
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            return bool(json.loads((self.folder / _TRIED).read_bytes())["conditional"])
        return None

    def _try_condition(self, marker: bytes) -> None:
        """Write what is there already, once more: a bucket that keeps to the condition refuses."""
        if self.conditional is None:
            found = {"conditional": not self.bucket.create(_MARKER, marker)}
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / _TRIED, json.dumps(found).encode() + b"\n")

    def fetcher(self, progress: Progress = lambda _size: None) -> Fetcher:
        """Reads from the remote; the catalogue must have been refreshed."""
        return Fetcher(self.project.store, self.bucket, self.catalogue, self.pieces, progress)

    def fetch(self, names: Iterable[str]) -> frozenset[str]:
        """Brings objects here, whatever they are; gives the ids of those that came.

        Raises:
            NotFound: nothing was pushed there yet.
            RemoteUnavailable: it cannot be reached or refuses; what came is kept.
        """
        self.hold_to_format()
        clones.register_reader(self.project, self.bucket, self.folder)
        self.catalogue.refresh()
        return self.fetcher().fetch(names).here

    def _lacking(self, *, thorough: bool = False) -> Wanted:
        locked, store = self.project.lock().entries(), self.project.store
        return lacking(store, self.catalogue, locked, self._named(), thorough=thorough)

    def _named(self) -> list[Entry]:
        """What the ledger calls by a name and is here. Sizes are not known: 0."""
        has = self.project.store.has
        needs = [need for need in named(self.project) if has(need.object)]
        return [Entry(need.by, "tree" if need.tree else "file", need.object, 0) for need in needs]

    def _repair(self, progress: Progress) -> int:
        store = self.project.store
        checker = Checker(store, self.bucket, self.catalogue, progress)
        checker.restore_indexes()
        bad = checker.check([*self.project.lock().entries(), *self._named()])
        if bad.digests:
            Sender(store, self.bucket, self.catalogue, self.pieces).send(bad.wanted, bad.digests)
            checker.strike(bad)
        return len(bad.digests)

    def _is_all_there(self, sent: dict[str, int]) -> bool:
        before = self.catalogue.packs
        self.catalogue.refresh()
        if before - self.catalogue.packs:
            return False
        return all(self.bucket.size(pack_key(name)) == size for name, size in sent.items())

    def _needed_by(self, entries: Sequence[Entry], names: frozenset[str]) -> dict[str, str]:
        """A path that needs each of these objects."""
        found: dict[str, str] = {}
        pending = [(entry.name, entry) for entry in entries]
        while pending and len(found) < len(names):
            path, entry = pending.pop()
            if entry.object in names:
                found.setdefault(entry.object, path)
            elif entry.kind == "tree":
                with suppress(NotFound, Corrupt):
                    below = read_tree(self.project.store, entry.object)
                    pending += [(f"{path}/{child.name}", child) for child in below]
        return {name: found.get(name, short(name)) for name in names}

    def hold_to_format(self) -> None:
        """Looks whether the remote is in a format that is known here.

        Raises:
            NotFound: nothing was pushed there yet.
            ProjectInvalid: it is in another one.
            RemoteUnavailable: it cannot be reached or refuses.
        """
        self._mark(only_look=True)

    def _mark(self, *, only_look: bool = False) -> None:
        """Hold the remote to a format that is known here; begin an empty one."""
        data = self.bucket.get(_MARKER)
        if data is None and not only_look:
            self.bucket.create(_MARKER, json.dumps({"format": _FORMAT}).encode() + b"\n")
            data = self.bucket.get(_MARKER)  # another may have been first
        if data is None:
            raise NotFound(
                f"nothing was pushed to remote `{self.name}` yet",
                at=self.bucket.url,
                hints=[f"push from where the data is with `drystone push {self.name}`"],
            )
        try:
            found = json.loads(data)["format"]
        except (ValueError, KeyError, TypeError):
            found = None
        if found != _FORMAT:
            raise ProjectInvalid(
                f"remote `{self.name}` is in format {found!r}, known here is {_FORMAT}",
                at=f"{self.bucket.url.rstrip('/')}/{_MARKER}",
                hints=["update with `pip install --upgrade drystone`"],
            )
        if not only_look:
            self._try_condition(data)

    def _not_all_here(self, missing: dict[str, str]) -> NotFound:
        return NotFound(
            f"{len(missing):,} tracked contents are neither here nor on remote `{self.name}`",
            at=[
                *map(printable, list(missing.values())[:_SHOWN]),
                *(["..."] if len(missing) > _SHOWN else []),
            ],
            because="everything else was sent",
            hints=["push from where they were added, or make what steps write again with `drystone run`"],
        )
