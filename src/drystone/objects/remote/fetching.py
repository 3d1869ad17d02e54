"""Objects from a remote: few large requests, and not one byte that is not what its name says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import Corrupt, NotFound, RemoteUnavailable
from drystone.core.ids import digest_of, name_of, short
from drystone.objects import partial
from drystone.objects.atomic import write_all
from drystone.objects.batch import Batch
from drystone.objects.entry import Entry, decode
from drystone.objects.hashing import Progress
from drystone.objects.lists import settle
from drystone.objects.pack import CHUNKS, Chunk
from drystone.objects.packs import decoded
from drystone.objects.reach import TREE
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue, Held
from drystone.objects.remote.piecereader import PieceReader, by_pack, decoded_list
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.spans import stored_entries
from drystone.objects.store import ObjectStore
from drystone.objects.tree import DEEPEST

_FILES_AT_ONCE = 3  # large objects; each has two requests of 4 MiB under way
_FEW = 16  # fewer small objects than that become files of their own, as when they are added


class Fetched(NamedTuple):
    """What a fetch gave.

    Attributes:
        here: ids of objects that came.
        missing: ids of those that the remote has not.
        damaged: ids of those of which it gives other bytes than their names say.
    """

    here: frozenset[str]
    missing: frozenset[str]
    damaged: frozenset[str] = frozenset()

    @property
    def lacking(self) -> frozenset[str]:
        """What did not come, for whatever reason."""
        return self.missing | self.damaged

    def plus(self, other: Fetched) -> Fetched:
        """Both together."""
        return Fetched(*(mine | others for mine, others in zip(self, other, strict=True)))


_NOTHING = Fetched(frozenset(), frozenset())


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
        self._reader = PieceReader(bucket, catalogue, pieces)

    def fetch(
        self,
        names: Iterable[str],
        sizes: Mapping[str, int] | None = None,
        lists: dict[str, bytes] | None = None,
    ) -> Fetched:
        """Brings objects into the store; those that are there already are not fetched.

        Args:
            names: ids.
            sizes: bytes that they must have, as far as that is known: a remote that claims others lies.
            lists: receives what seems to be the list of a directory; that is not stored then.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses; what came so far is kept.
            WorkFailed: the disk is full.
        """
        sizes = sizes or {}
        wanted = list(dict.fromkeys(name for name in names if not self._store.has(name)))
        small: dict[bytes, Held] = {}
        large: dict[bytes, Held] = {}
        missing: set[str] = set()
        damaged: set[str] = set()
        for name in wanted:
            digest = digest_of(name)
            first = self._catalogue.find(digest)
            if first is None:
                missing.add(name)
            elif name in sizes and first.place.size != sizes[name]:
                damaged.add(name)
            elif first.place.encoding == CHUNKS:
                large[digest] = first
            else:
                small[digest] = first
        damaged |= {name_of(digest) for digest in self._small(small, lists)}
        damaged |= {name_of(digest) for digest in self._large(large)}
        return Fetched(frozenset(wanted) - missing - damaged, frozenset(missing), frozenset(damaged))

    def closure(self, roots: Sequence[Entry]) -> Fetched:
        """As `fetch`, with all below directories.

        Their lists are fetched first, level by level, and stored last, each after all that it lists; those
        of which something lacks lie apart.

        Raises:
            RemoteUnavailable, WorkFailed: as `fetch`.
            Corrupt: what claims to be the list of a directory is none.
        """
        got = _NOTHING
        files: dict[str, int] = {}
        lists: dict[str, bytes] = {}
        level = list(roots)
        seen: set[str] = set()
        depth = 0
        while level:
            if depth > DEEPEST:
                raise Corrupt(f"a directory has more than {DEEPEST} folders inside each other")
            depth += 1
            for entry in level:
                if entry.kind != "tree":
                    files[entry.object] = entry.size or files.get(entry.object, 0)
            trees = dict.fromkeys(entry.object for entry in level if entry.kind == "tree")
            fresh = [name for name in trees if name not in seen]
            seen.update(fresh)
            level, more = self._below(fresh, lists)
            got = got.plus(more)
        got = got.plus(self.fetch(files, {name: size for name, size in files.items() if size}))
        settle(self._store, lists, distrusting=bool(got.lacking))
        return got

    def gather(self, names: Iterable[str]) -> tuple[dict[str, bytes], Fetched]:
        """Objects in memory, each verified, for lists of directories: none is stored.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        found: dict[str, bytes] = {}
        small: dict[bytes, Held] = {}
        missing: set[str] = set()
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            held = self._catalogue.find(digest_of(name))
            if held is None:
                missing.add(name)
            elif held.place.encoding != CHUNKS:
                small[digest_of(name)] = held
            else:  # somebody sent it as a file
                for chunks in self._candidates(digest_of(name), None):
                    if (data := self._reader.joined(digest_of(name), chunks)) is not None:
                        found[name] = data
                        break
        for _, digest, place, stored in stored_entries(self._bucket, by_pack(small)):
            data = decoded(digest, place, stored)
            if data is not None or (data := self._reader.elsewhere(digest)) is not None:
                found[name_of(digest)] = data
                self._progress(place.size)
        damaged = frozenset(wanted) - missing - found.keys()
        return found, Fetched(frozenset(found), frozenset(missing), damaged)

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes | None:
        """Bytes of an object without storing it, verified piece by piece; None where the remote has it not.

        Only the pieces of a large object that hold these bytes are fetched.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives other bytes.
        """
        digest = digest_of(name)
        places = list(self._catalogue.find_all(digest))
        if not places:
            return None
        for held in places:
            if held.place.encoding == CHUNKS:
                chunks = self._reader.list_of(digest, held) or []
                data = self._read_pieces(chunks, start, held.place.size if end is None else end)
                if data is not None and (chunks or not held.place.size):
                    return data
            else:
                for _, _, place, stored in stored_entries(self._bucket, {held.pack: [(digest, held.place)]}):
                    data = decoded(digest, place, stored)
                    if data is not None:
                        return data[start:end]
        raise lies(self._bucket, name)

    def chunks(self, name: str) -> list[Chunk] | None:
        """The pieces of an object in order; a small one is its own. None where the remote has it not.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives another list.
        """
        digest = digest_of(name)
        places = list(self._catalogue.find_all(digest))
        for held in places:
            if held.place.encoding != CHUNKS:
                return [Chunk(digest, held.place.size)]
            if (chunks := self._reader.own_list_of(digest, held)) is not None:
                return chunks
        if places:
            raise lies(self._bucket, name)
        return None

    def pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """These pieces in order, each verified.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses, or gives other bytes.
        """
        for chunk, piece in zip(chunks, self._reader.pieces(chunks), strict=True):
            if piece is None or len(piece) != chunk.size:
                raise lies(self._bucket, name_of(chunk.digest))
            yield piece

    def size(self, name: str) -> int | None:
        """Bytes of an object, None where the remote has it not."""
        held = self._catalogue.find(digest_of(name))
        return None if held is None else held.place.size

    def _below(self, trees: Iterable[str], lists: dict[str, bytes]) -> tuple[list[Entry], Fetched]:
        """What directories hold; `lists` receives those that are not in the store."""
        below: list[Entry] = []
        absent: list[str] = []
        for name in trees:
            try:
                data = self._store.read(name)
            except (NotFound, Corrupt):  # a damaged one is in quarantine now
                absent.append(name)
                continue
            below += decode(data, of=f"object `{short(name)}`")
            if not self._store.has(name):  # it lies apart
                lists[name] = data
        found, got = self.gather(absent)
        for name, data in found.items():
            below += decode(data, of=f"object `{short(name)}`")
        lists.update(found)
        return below, got

    # small objects

    def _small(self, wanted: dict[bytes, Held], lists: dict[str, bytes] | None) -> set[bytes]:
        """Fetches whole entries; the digests of those of which no copy is whole."""
        broken: RemoteUnavailable | None = None
        bad: set[bytes] = set()
        if wanted:
            with self._store.batch() as batch:
                try:
                    bad = self._into(batch, wanted, lists)
                except RemoteUnavailable as error:
                    broken = error  # what came so far is kept
        if broken is not None:
            raise broken
        return bad

    def _into(self, batch: Batch, wanted: dict[bytes, Held], lists: dict[str, bytes] | None) -> set[bytes]:
        few = len(wanted) < _FEW
        bad: set[bytes] = set()
        for _, digest, place, stored in stored_entries(self._bucket, by_pack(wanted)):
            whole = decoded(digest, place, stored)
            data = self._reader.elsewhere(digest) if whole is None else whole
            if data is None:
                bad.add(digest)
                continue
            if lists is not None and data.startswith(TREE):
                lists[name_of(digest)] = data
            elif whole is None or few:
                batch.put(data)
            else:
                batch.add(digest, place.size, stored, place.encoding)
            self._progress(place.size)
        return bad

    # large objects

    def _large(self, wanted: dict[bytes, Held]) -> set[bytes]:
        """Puts large objects together from their pieces; the digests of those that did not come out right."""
        if not wanted:
            return set()
        bad: set[bytes] = set()
        broken: RemoteUnavailable | None = None
        lists = self._all_lists(wanted)
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            jobs = {pool.submit(self._assemble, digest, chunks): digest for digest, chunks in lists.items()}
            for job in as_completed(jobs):
                try:
                    if not job.result():
                        bad.add(jobs[job])
                except RemoteUnavailable as error:
                    broken = broken or error
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
        if broken is not None:
            raise broken
        return bad

    def _all_lists(self, wanted: dict[bytes, Held]) -> dict[bytes, list[Chunk] | None]:
        """The lists of pieces of large objects, in few requests; None for a damaged one."""
        lists: dict[bytes, list[Chunk] | None] = dict.fromkeys(wanted)
        for _, digest, place, stored in stored_entries(self._bucket, by_pack(wanted)):
            lists[digest] = decoded_list(place, stored)
        return lists

    def _assemble(self, digest: bytes, chunks: list[Chunk] | None) -> bool:
        """Whether an object came out right."""
        for candidate in self._candidates(digest, chunks):
            if self._publish(digest, candidate):
                self._here.remember(digest, candidate)
                self._progress(sum(chunk.size for chunk in candidate))
                return True
        return False

    def _candidates(self, digest: bytes, first: list[Chunk] | None) -> Iterator[list[Chunk]]:
        if first is not None:
            yield first
        for held in self._catalogue.find_all(digest):
            if held.place.encoding == CHUNKS:
                chunks = self._reader.list_of(digest, held)
                if chunks is not None and chunks != first:
                    yield chunks

    def _publish(self, digest: bytes, chunks: list[Chunk]) -> bool:
        """Whether these pieces make the object; where the last pull of it stopped this one goes on."""
        loose = self._store.loose
        with self._store.writing():
            loose.prepare()
            with partial.opened(loose.partial, digest) as begun:
                if begun is None:  # another process fetches it, too
                    return (
                        loose.publish(
                            lambda descriptor: self._fill(descriptor, digest, chunks, blake3()),
                            lambda _: False,
                        )
                        is not None
                    )
                hasher = blake3()
                rest = chunks[begun.take(chunks, hasher) :]
                name = self._fill(begun.descriptor, digest, rest, hasher)
                if name is not None:
                    loose.keep(begun.descriptor, begun.path, name)
                return name is not None

    def _fill(self, descriptor: int, digest: bytes, chunks: list[Chunk], hasher: blake3) -> str | None:
        """The name of the object if with these pieces it is whole; a piece that is not to be had ends it."""
        for piece in self._reader.pieces(chunks):
            if piece is None:
                return None
            write_all(descriptor, piece)
            hasher.update(piece)
        return name_of(digest) if hasher.digest() == digest else None

    def _read_pieces(self, chunks: Sequence[Chunk], start: int, end: int) -> bytes | None:
        """Some bytes of a large object; None if a piece is not to be had."""
        needed: list[Chunk] = []
        at, first = 0, 0
        for chunk in chunks:
            if at < end and at + chunk.size > start:
                first = at if not needed else first
                needed.append(chunk)
            at += chunk.size
        parts: list[bytes] = []
        for piece in self._reader.pieces(needed):
            if piece is None:
                return None
            parts.append(piece)
        return b"".join(parts)[max(0, start - first) : max(0, end - first)]


def lies(bucket: Bucket, name: str) -> RemoteUnavailable:
    """The error for an object of which a remote gives other bytes."""
    return RemoteUnavailable(
        f"remote `{bucket.name}` gives other bytes for object `{short(name)}` than were sent to it",
        at=bucket.url,
        because="what it gives does not hash to the object's name; nothing of it was used",
        hints=[f"send a good copy again from where there is one with `drystone push {bucket.name} --repair`"],
    )
