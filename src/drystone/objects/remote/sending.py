"""Objects to a remote: what it lacks, in packs.

Files and pieces of files go first; each of their packs counts as soon as it is there, so that what was
sent before an interruption is not sent again. Lists (of pieces, of directories) go last and in order,
so that whoever finds a list on the remote finds all that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import Conflict, Corrupt, RemoteUnavailable, UsageError
from drystone.core.ids import digest_of, short
from drystone.objects.atomic import explained, staging
from drystone.objects.compress import Squeezer
from drystone.objects.entry import Entry
from drystone.objects.hashing import SMALL, Progress
from drystone.objects.lists import lies_apart
from drystone.objects.pack import CHUNKS, LARGEST, RAW, ZSTD, Chunk, encode_chunks, encode_index
from drystone.objects.packs import FULL, PackFile, decoded
from drystone.objects.remote.begun import is_whole
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.chunks import cut
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.spans import pack_key
from drystone.objects.store import ObjectStore
from drystone.objects.tree import DEEPEST, read_tree

_AT_ONCE = 3  # packs that are on their way while the next one is filled
_CHUNK_BYTES = len(encode_chunks([Chunk(b"", 0)]))


class Sent(NamedTuple):
    """What was sent: objects (pieces and lists included) and the bytes that they take in packs."""

    objects: int
    stored: int


class Wanted(NamedTuple):
    """What a remote lacks of some objects.

    Attributes:
        files: id to size in bytes, 0 where it is not known.
        trees: lists of directories, each after those that it names.
        missing: what is neither here nor there: id to a path that needs it.
    """

    files: dict[str, int]
    trees: tuple[str, ...]
    missing: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(self.files.values())


def lacking(
    store: ObjectStore,
    catalogue: Catalogue,
    roots: Iterable[Entry],
    perhaps: Iterable[Entry] = (),
    *,
    thorough: bool = False,
) -> Wanted:
    """What the remote lacks of these entries and all below them.

    Below a directory that it has it has everything, since lists are sent last.

    Args:
        store: where they are.
        catalogue: what the remote has.
        roots: what it must have afterwards.
        perhaps: what it may have as well, as far as it is here; nothing of these is ever missing.
        thorough: look below directories that it has, too.

    Raises:
        Corrupt: the list of a directory is damaged here.
    """
    files: dict[str, int] = {}
    trees: dict[str, None] = {}
    missing: dict[str, str] = {}
    looked_into: set[str] = set()

    def visit(entry: Entry, path: str, depth: int) -> bool:
        """Whether the remote will have all of it."""
        name = entry.object
        there = catalogue.find(digest_of(name)) is not None
        below_too = thorough and entry.kind == "tree" and name not in looked_into and store.has(name)
        if name in files or name in trees or (there and not below_too):
            return True
        apart = entry.kind == "tree" and lies_apart(store, name)  # the rest may be there
        if name in missing or not (store.has(name) or apart):
            missing.setdefault(name, path)
            return False
        if entry.kind != "tree":
            files[name] = entry.size
            return True
        if depth == DEEPEST:
            raise UsageError(f"`{path}` has more than {DEEPEST} folders inside each other")
        looked_into.add(name)
        below = [visit(child, f"{path}/{child.name}", depth + 1) for child in read_tree(store, name)]
        if all(below) and not there:
            trees[name] = None
        return all(below)

    for root in roots:
        visit(root, root.name, 0)
    needed = dict(missing)
    for root in perhaps:
        visit(root, root.name, 0)
    return Wanted(files, tuple(trees), needed)


class Sender:
    """One push to one remote.

    Args:
        store: where from.
        bucket: where to.
        catalogue: what it holds, refreshed.
        pieces: is told of which pieces large objects consist.
        progress: is told how far it got.
        anew: send a pack also where one of this name and size is left: it may be damaged.

    Attributes:
        packs: size in bytes of each pack that was sent, by name.
    """

    def __init__(
        self,
        store: ObjectStore,
        bucket: Bucket,
        catalogue: Catalogue,
        pieces: Pieces,
        progress: Progress = lambda _size: None,
        *,
        anew: bool = False,
    ) -> None:
        self._anew = anew
        self.packs: dict[str, int] = {}
        self._store = store
        self._bucket = bucket
        self._catalogue = catalogue
        self._pieces = pieces
        self._progress = progress
        self._squeezer = Squeezer()
        self._lists: dict[bytes, tuple[int, list[Chunk]]] = {}
        self._queued: set[bytes] = set()
        self._again: frozenset[bytes] = frozenset()
        self._folder = Path()
        self._pack: PackFile | None = None
        self._under_way: set[Future[None]] = set()
        self._sent = Sent(0, 0)

    def send(self, wanted: Wanted, again: frozenset[bytes] = frozenset()) -> Sent:
        """Sends objects.

        Args:
            wanted: which ones.
            again: digests, of pieces too, that are sent though the remote has them.

        Raises:
            NotFound: the local store lacks one.
            Corrupt: some are damaged; all other files were sent, but no lists of directories.
            RemoteUnavailable: the remote cannot be reached or refuses; what was sent stays.
            WorkFailed: the disk is full.
        """
        self._again = again
        damaged: Corrupt | None = None
        with self._packing():
            for name, size in wanted.files.items():
                try:
                    self._file(name, size)
                except Corrupt as error:
                    damaged = damaged or error
            self._finish()
            self._late(() if damaged else wanted.trees)
            self._finish()
        if damaged is not None:
            raise damaged
        return self._sent

    def copy(self, entries: Iterable[tuple[bytes, int, bytes, int]]) -> Sent:
        """Sends entries that are encoded and were verified: digest, size, stored bytes, encoding.

        Raises:
            RemoteUnavailable, WorkFailed: as `send`.
        """
        with self._packing():
            for entry in entries:
                self._add(*entry)
            self._finish()
        return self._sent

    @contextmanager
    def _packing(self) -> Iterator[None]:
        """Packs are written to the disk of the store, and sent while the next one is filled."""
        self._store.loose.prepare()
        try:
            with (
                staging(self._store.loose.incoming) as self._folder,
                ThreadPoolExecutor(_AT_ONCE) as self._pool,
            ):
                try:
                    yield
                finally:
                    self._pool.shutdown(cancel_futures=True)
                    if self._pack is not None:
                        self._pack.discard()
        except OSError as error:
            raise explained(error, "objects cannot be packed for sending", self._store.root) from error

    def _file(self, name: str, size: int) -> None:
        size = size or self._store.size(name)
        if size <= SMALL:
            self._whole(name)
        else:
            self._cut(name, size)
        self._progress(size)

    def _whole(self, name: str) -> None:
        """A small object, as it is encoded in the store if it is in a pack there; verified either way."""
        digest = digest_of(name)
        found = self._store.packs.find(digest, fresh=False)
        if found is not None and found.place.encoding in (RAW, ZSTD):
            with suppress(OSError):  # then `read` says what is wrong, or finds it elsewhere
                stored = found.pack.stored(found.place)
                if decoded(digest, found.place, stored) is not None:
                    self._add(digest, found.place.size, stored, found.place.encoding)
                    return
        self._add_data(digest, self._store.read(name))

    def _cut(self, name: str, size: int) -> None:
        """A large object: the pieces that the remote lacks, and later their list."""
        chunks: list[Chunk] = []
        hasher = blake3()
        with self._store.open_unverified(name) as file:
            for piece in cut(file):
                hasher.update(piece)
                chunk = Chunk(blake3(piece).digest(), len(piece))
                chunks.append(chunk)
                if chunk.digest not in self._queued and (
                    chunk.digest in self._again or self._catalogue.find(chunk.digest) is None
                ):
                    self._add_data(chunk.digest, piece)
        if hasher.digest() != digest_of(name):
            self._store.verify(name)  # says what is wrong
            raise Conflict(f"object `{short(name)}` changed while it was sent")
        if len(chunks) * _CHUNK_BYTES > LARGEST:
            raise UsageError(f"object `{short(name)}` is too large for a remote: {size:,} bytes")
        self._lists[digest_of(name)] = (size, chunks)
        self._pieces.remember(digest_of(name), chunks)

    def _late(self, trees: Iterable[str]) -> None:
        for digest, (size, chunks) in self._lists.items():
            self._add(digest, size, encode_chunks(chunks), CHUNKS)
        for name in trees:
            self._whole(name)

    def _add_data(self, digest: bytes, data: bytes) -> None:
        frame = self._squeezer.squeeze(data)
        self._add(digest, len(data), data if frame is None else frame, RAW if frame is None else ZSTD)

    def _add(self, digest: bytes, size: int, stored: bytes, encoding: int) -> None:
        if digest in self._queued:
            return
        self._queued.add(digest)
        if self._pack is None:
            self._pack = PackFile(self._folder)
        self._pack.add(digest, size, stored, encoding)
        self._sent = Sent(self._sent.objects + 1, self._sent.stored + len(stored))
        if self._pack.size >= FULL:
            self._ship()

    def _ship(self) -> None:
        """Send the pack that is full while the next one is filled."""
        pack, self._pack = self._pack, None
        if pack is None:
            return
        while len(self._under_way) >= _AT_ONCE:
            self._await()
        self._under_way.add(self._pool.submit(self._upload, pack))

    def _finish(self) -> None:
        """Wait until everything so far is on the remote."""
        self._ship()
        while self._under_way:
            self._await()
        self._bucket.settle()  # the last indexes

    def _await(self) -> None:
        done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
        for one in done:
            one.result()

    def _upload(self, pack: PackFile) -> None:
        digest, path = pack.finish()
        name, size = digest.hex(), pack.size
        try:
            index = encode_index(digest, pack.places.items())
            self._catalogue.begun.note(name, index)
            self._put(pack_key(name), path, size)
            self._bucket.settle()
            self._bucket.put(index_key(name), index)
            self._catalogue.learn(name, index)
            self.packs[name] = size
        finally:
            pack.discard()

    def _put(self, key: str, path: Path, size: int) -> None:
        """Send a pack, unless an interrupted push has left it whole, and look whether it has arrived."""
        if self._anew or not is_whole(self._bucket.look(key), size):  # a repair trusts none
            self._bucket.put(key, path)
            arrived = self._bucket.size(key)
            if arrived != size:
                raise RemoteUnavailable(
                    f"remote `{self._bucket.name}` did not keep what it was sent",
                    at=key,
                    because=f"{size:,} bytes were sent, {arrived or 0:,} are there",
                )


def resume(bucket: Bucket, catalogue: Catalogue) -> int:
    """Makes packs count that an interrupted push from here sent whole; their number.

    Args:
        bucket: where to.
        catalogue: what it holds, refreshed; learns of them.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    arrived = 0
    for name, index, size in catalogue.begun:
        if name not in catalogue.packs and is_whole(bucket.look(pack_key(name)), size):
            bucket.settle()
            bucket.put(index_key(name), index)
            arrived += 1
            catalogue.learn(name, index)
        catalogue.begun.forget(name)
    if arrived:
        bucket.settle()
    return arrived


def index_key(name: str) -> str:
    """The key of the index of a pack."""
    return f"indexes/{name}.index"
