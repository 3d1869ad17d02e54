"""Whether a remote still holds what it was sent: all of it is read, what is damaged is found, and struck out.

An index may leave out entries of its pack. So a damaged entry is taken out of the index once a good copy
is in another pack; whoever kept the older index finds the good copy by itself.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import suppress
from typing import NamedTuple

from blake3 import blake3

from drystone.core.errors import Corrupt, NotFound
from drystone.core.ids import digest_of, name_of
from drystone.objects.entry import Entry
from drystone.objects.hashing import SMALL, Progress
from drystone.objects.pack import CHUNKS, Chunk, Place, encode_chunks, encode_index, scan
from drystone.objects.packs import decoded
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.chunks import cut
from drystone.objects.remote.piecereader import decoded_list
from drystone.objects.remote.sending import Wanted, index_key
from drystone.objects.remote.spans import pack_key, stored_entries
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree


class Bad(NamedTuple):
    """What is damaged on a remote and whole here.

    Attributes:
        places: digests of damaged entries, by pack.
        gone: digests of what a list there names and is not there.
        wanted: the objects that must be sent again.
    """

    places: dict[str, set[bytes]]
    gone: frozenset[bytes]
    wanted: Wanted

    @property
    def digests(self) -> frozenset[bytes]:
        """All that is damaged or gone, each once."""
        return self.gone.union(*self.places.values())


class Checker:
    """Compares a remote with the local store.

    Args:
        store: what is here.
        bucket: the remote.
        catalogue: what it says that it holds, refreshed.
        progress: is told the size of each object that was looked at.
    """

    def __init__(
        self,
        store: ObjectStore,
        bucket: Bucket,
        catalogue: Catalogue,
        progress: Progress = lambda _size: None,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._catalogue = catalogue
        self._progress = progress

    def restore_indexes(self) -> list[str]:
        """Makes indexes that are damaged or not there anew from their packs; names of these packs.

        Where the pack is damaged as well, the index tells of what is whole in it, perhaps of nothing.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        mended = []
        for name in self._catalogue.unreadable():
            pack = self._bucket.get(pack_key(name)) or b""
            places = list(scan(pack))
            if blake3(pack).hexdigest() != name:
                places = [(digest, place) for digest, place in places if _is_whole(pack, digest, place)]
            if places or name in self._catalogue.damaged:
                self._bucket.put(index_key(name), encode_index(bytes.fromhex(name), places))
                mended.append(name)
        if mended:
            self._bucket.settle()
            self._catalogue.refresh()
        return mended

    def check(self, roots: Iterable[Entry]) -> Bad:
        """What of these entries, and of all below them that is here, the remote holds damaged.

        Also what it must have since it has a list that names it, and has not.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        files, trees, promised = self._closure(roots)
        lists: dict[bytes, bytes] = {}
        pieces: dict[bytes, set[str]] = {}
        for name, size in files.items():
            digest = digest_of(name)
            if size <= SMALL:
                pieces.setdefault(digest, set()).add(name)
                continue
            chunks = self._cut(name)
            for chunk in chunks:
                pieces.setdefault(chunk.digest, set()).add(name)
            lists[digest] = encode_chunks(chunks)
            if self._catalogue.find(digest) is not None:
                promised.update(chunk.digest for chunk in chunks)
        for name in trees:
            pieces.setdefault(digest_of(name), set())
        places = self._damaged([*pieces, *lists], lists)
        gone = frozenset(digest for digest in promised if self._catalogue.find(digest) is None)
        bad = gone.union(*places.values())
        again: set[str] = set()
        for digest in bad:
            again |= pieces.get(digest, set()) | ({name_of(digest)} if digest in lists else set())
        wanted = Wanted(
            {name: files[name] for name in files if name in again},
            tuple(name for name in trees if digest_of(name) in bad),
            {},
        )
        return Bad(places, gone, wanted)

    def _cut(self, name: str) -> list[Chunk]:
        with self._store.open_unverified(name) as file:
            return [Chunk(blake3(piece).digest(), len(piece)) for piece in cut(file)]

    def strike(self, bad: Bad, sent: Container[str]) -> None:
        """Takes damaged entries of which a good copy was sent out of their indexes.

        Args:
            bad: what was damaged.
            sent: names of packs that were sent, whole: a pack's name is its content.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        for pack, digests in bad.places.items():
            if pack in sent:
                continue
            rest = [
                (digest, place) for digest, place in self._catalogue.entries(pack) if digest not in digests
            ]
            index = encode_index(bytes.fromhex(pack), rest)
            self._bucket.put(index_key(pack), index)
            self._catalogue.learn(pack, index)
        self._bucket.settle()

    def _closure(self, roots: Iterable[Entry]) -> tuple[dict[str, int], dict[str, None], set[bytes]]:
        """Files, with their sizes, and directories that are here, each after those that it names.

        And the digests of those of them that a directory names which the remote has.
        """
        files: dict[str, int] = {}
        trees: dict[str, None] = {}
        promised: set[bytes] = set()
        order: list[str] = []
        pending = [(entry, False) for entry in roots]
        while pending:
            entry, named = pending.pop()
            digest = digest_of(entry.object)
            with suppress(NotFound, Corrupt):  # what is not here, or not whole, is not sent again
                if entry.kind != "tree":
                    if entry.object not in files:
                        files[entry.object] = self._store.size(entry.object)
                elif entry.object not in trees:
                    below = read_tree(self._store, entry.object)
                    trees[entry.object] = None
                    order.append(entry.object)
                    there = named or self._catalogue.find(digest) is not None
                    pending += [(child, there) for child in below]
                if named:
                    promised.add(digest)
        return files, dict.fromkeys(reversed(order)), promised

    def _damaged(self, digests: Iterable[bytes], lists: dict[bytes, bytes]) -> dict[str, set[bytes]]:
        wanted: dict[str, list[tuple[bytes, Place]]] = {}
        for digest in digests:
            for held in self._catalogue.find_all(digest):
                wanted.setdefault(held.pack, []).append((digest, held.place))
        found: dict[str, set[bytes]] = {}
        for pack, digest, place, stored in stored_entries(self._bucket, wanted):
            if place.encoding == CHUNKS:
                whole = stored == lists.get(digest)
            else:
                whole = decoded(digest, place, stored) is not None
            if not whole:
                found.setdefault(pack, set()).add(digest)
            self._progress(place.size if place.encoding != CHUNKS else 0)
        return found


def _is_whole(pack: bytes, digest: bytes, place: Place) -> bool:
    """Whether an entry of a damaged pack is what its header says."""
    stored = pack[place.offset : place.offset + place.stored]
    if place.encoding == CHUNKS:
        return decoded_list(place, stored) is not None
    return decoded(digest, place, stored) is not None
