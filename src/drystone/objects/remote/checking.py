"""Whether a remote still holds what it was sent: all of it is read, what is damaged is found, and struck out.

An index may leave out entries of its pack. So a damaged entry is taken out of the index once a good copy
is in another pack; whoever kept the older index finds the good copy by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
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
from drystone.objects.remote.sending import Wanted, index_key
from drystone.objects.remote.spans import pack_key, stored_entries
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree


class Bad(NamedTuple):
    """What is damaged on a remote and whole here.

    Attributes:
        places: digests of damaged entries, by pack.
        wanted: the objects that must be sent again.
    """

    places: dict[str, set[bytes]]
    wanted: Wanted

    @property
    def digests(self) -> frozenset[bytes]:
        """All that is damaged, each once."""
        return frozenset().union(*self.places.values())


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
        """Makes damaged indexes anew from their packs, where those are whole; names of these packs.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        mended = []
        for name in self._catalogue.damaged:
            pack = self._bucket.get(pack_key(name)) or b""
            if blake3(pack).hexdigest() == name:
                self._bucket.put(index_key(name), encode_index(bytes.fromhex(name), scan(pack)))
                mended.append(name)
        if mended:
            self._bucket.settle()
            self._catalogue.refresh()
        return mended

    def check(self, roots: Iterable[Entry]) -> Bad:
        """What of these entries, and of all below them that is here, the remote holds damaged.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        files, trees = self._closure(roots)
        lists: dict[bytes, bytes] = {}
        pieces: dict[bytes, set[str]] = {}
        for name, size in files.items():
            if size <= SMALL:
                pieces.setdefault(digest_of(name), set()).add(name)
                continue
            chunks = []
            with self._store.open_unverified(name) as file:
                for piece in cut(file):
                    chunks.append(Chunk(blake3(piece).digest(), len(piece)))
                    pieces.setdefault(chunks[-1].digest, set()).add(name)
            lists[digest_of(name)] = encode_chunks(chunks)
        for name in trees:
            pieces.setdefault(digest_of(name), set())
        places = self._damaged([*pieces, *lists], lists)
        again: set[str] = set()
        for digest in set().union(*places.values()):
            again |= pieces.get(digest, set()) | ({name_of(digest)} if digest in lists else set())
        bad = {name_of(digest) for found in places.values() for digest in found}
        wanted = Wanted(
            {name: files[name] for name in files if name in again},
            tuple(name for name in trees if name in bad),
            {},
        )
        return Bad(places, wanted)

    def strike(self, bad: Bad) -> None:
        """Takes damaged entries of which a good copy was sent out of their indexes.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        for pack, digests in bad.places.items():
            rest = [
                (digest, place) for digest, place in self._catalogue.entries(pack) if digest not in digests
            ]
            index = encode_index(bytes.fromhex(pack), rest)
            self._bucket.put(index_key(pack), index)
            self._catalogue.learn(pack, index)
        self._bucket.settle()

    def _closure(self, roots: Iterable[Entry]) -> tuple[dict[str, int], dict[str, None]]:
        """Files, with their sizes, and directories that are here, each after those that it names."""
        files: dict[str, int] = {}
        trees: dict[str, None] = {}
        order: list[str] = []
        pending = list(roots)
        while pending:
            entry = pending.pop()
            with suppress(NotFound, Corrupt):  # what is not here, or not whole, is not sent again
                if entry.kind != "tree":
                    if entry.object not in files:
                        files[entry.object] = self._store.size(entry.object)
                elif entry.object not in trees:
                    below = read_tree(self._store, entry.object)
                    trees[entry.object] = None
                    order.append(entry.object)
                    pending += below
        return files, dict.fromkeys(reversed(order))

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
