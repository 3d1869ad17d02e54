"""The pieces of large objects on a remote, each verified, in few requests."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from blake3 import blake3

from drystone.core.errors import RemoteUnavailable
from drystone.objects.pack import Chunk, Place, decode_chunks, entry_header
from drystone.objects.packs import decoded
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue, Held
from drystone.objects.remote.chunks import LARGEST
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.spans import pack_key, stored_entries

_WINDOW = 16 << 20  # bytes of a large object that are fetched before they are written
_LISTS = 32  # lists of pieces that are kept in mind


class PieceReader:
    """Reads pieces, and lists of pieces.

    Args:
        bucket: the remote.
        catalogue: what it holds, refreshed.
        here: knows which pieces are in the local store.
    """

    def __init__(self, bucket: Bucket, catalogue: Catalogue, here: Pieces) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._here = here
        self._lists: OrderedDict[tuple[bytes, str], list[Chunk]] = OrderedDict()

    def pieces(self, chunks: Sequence[Chunk]) -> Iterator[bytes | None]:
        """The pieces of a large object in order, verified; what other objects here hold is not fetched.

        None stands for the first piece that is not to be had, and ends it.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses; the pieces before have been given.
        """
        at = 0
        while at < len(chunks):
            window: list[Chunk] = []
            size = 0
            while at < len(chunks) and size < _WINDOW:
                window.append(chunks[at])
                size += chunks[at].size
                at += 1
            found, broken = self._window(dict.fromkeys(window))
            for chunk in window:
                piece = found.get(chunk.digest)
                if piece is None and broken is not None:
                    raise broken
                yield piece
                if piece is None:
                    return

    def joined(self, digest: bytes, chunks: Sequence[Chunk]) -> bytes | None:
        """All of an object; None if with these pieces it is not whole.

        Raises:
            RemoteUnavailable: as `pieces`.
        """
        pieces = [piece for piece in self.pieces(chunks) if piece is not None]
        data = b"".join(pieces)
        return data if len(pieces) == len(chunks) and blake3(data).digest() == digest else None

    def elsewhere(self, digest: bytes) -> bytes | None:
        """A good copy of a piece in any pack."""
        for held in self._catalogue.find_all(digest):
            for _, _, place, stored in stored_entries(self._bucket, {held.pack: [(digest, held.place)]}, 1):
                if (piece := decoded(digest, place, stored)) is not None:
                    return piece
        return None

    def list_of(self, digest: bytes, held: Held) -> list[Chunk] | None:
        """The list of pieces of a large object; None if it is damaged."""
        key = (digest, held.pack)  # one pack's list may be damaged and another's not
        if key in self._lists:
            return self._lists[key]
        for _, _, place, stored in stored_entries(self._bucket, {held.pack: [(digest, held.place)]}, 1):
            chunks = decoded_list(place, stored)
            if chunks is not None:
                self._lists[key] = chunks
                while len(self._lists) > _LISTS:
                    self._lists.popitem(last=False)
            return chunks
        return None

    def own_list_of(self, digest: bytes, held: Held) -> list[Chunk] | None:
        """The list of pieces of a large object of which only a part is wanted.

        It cannot be held against the object's name before all of the object is here. What stands before it
        in the pack says whose list it is: another one's, of the same length, is told from it by that.
        """
        place = held.place
        header = entry_header(digest, place.size, place.stored, place.encoding)
        start = max(place.offset - len(header), 0)
        data = self._bucket.get_range(pack_key(held.pack), start, place.offset + place.stored) or b""
        chunks = decoded_list(place, data[len(header) :])
        if chunks is None or data[: len(header)] != header or any(chunk.size > LARGEST for chunk in chunks):
            return None
        return chunks

    def _window(self, window: Iterable[Chunk]) -> tuple[dict[bytes, bytes], RemoteUnavailable | None]:
        """The pieces that are to be had, and why no more came if the remote failed in between."""
        found: dict[bytes, bytes] = {}
        places: dict[bytes, Held] = {}
        for chunk in window:
            if (piece := self._here.find(chunk)) is not None:
                found[chunk.digest] = piece
            else:
                held = self._catalogue.find(chunk.digest)
                if held is not None and held.place.size == chunk.size:
                    places[chunk.digest] = held
        try:
            for _, digest, place, stored in stored_entries(self._bucket, by_pack(places), 2):
                piece = decoded(digest, place, stored)
                if piece is not None or (piece := self.elsewhere(digest)) is not None:
                    found[digest] = piece
        except RemoteUnavailable as error:
            return found, error
        return found, None


def decoded_list(place: Place, stored: bytes) -> list[Chunk] | None:
    """The list of pieces that is stored at a place; None if it is damaged."""
    try:
        chunks = decode_chunks(stored)
    except ValueError:
        return None
    return chunks if sum(chunk.size for chunk in chunks) == place.size else None


def by_pack(wanted: Mapping[bytes, Held]) -> dict[str, list[tuple[bytes, Place]]]:
    """Places by pack."""
    found: dict[str, list[tuple[bytes, Place]]] = {}
    for digest, held in wanted.items():
        found.setdefault(held.pack, []).append((digest, held.place))
    return found
