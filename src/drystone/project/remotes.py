"""A project's remotes: push and pull of objects and journals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from drystone.core.errors import Corrupt, DrystoneError, NotFound, ProjectInvalid, RemoteUnavailable
from drystone.core.ids import digest_of, short
from drystone.objects.atomic import write_atomic
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress, hash_bytes
from drystone.objects.lists import settle
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Bucket, Traffic
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.checking import Checker
from drystone.objects.remote.fetching import Fetched, Fetcher
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import Sender, Sent, Wanted, index_key, lacking, resume
from drystone.objects.remote.spans import pack_key
from drystone.objects.remote.surveying import Surveyor
from drystone.objects.tree import read_tree
from drystone.project import clones, configuration, marker
from drystone.project.needs import locked, named
from drystone.project.project import Project
from drystone.project.remote_journals import Journals, Opened

_TRIED = "tried.json"
_UNUSABLE = (NotFound, ProjectInvalid, RemoteUnavailable)  # then another remote may give it
_SHOWN = 5
_ROUNDS = 3  # a collector that runs at the same time may take away what was there a moment ago


class Pushed(NamedTuple):
    """What a push did, or under `dry_run` would do.

    Attributes:
        objects: number of objects sent, pieces of large ones and lists included.
        stored: their bytes in packs.
        journals: bytes of journals sent.
        repaired: objects, pieces and indexes, and the marker, that were damaged there, or gone, and are
            whole now.
    """

    remote: str
    objects: int
    stored: int
    journals: int
    repaired: int
    traffic: Traffic


class Pulled(NamedTuple):
    """What a pull brought, or under a dry run would bring.

    Attributes:
        objects: number of objects that came.
        journals: number of journals that grew.
        missing: what the remote did not have: id to the path that needs it.
        damaged: of what it gave other bytes than were sent: id to the path that needs it.
        parcels: names of parcels of journals that are damaged there.
        others: names of remotes that had what this one lacks or has damaged.
        indexes: keys of indexes that are damaged or not there, looked for if something is missing.
        unusable: why nothing could be asked of this remote, "" if it could.
        size: bytes of the objects that came.
    """

    remote: str
    objects: int
    journals: int
    missing: dict[str, str]
    damaged: dict[str, str]
    parcels: tuple[str, ...]
    others: tuple[str, ...]
    traffic: Traffic
    indexes: tuple[str, ...] = ()
    unusable: str = ""
    size: int = 0


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
        self.catalogue = Catalogue(self.bucket, self.folder, read_only=settings.dry_run)
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
        mark, mended = marker.begin(self.bucket, mend=repair)
        self._try_condition(mark)
        clones.register(self.project, self.bucket, self.folder)
        self.catalogue.refresh(anew=repair)
        if not repair:
            resume(self.bucket, self.catalogue)
        self.project.ledger.refresh()
        lost = self.journals.lost() if repair else frozenset()
        parcel = self.journals.pack(everything=bool(lost))  # first, so that the objects it names are sent
        repaired = self._repair(progress) + mended if repair else 0
        sent, missing = Sent(0, 0), dict[str, str]()
        for _ in range(_ROUNDS):
            wanted = self._lacking(thorough=repair)
            missing = wanted.missing
            sender = self._sender(progress, anew=repair)
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
        journals = 0 if parcel is None else self.journals.send(parcel, instead_of=lost)
        if missing:
            raise self._not_all_here(missing)
        return Pushed(self.name, sent.objects, sent.stored, journals, repaired, self.bucket.traffic)

    def plan(self) -> Wanted:
        """What a push would send.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses.
        """
        with suppress(NotFound):  # it is empty: all would be sent
            marker.look(self.bucket)
        self.catalogue.refresh()
        return self._lacking()

    def pull(self, wanted: Sequence[Entry] | None = None, progress: Progress = lambda _size: None) -> Pulled:
        """Fetches the journals, and what the lock names and is not here; under a dry run only tells.

        Args:
            wanted: entries, called by their paths; None is all of the lock.
            progress: is told the size of each object that came.

        What it lacks, or has damaged, the other remotes are asked for; for everything, if it cannot be used.

        Raises:
            NotFound, ProjectInvalid, RemoteUnavailable: it cannot be used, and the others have not all of it;
                what came is kept.
            WorkFailed: the disk is full.
        """
        entries = list(self.project.lock().entries() if wanted is None else wanted)
        opened: Opened | None = None
        got: Fetched | None = None
        bad, gave, size = dict[str, DrystoneError](), list[str](), 0
        surveyor = Surveyor(self.project.store) if self.project.settings.dry_run else None
        for name in (self.name, *self._others):
            try:
                remote = self if name == self.name else Remote(self.project, name)
                marker.look(remote.bucket)
                if surveyor is None:
                    opened = opened or remote._take_in_journals()
                    clones.register_reader(self.project, remote.bucket, remote.folder)
                    remote.catalogue.refresh()
                    more = remote.fetcher(progress).closure(entries)
                else:
                    opened = opened or remote.journals.foresee()
                    remote.catalogue.refresh()
                    more = surveyor.closure(entries, remote.catalogue, remote.fetcher())
            except _UNUSABLE as error:
                bad[name] = error
                continue
            came = more.here - (got.here if got is not None else frozenset())
            gave += [name] if came else []
            size += sum(remote.catalogue.size(digest_of(one)) for one in came)
            damaged = more.damaged if got is None else (got.damaged | more.damaged) & more.lacking
            here = came if got is None else got.here | came
            got = Fetched(here, more.missing - here, damaged - here)
            if not got.lacking:
                break
        if got is None or opened is None or (self.name in bad and got.lacking):
            raise self._nowhere(bad, 0 if got is None else len(got.lacking))
        needed_by = self._needed_by(entries, got.lacking)
        missing = got.missing - got.damaged
        return Pulled(
            self.name,
            len(got.here),
            opened.grown,
            {name: needed_by[name] for name in sorted(missing, key=needed_by.__getitem__)},
            {name: needed_by[name] for name in sorted(got.damaged, key=needed_by.__getitem__)},
            opened.damaged,
            tuple(name for name in gave if name != self.name),
            self.bucket.traffic,
            tuple(map(index_key, self.catalogue.unreadable())) if got.lacking else (),
            bad[self.name].message if self.name in bad else "",
            size,
        )

    def _take_in_journals(self) -> Opened:
        opened = self.journals.fetch()
        self.project.ledger.refresh()
        return opened

    def _nowhere(self, bad: dict[str, DrystoneError], lacking: int) -> DrystoneError:
        """The error of this remote, with what the others had to say."""
        error, others = bad[self.name], [name for name in self._others if name not in bad]
        because = [*error.because, *(bad[name].message for name in bad if name != self.name)]
        if others:
            names = ", ".join(f"`{name}`" for name in others)
            because.append(f"{lacking:,} objects are not on remote {names} either, or damaged there")
        return type(error)(error.message, at=error.at, because=because, hints=error.hints)

    def pull_journals(self) -> int:
        """Fetches the journals only; gives how many grew.

        Raises:
            RemoteUnavailable: it cannot be reached or refuses.
            Corrupt: it gives a damaged parcel.
        """
        marker.look(self.bucket)
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

    def _try_condition(self, mark: bytes) -> None:
        """Write what is there already, once more: a bucket that keeps to the condition refuses."""
        if self.conditional is None:
            found = {"conditional": not self.bucket.create(marker.MARKER, mark)}
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / _TRIED, json.dumps(found).encode() + b"\n")

    def fetcher(self, progress: Progress = lambda _size: None) -> Fetcher:
        """Reads from the remote; the catalogue must have been refreshed."""
        return Fetcher(self.project.store, self.bucket, self.catalogue, self.pieces, progress)

    def fetch(self, names: Iterable[str]) -> frozenset[str]:
        """Brings objects here, whatever they are; gives the ids of those that came.

        A list of a directory of which something lacks lies apart.

        Raises:
            NotFound: nothing was pushed there yet.
            RemoteUnavailable: it cannot be reached or refuses; what came is kept.
        """
        marker.look(self.bucket)
        clones.register_reader(self.project, self.bucket, self.folder)
        self.catalogue.refresh()
        lists: dict[str, bytes] = {}
        got = self.fetcher().fetch(names, lists=lists)
        settle(self.project.store, lists, distrusting=True)
        return got.here

    def known(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the objects that the remote says it holds; nothing is fetched.

        Raises:
            NotFound, RemoteUnavailable: as `fetch`.
        """
        marker.look(self.bucket)
        self.catalogue.refresh()
        return frozenset(name for name in names if self.catalogue.find(digest_of(name)) is not None)

    def _lacking(self, *, thorough: bool = False) -> Wanted:
        locked, store = self.project.lock().entries(), self.project.store
        return lacking(store, self.catalogue, locked, self._named(), thorough=thorough)

    def _named(self) -> list[Entry]:
        """What the ledger calls by a name and is here. Sizes are not known: 0."""
        has = self.project.store.has
        needs = [need for need in named(self.project) if has(need.object)]
        return [Entry(need.by, "tree" if need.tree else "file", need.object, 0) for need in needs]

    def _repair(self, progress: Progress) -> int:
        """Mends indexes, then what of the content that is here is not there as it should be."""
        checker = Checker(self.project.store, self.bucket, self.catalogue, progress)
        mended = checker.restore_indexes()
        bad = checker.check(self._ever_needed())
        if bad.digests:
            sender = self._sender(anew=True)
            sender.send(bad.wanted, bad.digests)
            checker.strike(bad, sender.packs)
        return len(bad.digests) + len(mended)

    def _sender(self, progress: Progress = lambda _size: None, *, anew: bool = False) -> Sender:
        return Sender(self.project.store, self.bucket, self.catalogue, self.pieces, progress, anew=anew)

    def _ever_needed(self) -> list[Entry]:
        """What the lock names, now and at all commits, and what the ledger does. Sizes are not known: 0."""
        needs = [need for need in (*locked(self.project), *named(self.project)) if need.tree is not None]
        return [Entry(need.by, "tree" if need.tree else "file", need.object, 0) for need in needs]

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
