"""Entries of packs in few requests: neighbours come together, several requests are under way at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from drystone.objects.pack import Place
from drystone.objects.remote.bucket import Bucket

_AT_ONCE = 8
_REQUEST = 4 << 20  # bytes that are asked for at once, at most, but for a larger entry
_GAP = 128 << 10  # bytes that are rather fetched in vain than to ask once more

Entries = Mapping[str, Sequence[tuple[bytes, Place]]]


class _Span(NamedTuple):
    """Entries of one pack that one request brings."""

    pack: str
    start: int
    end: int
    entries: tuple[tuple[bytes, Place], ...]


def pack_key(name: str) -> str:
    """The key of a pack."""
    return f"packs/{name[:2]}/{name}.pack"


def stored_entries(
    bucket: Bucket, wanted: Entries, at_once: int = _AT_ONCE
) -> Iterator[tuple[str, bytes, Place, bytes]]:
    """What a remote has stored of entries: pack, digest, place and bytes, which nobody has verified.

    Where a pack was cut off or is gone, there are fewer bytes or none.

    Args:
        bucket: the remote.
        wanted: by the name of the pack.
        at_once: requests that are under way, of 4 MiB each.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    if _stored(wanted) > _REQUEST and not bucket.gives_ranges(pack_key(next(iter(wanted)))):
        for pack, entries in wanted.items():
            yield from _streamed(bucket, pack, entries)
        return
    under_way: deque[tuple[_Span, Future[bytes]]] = deque()
    spans = _spans(wanted.items())
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while True:
                while len(under_way) < at_once and (span := next(spans, None)):
                    under_way.append((span, pool.submit(_ask, bucket, span)))
                if not under_way:
                    return
                span, coming = under_way.popleft()
                data = coming.result()
                for digest, place in span.entries:
                    start = place.offset - span.start
                    yield span.pack, digest, place, data[start : start + place.stored]
        finally:
            pool.shutdown(cancel_futures=True)


def _ask(bucket: Bucket, span: _Span) -> bytes:
    return bucket.get_range(pack_key(span.pack), span.start, span.end) or b""


def _streamed(
    bucket: Bucket, pack: str, entries: Sequence[tuple[bytes, Place]]
) -> Iterator[tuple[str, bytes, Place, bytes]]:
    """The same by reading a pack from its beginning, and keeping no more than what is still wanted."""
    waiting = deque(sorted(entries, key=lambda entry: entry[1].offset))
    at, buffer = 0, bytearray()
    for given in bucket.stream(pack_key(pack)):
        buffer += given
        while waiting and waiting[0][1].offset + waiting[0][1].stored <= at + len(buffer):
            digest, place = waiting.popleft()
            start = place.offset - at
            yield pack, digest, place, bytes(buffer[start : start + place.stored])
        if not waiting:
            return
        done = min(waiting[0][1].offset - at, len(buffer))
        del buffer[:done]
        at += done
    for digest, place in waiting:  # the pack was cut off before
        yield pack, digest, place, b""


def _stored(wanted: Entries) -> int:
    return sum(place.stored for entries in wanted.values() for _, place in entries)


def _spans(wanted: Iterable[tuple[str, Sequence[tuple[bytes, Place]]]]) -> Iterator[_Span]:
    for pack, entries in wanted:
        some: list[tuple[bytes, Place]] = []
        start = end = 0
        for digest, place in sorted(entries, key=lambda entry: entry[1].offset):
            stop = place.offset + place.stored
            if some and (place.offset - end > _GAP or stop - start > _REQUEST):
                yield _Span(pack, start, end, tuple(some))
                some = []
            if not some:
                start = end = place.offset
            some.append((digest, place))
            end = max(end, stop)  # entries of a hostile index may lie inside each other
        if some:
            yield _Span(pack, start, end, tuple(some))
