"""Where the bytes of objects come from: local stores first, then one remote after another.

Large objects are read in pieces, and each piece is hashed when it is read, here as from a remote: to hash
a whole file before its first byte is handed out would cost the more the less of it is wanted, and would
say nothing about what the disk gives later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from blake3 import blake3

from drystone.core.errors import Conflict, Corrupt, DrystoneError, NotFound, RemoteUnavailable
from drystone.core.ids import digest_of, name_of, short
from drystone.objects.atomic import explained
from drystone.objects.entry import Entry, decode
from drystone.objects.hashing import SMALL, Progress, hash_bytes
from drystone.objects.lists import settle
from drystone.objects.pack import Chunk
from drystone.objects.remote.address import Address
from drystone.objects.remote.bucket import Traffic
from drystone.objects.remote.chunks import cut
from drystone.objects.remote.fetching import lies
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import index_key
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk
from drystone.project.project import Project
from drystone.project.remotes import Remote

_SHOWN = 5
#: What makes us turn to the next source.
Failure = (NotFound, Corrupt, RemoteUnavailable)


class Source(Protocol):
    """Gives objects in pieces."""

    def chunks(self, name: str) -> list[Chunk] | None:
        """The pieces of an object in order; None where it is not."""

    def read(self, name: str, start: int, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """Neighbouring pieces of an object, the first of which begins at `start`; each verified."""

    def names(self) -> Iterator[str]:
        """The ids of all objects."""


class View(NamedTuple):
    """An object as one source has it: its pieces, and where each begins, with the end of the last."""

    source: Source
    chunks: list[Chunk]
    starts: list[int]


class Local:
    """A store of this machine.

    Args:
        store: where the objects are.
        pieces: remembers of which pieces large ones consist.
    """

    def __init__(self, store: ObjectStore, pieces: Pieces) -> None:
        self.store = store
        self._pieces = pieces

    def chunks(self, name: str) -> list[Chunk] | None:
        """As of any source.

        Raises:
            Corrupt: it is damaged; it is in quarantine now.
        """
        if not self.store.has(name):
            with suppress(NotFound, Corrupt):  # it may be a list that lies apart
                return [Chunk(digest_of(name), len(self.store.read(name)))]
            return None
        digest, size = digest_of(name), self.store.size(name)
        if size <= SMALL or not self.store.loose.path(name).is_file():
            return [Chunk(digest, size)]
        known = self._pieces.recall(digest)
        if known is not None and sum(chunk.size for chunk in known) == size:
            return known
        return self._cut(name)

    def read(self, name: str, start: int, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """As of any source.

        Raises:
            Corrupt: a piece is damaged; if the object is, it is in quarantine now.
            NotFound: it is gone meanwhile.
        """
        if [chunk.digest for chunk in chunks] == [digest_of(name)]:
            yield self.store.read(name)
            return
        try:
            with self.store.open_unverified(name) as file:
                file.seek(start)
                for chunk in chunks:
                    data = file.read(chunk.size)
                    if blake3(data).digest() != chunk.digest:
                        raise self._damaged(name)
                    yield data
        except OSError as error:
            raise explained(error, f"object `{short(name)}` cannot be read", self.store.root) from error

    def names(self) -> Iterator[str]:
        """All objects of the store."""
        return iter(self.store)

    def _cut(self, name: str) -> list[Chunk]:
        """Hashes an object once, whole and in pieces; whoever pushes it later is spared that."""
        hasher = blake3()
        chunks = []
        try:
            with self.store.open_unverified(name) as file:
                for piece in cut(file):
                    hasher.update(piece)
                    chunks.append(Chunk(blake3(piece).digest(), len(piece)))
        except OSError as error:
            raise explained(error, f"object `{short(name)}` cannot be read", self.store.root) from error
        if hasher.digest() != digest_of(name):
            self.store.verify(name)  # says what is wrong
            raise Conflict(f"object `{short(name)}` changed while it was read")
        self._pieces.remember(digest_of(name), chunks)
        return chunks

    def _damaged(self, name: str) -> Corrupt:
        """Tells a damaged object, which goes to quarantine, from a damaged list, which is forgotten."""
        self.store.verify(name)
        self._pieces.forget(digest_of(name))
        return Corrupt(f"the list of pieces of object `{short(name)}` is damaged and was removed")


class Distant:
    """A remote, its catalogue fetched."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._fetcher = remote.fetcher()

    def chunks(self, name: str) -> list[Chunk] | None:
        """As of any source; RemoteUnavailable if it cannot be reached or lies."""
        return self._fetcher.chunks(name)

    def read(self, name: str, start: int, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """As of any source; RemoteUnavailable if it cannot be reached or lies."""
        del name, start
        return self._fetcher.pieces(chunks)

    def names(self) -> Iterator[str]:
        """All objects of the remote."""
        return map(name_of, self.remote.catalogue)


class Sources:
    """Local stores and remotes, asked in order.

    Args:
        project: its store is where objects are fetched to, and it remembers what remotes hold.
        addresses: gives the remotes in the order in which they are asked; called when one is needed.
        neighbours: further stores of this machine, which are only read.
    """

    def __init__(
        self,
        project: Project,
        addresses: Callable[[], Sequence[Address]],
        neighbours: Sequence[ObjectStore] = (),
    ) -> None:
        self._project = project
        self._addresses = addresses
        self._neighbours = neighbours
        self._remotes: dict[Address, Distant] = {}
        self._lists: dict[str, bytes] = {}
        folder = project.layout.state / "pieces"
        self.local = [Local(store, Pieces(folder, store)) for store in (project.store, *neighbours)]

    @property
    def traffic(self) -> list[Traffic]:
        """What was asked of each remote so far."""
        return [distant.remote.bucket.traffic for distant in self._remotes.values()]

    def keep(self, data: bytes) -> str:
        """Hold the list of a directory that nobody stored; its id."""
        name = hash_bytes(data)
        self._lists[name] = data
        return name

    def remotes(self, errors: list[DrystoneError]) -> Iterator[Distant]:
        """The remotes that can be reached; why others cannot is added to `errors`."""
        for address in self._addresses():
            if address not in self._remotes:
                try:
                    self._remotes[address] = self._opened(address)
                except RemoteUnavailable as error:
                    errors.append(error)
                    continue
            yield self._remotes[address]

    def views(self, name: str, errors: list[DrystoneError]) -> Iterator[View]:
        """The object as each source has it; why others cannot give it is added to `errors`."""
        seen = list(self._remotes.values())
        found = False
        for view in self._views(name, self._all(errors), errors):
            found = True
            yield view
        if not found and not errors:  # perhaps it was sent since we looked at what there is
            for distant in seen:
                distant.remote.catalogue.refresh()
            yield from self._views(name, seen, errors)

    def _views(self, name: str, sources: Iterable[Source], errors: list[DrystoneError]) -> Iterator[View]:
        for source in sources:
            try:
                chunks = source.chunks(name)
            except Failure as error:
                errors.append(error)
                continue
            if chunks is not None:
                yield View(source, chunks, list(accumulate((chunk.size for chunk in chunks), initial=0)))

    def size(self, name: str) -> int:
        """Bytes of an object.

        Raises:
            NotFound, Corrupt, RemoteUnavailable: no source has it, whole.
        """
        errors: list[DrystoneError] = []
        for view in self.views(name, errors):
            return view.starts[-1]
        raise self.absent(f"object `{short(name)}`", errors)

    def read(self, object_id: str) -> bytes:
        """All of an object, verified as a whole; directories are read so.

        Raises:
            NotFound, Corrupt, RemoteUnavailable: no source has it, whole.
        """
        if object_id in self._lists:
            return self._lists[object_id]
        errors: list[DrystoneError] = []
        for view in self.views(object_id, errors):
            try:
                data = b"".join(view.source.read(object_id, 0, view.chunks))
            except Failure as error:
                errors.append(error)
                continue
            if hash_bytes(data) == object_id:
                self._lists[object_id] = data
                return data
            errors.append(RemoteUnavailable(f"object `{short(object_id)}` came with other bytes"))
        raise self.absent(f"object `{short(object_id)}`", errors)

    def fetch(self, entry: Entry, progress: Progress = lambda _size: None) -> None:
        """Brings an entry with all below it into the project's store.

        Raises:
            NotFound, Corrupt, RemoteUnavailable: it is nowhere to be had, whole; what came is kept.
            WorkFailed: the disk is full.
        """
        errors: list[DrystoneError] = []
        self._store_lists(entry)
        for store in self._neighbours:
            if not self._is_here(entry):
                self._take_over(store, entry, errors, progress)
        if self._is_here(entry):
            return
        seen = list(self._remotes.values())
        for distant in self.remotes(errors):
            if distant in seen:
                distant.remote.catalogue.refresh()
            got = distant.remote.fetcher(progress).closure([entry])
            if not got.lacking:
                return
            if got.damaged:
                errors.append(lies(distant.remote.bucket, min(got.damaged)))
        raise self.absent(f"`{entry.name}`", errors)

    def absent(self, what: str, errors: Sequence[DrystoneError]) -> DrystoneError:
        """The error for what no source could give."""
        asked = [f"`{address.name}`" for address in self._addresses()]
        errors = [*errors, *self._blind()]
        broken = [error for error in errors if isinstance(error, RemoteUnavailable)]
        damaged = [error for error in errors if isinstance(error, Corrupt)]
        because = list(dict.fromkeys(error.message for error in errors if not isinstance(error, NotFound)))
        if broken:
            place = dict.fromkeys(at for error in broken for at in error.at)
            reasons = list(dict.fromkeys(reason for error in broken for reason in error.because))
            hints = list(dict.fromkeys(hint for error in broken for hint in error.hints))
            return RemoteUnavailable(
                f"{what} cannot be fetched", at=list(place), because=[*because, *reasons], hints=hints
            )
        where = f"on remote {', '.join(asked)}" if len(asked) < 2 else f"on remotes {', '.join(asked)}"
        if not asked:
            hints = ["name a remote that has it with `drystone remote add NAME URL`"]
        else:
            hints = ["send it from where it was made with `drystone push`"]
        if damaged:
            return Corrupt(
                f"{what} is damaged here" + (f", and not {where}" if asked else ""),
                at=[at for error in damaged for at in error.at],
                because=because,
                hints=[*(hint for error in damaged for hint in error.hints), *hints],
            )
        return NotFound(
            f"{what} is not in the local store"
            + (f", and not {where}" if asked else ", and no remote is configured"),
            hints=hints,
        )

    def _blind(self) -> Iterator[RemoteUnavailable]:
        """Remotes that may have what is wanted in a pack of which they have no good index."""
        for remote in (distant.remote for distant in self._remotes.values()):
            with suppress(RemoteUnavailable):
                if names := remote.catalogue.unreadable():
                    yield RemoteUnavailable(
                        f"remote `{remote.name}` has damaged indexes, or lacks them",
                        at=[index_key(name) for name in names[:_SHOWN]],
                        hints=[
                            f"make them anew with `drystone push {remote.name} --repair`, where the data is"
                        ],
                    )

    def _all(self, errors: list[DrystoneError]) -> Iterator[Source]:
        yield from self.local
        yield from self.remotes(errors)

    def _opened(self, address: Address) -> Distant:
        scheme = urlsplit(address.url).scheme
        if scheme in ("", "file"):
            folder = self._project.layout.root / Path(urlsplit(address.url).path).expanduser()
            if not folder.is_dir():  # to read from it is no reason to make it
                raise RemoteUnavailable(
                    f"remote `{address.name}` cannot be used",
                    at=str(folder),
                    because="there is no such folder",
                )
        remote = Remote(self._project, address)
        remote.catalogue.refresh()
        return Distant(remote)

    def _is_here(self, entry: Entry) -> bool:
        store = self._project.store
        try:
            return all(store.has(file.object) for _, file in walk(store, entry))
        except (NotFound, Corrupt):
            return False

    def _store_lists(self, entry: Entry) -> None:
        """What was put together here and never stored is, before it is needed there."""
        own, lists, pending = self._project.store, dict[str, bytes](), [entry]
        while pending:
            here = pending.pop()
            if here.kind == "tree" and here.object in self._lists and not own.has(here.object):
                lists[here.object] = self._lists[here.object]
                pending += decode(lists[here.object], of=f"object `{short(here.object)}`")
        settle(own, lists)

    def _take_over(
        self, store: ObjectStore, entry: Entry, errors: list[DrystoneError], progress: Progress
    ) -> None:
        """Copies from a neighbour's store what it has of an entry, lists after what they list."""
        own, lists, pending = self._project.store, dict[str, bytes](), [entry]
        while pending:
            here = pending.pop()
            try:
                if here.kind == "tree":
                    data = _list(here.object, own, store)
                    if not own.has(here.object):
                        lists[here.object] = data
                    pending += decode(data, of=f"object `{short(here.object)}`")
                elif not own.has(here.object) and store.has(here.object):
                    _copy(store, own, here)
                    progress(here.size)
            except Failure as error:
                errors.append(error)
        settle(own, lists, distrusting=True)


def _list(name: str, *stores: ObjectStore) -> bytes:
    """The list of a directory from the first store that has it."""
    for store in stores[:-1]:
        with suppress(NotFound, Corrupt):
            return store.read(name)
    return stores[-1].read(name)


def _copy(source: ObjectStore, target: ObjectStore, entry: Entry) -> None:
    if source.size(entry.object) <= SMALL or not source.loose.path(entry.object).is_file():
        target.put_bytes(source.read(entry.object))
    elif target.put_file(source.loose.path(entry.object)) != entry.object:
        source.verify(entry.object)
