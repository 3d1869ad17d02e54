"""Objects from a remote: few large requests, and not one byte that is not what its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import RemoteUnavailable
from drystone.core.ids import digest_of, name_of, short
from drystone.objects.atomic import write_all
from drystone.objects.batch import Batch
from drystone.objects.entry import Entry
from drystone.objects.pack import CHUNKS, LARGEST, Chunk, Place, decode_chunks, entry_header
from drystone.objects.packs import decoded
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue, Held
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import pack_key
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree

_AT_ONCE = 8
_REQUEST = 8 << 20  # bytes that are asked for at once, at most, but for a larger entry
_GAP = 128 << 10  # bytes that are rather fetched in vain than to ask once more

Progress = Callable[[int], None]


class Fetched(NamedTuple):
    """What a fetch gave: ids of objects that are here now, and of those that the remote has not (whole)."""

    here: frozenset[str]
    missing: frozenset[str]


class _Span(NamedTuple):
    """Entries of one pack that one request brings."""

    pack: str
    start: int
    end: int
    entries: tuple[tuple[bytes, Place], ...]


class Fetcher:
    """Reads from one remote.

    Args:
        store: where to.
        bucket: where from.
        catalogue: what it holds, refreshed.
        pieces: knows which pieces of large objects are here already.
        progress: is told the size of each object that is here.
    """

    def __init__(
        self,
        store: ObjectStore,
        bucket: Bucket,
        catalogue: Catalogue,
        pieces: Pieces,
        progress: Progress = lambda _size: None,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._catalogue = catalogue
        self._here = pieces
        self._progress = progress

    def fetch(self, names: Iterable[str]) -> Fetched:
        """Brings objects into the store; those that are there already are not fetched.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses; what came so far is kept.
            WorkFailed: the disk is full.
        """
        wanted = dict.fromkeys(name for name in names if not self._store.has(name))
        small: dict[str, list[tuple[bytes, Place]]] = {}
        large: list[tuple[bytes, Held]] = []
        missing: set[str] = set()
        for name in wanted:
            digest = digest_of(name)
            held = self._catalogue.find(digest)
            if held is None:
                missing.add(name)
            elif held.place.encoding == CHUNKS:
                large.append((digest, held))
            else:
                small.setdefault(held.pack, []).append((digest, held.place))
        with self._store.batch() as batch:
            missing |= self._small(small, batch)
        for digest, held in large:
            if not self._large(digest, held):
                missing.add(name_of(digest))
        return Fetched(frozenset(wanted.keys() - missing), frozenset(missing))

    def closure(self, roots: Sequence[Entry], *, trees_only: bool = False) -> Fetched:
        """As `fetch`, with all below directories: their lists first, level by level, then all files.

        Raises:
            RemoteUnavailable, WorkFailed: as `fetch`.
            Corrupt: what claims to be the list of a directory is none.
        """
        missing: set[str] = set()
        here: set[str] = set()
        files: dict[str, None] = {}
        level = list(roots)
        seen: set[str] = set()
        while level:
            trees = [entry for entry in level if entry.kind == "tree" and entry.object not in seen]
            files.update(dict.fromkeys(entry.object for entry in level if entry.kind != "tree"))
            seen.update(entry.object for entry in trees)
            got = self.fetch(entry.object for entry in trees)
            here |= got.here
            missing |= got.missing
            level = [
                below
                for entry in trees
                if entry.object not in got.missing
                for below in read_tree(self._store, entry.object)
            ]
        if not trees_only:
            got = self.fetch(files)
            here |= got.here
            missing |= got.missing
        return Fetched(frozenset(here), frozenset(missing))

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes | None:
        """Bytes of an object without storing it, verified piece by piece; None where the remote has it not.

        Only the pieces of a large object that hold these bytes are fetched.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives other bytes.
        """
        digest = digest_of(name)
        held = self._catalogue.find(digest)
        if held is None:
            return None
        if held.place.encoding != CHUNKS:
            data = self._entry(digest, held)
            return None if data is None else data[start:end]
        chunks = self._chunks(digest, held)
        stop = held.place.size if end is None else min(end, held.place.size)
        needed, at, first = [], 0, None
        for chunk in chunks:
            if at < stop and at + chunk.size > start:
                first = at if first is None else first
                needed.append(chunk)
            at += chunk.size
        data = b"".join(self._pieces(needed))
        return data[start - (first or 0) : stop - (first or 0)]

    def chunks(self, name: str) -> list[Chunk] | None:
        """The pieces of an object in order; a small one is its own. None where the remote has it not.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives another list.
        """
        digest = digest_of(name)
        held = self._catalogue.find(digest)
        if held is None:
            return None
        if held.place.encoding != CHUNKS:
            return [Chunk(digest, held.place.size)]
        return self._chunks(digest, held)

    def pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """These pieces in order, each verified.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives other bytes.
        """
        for chunk, piece in zip(chunks, self._pieces(chunks), strict=True):
            if len(piece) != chunk.size:
                raise self._lies(name_of(chunk.digest))
            yield piece

    def size(self, name: str) -> int | None:
        """Bytes of an object, None where the remote has it not."""
        held = self._catalogue.find(digest_of(name))
        return None if held is None else held.place.size

    def _small(self, wanted: dict[str, list[tuple[bytes, Place]]], batch: Batch) -> set[str]:
        """Fetches whole entries into a batch; the names of those that were not to be had."""
        missing: set[str] = set()
        for span, data in self._spans(_spans(wanted)):
            for digest, place in span.entries:
                stored = data[place.offset - span.start :][: place.stored]
                if decoded(digest, place, stored) is None:
                    missing.add(name_of(digest))
                else:
                    batch.add(digest, place.size, stored, place.encoding)
                    self._progress(place.size)
        return missing

    def _spans(self, spans: Iterator[_Span]) -> Iterator[tuple[_Span, bytes]]:
        """What the spans hold, in order; several requests are under way, but not all at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while some := list(islice(spans, 2 * _AT_ONCE)):
                yield from zip(some, pool.map(self._span, some), strict=True)

    def _span(self, span: _Span) -> bytes:
        return self._bucket.get_range(pack_key(span.pack), span.start, span.end) or b""

    def _large(self, digest: bytes, held: Held) -> bool:
        """Puts a large object together from its pieces; whether it came out right."""
        try:
            chunks = self._chunks(digest, held)
        except RemoteUnavailable:
            return False
        name = name_of(digest)

        def fill(descriptor: int) -> str | None:
            hasher = blake3()
            for piece in self._pieces(chunks):
                write_all(descriptor, piece)
                hasher.update(piece)
            return name if hasher.digest() == digest else None

        with self._store.writing():
            published = self._store.loose.publish(fill, lambda _: False)
        if published is not None:
            self._here.remember(digest, chunks)
            self._progress(held.place.size)
        return published is not None

    def _pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """The pieces of a large object in order, verified; what other objects here hold is not fetched."""
        at = 0
        while at < len(chunks):
            window, size = [], 0
            while at < len(chunks) and size < _AT_ONCE * _REQUEST:
                window.append(chunks[at])
                size += chunks[at].size
                at += 1
            wanted: dict[str, list[tuple[bytes, Place]]] = {}
            found: dict[bytes, bytes] = {}
            for chunk in dict.fromkeys(window):
                if (piece := self._here.find(chunk)) is not None:
                    found[chunk.digest] = piece
                    continue
                held = self._catalogue.find(chunk.digest)
                if held is not None:
                    wanted.setdefault(held.pack, []).append((chunk.digest, held.place))
            for span, data in self._spans(_spans(wanted)):
                for digest, place in span.entries:
                    piece = decoded(digest, place, data[place.offset - span.start :][: place.stored])
                    if piece is not None:
                        found[digest] = piece
            for chunk in window:
                if chunk.digest not in found:
                    raise self._lies(name_of(chunk.digest))
                yield found[chunk.digest]

    def _chunks(self, digest: bytes, held: Held) -> list[Chunk]:
        place = held.place
        # A list cannot be held against the object's name before all of the object is here. What stands before
        # it in the pack says whose list it is: another one's, of the same length, is told from it by that.
        header = entry_header(digest, place.size, place.stored, place.encoding)
        start = place.offset - len(header)
        data = self._bucket.get_range(pack_key(held.pack), max(start, 0), place.offset + place.stored) or b""
        try:
            chunks = decode_chunks(data[len(header) :])
        except ValueError:
            chunks = []
        fits = sum(chunk.size for chunk in chunks) == place.size
        if not fits or data[: len(header)] != header or any(chunk.size > LARGEST for chunk in chunks):
            raise self._lies(name_of(digest))
        return chunks

    def _entry(self, digest: bytes, held: Held) -> bytes | None:
        stored = self._bucket.get_range(
            pack_key(held.pack), held.place.offset, held.place.offset + held.place.stored
        )
        data = decoded(digest, held.place, stored or b"")
        if data is None:
            raise self._lies(name_of(digest))
        return data

    def _lies(self, name: str) -> RemoteUnavailable:
        return RemoteUnavailable(
            f"remote `{self._bucket.name}` gives other bytes for object `{short(name)}` than were sent to it",
            at=self._bucket.url,
            because="what it gives does not hash to the object's name; nothing of it was used",
            hints=["send a good copy again from where there is one with `drystone push --repair`"],
        )


def _spans(wanted: dict[str, list[tuple[bytes, Place]]]) -> Iterator[_Span]:
    """Requests that bring all entries: neighbours together, none much larger than `_REQUEST`."""
    for pack, entries in wanted.items():
        some: list[tuple[bytes, Place]] = []
        start = end = 0
        for digest, place in sorted(entries, key=lambda entry: entry[1].offset):
            stop = place.offset + place.stored
            if some and (place.offset - end > _GAP or stop - start > _REQUEST):
                yield _Span(pack, start, end, tuple(some))
                some = []
            if not some:
                start = place.offset
            some.append((digest, place))
            end = stop
        if some:
            yield _Span(pack, start, end, tuple(some))
