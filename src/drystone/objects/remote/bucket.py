"""What we need of a folder or bucket, by obstore: bytes under keys, some of them only if nobody was first.

Every call counts its requests and bytes, and speaks of failures in one voice.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore

from drystone.core.errors import RemoteUnavailable
from drystone.objects.atomic import sync_file_system
from drystone.objects.remote.ranges import asked_plainly
from drystone.objects.remote.refusals import refused

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

_PART = 8 << 20
_PARTS_AT_ONCE = 4


class Item(NamedTuple):
    """What a listing tells of a key: its size in bytes and when it was last written."""

    key: str
    size: int
    modified: datetime


class Traffic:
    """What was asked of a remote so far: requests, bytes sent, bytes received."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.requests = 0
        self.sent = 0
        self.received = 0

    def note(self, *, requests: int = 1, sent: int = 0, received: int = 0) -> None:
        """Count requests, from any thread."""
        with self._guard:
            self.requests += requests
            self.sent += sent
            self.received += received


class Bucket:
    """Bytes under keys.

    Args:
        place: obstore's store, with the prefix of the remote; or a folder, which need not exist.
        name: what to call the remote in errors.
        url: where it is, without secrets.
    """

    def __init__(self, place: Client | Path, name: str, url: str) -> None:
        self._folder = place if isinstance(place, Path) else None
        self._opened = None if isinstance(place, Path) else place
        self.name = name
        self.url = url
        self.traffic = Traffic()
        self._ranges = None if self._folder is None else True
        self._plainly: bool | None = None  # whether ranges are given, but not as obstore has it

    def prepare(self) -> None:
        """Makes the folder if it is one and only itself is not there yet.

        Raises:
            RemoteUnavailable: it cannot be made; or the folder around it is not there, as when a disk is not
                mounted.
        """
        if self._folder is not None and self._folder.parent.is_dir():
            with self._explaining(""):
                self._folder.mkdir(exist_ok=True)

    @property
    def _client(self) -> Client:
        if self._opened is None:
            if self._folder is None or not self._folder.is_dir():
                raise RemoteUnavailable(
                    f"remote `{self.name}` cannot be used",
                    at=self.url,
                    because="there is no such folder; perhaps a disk is not mounted",
                    hints=[f"make it with `mkdir -p {shlex.quote(self.url)}` if it is to be new"],
                )
            self._opened = LocalStore(self._folder)
        return self._opened

    def get(self, key: str) -> bytes | None:
        """All bytes of a key, None where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            try:
                data = bytes(obstore.get(self._client, key).bytes())
            except FileNotFoundError:
                self.traffic.note()
                return None
            self.traffic.note(received=len(data))
            return data

    def get_range(self, key: str, start: int, end: int) -> bytes | None:
        """The bytes of a key from `start` up to `end`, fewer where it ends before; None where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        if end <= start:
            return b""
        with self._explaining(key):
            self.traffic.note()
            try:
                data = self._part(key, start, end)
            except FileNotFoundError:
                return None
            except BaseError as error:
                size = self.size(key)  # back ends differ in how they say that nothing is there
                if size is None or size <= start:
                    return None if size is None else b""
                if "NotPartial" not in str(error):
                    raise
                if self._plainly is False or (whole := self._plain(key, start, end, size)) is None:
                    return self._cut_out(key, start, end)
                data = whole
            self.traffic.note(requests=0, received=len(data))
            return data[: end - start]

    def _part(self, key: str, start: int, end: int) -> bytes:
        if self._plainly:
            given = asked_plainly(self._client, key, start, end)
            if given is not None:
                return given
        return bytes(obstore.get_range(self._client, key, start=start, end=end))

    def _plain(self, key: str, start: int, end: int, size: int) -> bytes | None:
        """The same asked for in another way, if the server has it; None, and never again, if not."""
        self.traffic.note()
        given = asked_plainly(self._client, key, start, end)
        wanted = min(end, size) - start
        if given is not None and len(given) != wanted:
            given = None
        if given is None or wanted < size:  # else it cannot be told whether the range counted
            self._plainly = given is not None
        return given

    def gives_ranges(self, key: str) -> bool:
        """Whether a part of a key is given alone, tried once; where it is not, few large requests are better.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        if self._ranges is None:
            with self._explaining(key):
                self.traffic.note()
                self._ranges = True
                try:
                    obstore.get_range(self._client, key, start=0, end=1)
                except FileNotFoundError:
                    pass
                except BaseError as error:
                    if "NotPartial" in str(error):
                        self._ranges = self._plain(key, 0, 1, self.size(key) or 0) is not None
        return self._ranges

    def stream(self, key: str) -> Iterator[bytes]:
        """All bytes of a key, little by little; nothing where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            self.traffic.note()
            try:
                coming = obstore.get(self._client, key)
            except FileNotFoundError:
                return
            for given in coming.stream(min_chunk_size=1 << 20):
                self.traffic.note(requests=0, received=len(given))
                yield bytes(given)

    def _cut_out(self, key: str, start: int, end: int) -> bytes:
        """The same from a server that answers ranges as no server should, by reading past what is before."""
        parts: list[bytes] = []
        at = 0
        for given in self.stream(key):
            if at < end and at + len(given) > start:
                parts.append(given[max(0, start - at) : end - at])
            at += len(given)
            if at >= end:
                break
        return b"".join(parts)

    def put(self, key: str, data: bytes | Path) -> None:
        """Writes bytes, or those of a file, whole or not at all.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        parts = max(1, -(-size // _PART))
        with self._explaining(key):
            obstore.put(
                self._client,
                key,
                data,
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
                use_multipart=parts > 1,
            )
        self.traffic.note(requests=1 if parts == 1 else parts + 2, sent=size)

    def settle(self) -> None:
        """Waits until all that was put is durable; buckets answer only then, folders do not.

        Raises:
            RemoteUnavailable: the disk cannot be written.
        """
        if self._folder is not None:
            with self._explaining(""):
                sync_file_system(self._folder)

    def create(self, key: str, data: bytes) -> bool:
        """Writes a key that nobody has written; whether it was so.

        Some services that speak S3 take the condition, ignore it, and write in any case. After a connection
        that broke, False may also mean that the key is there because this call wrote it.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            try:
                obstore.put(self._client, key, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                self.traffic.note()
                return False
            self.traffic.note(sent=len(data))
            return True

    def look(self, key: str) -> Item | None:
        """What the remote says of a key without its bytes, None where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            self.traffic.note()
            try:
                found = obstore.head(self._client, key)
            except FileNotFoundError:
                return None
            return Item(key, found["size"], found["last_modified"])

    def size(self, key: str) -> int | None:
        """The number of bytes of a key, None where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        found = self.look(key)
        return None if found is None else found.size

    def list(self, prefix: str) -> Iterator[Item]:
        """All keys below a prefix that ends in `/`.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(prefix):
            for found in obstore.list(self._client, prefix, chunk_size=1000):
                self.traffic.note()
                for item in found:
                    yield Item(item["path"], item["size"], item["last_modified"])

    def delete(self, keys: Sequence[str]) -> None:
        """Removes keys; those that are not there are no error.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        for key in keys:
            with self._explaining(key):
                self.traffic.note()
                with suppress(FileNotFoundError):
                    obstore.delete(self._client, key)

    @contextmanager
    def _explaining(self, key: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise refused(error, self.name, self.url, key) from error
