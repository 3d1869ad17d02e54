"""What we need of a folder or bucket, by obstore: bytes under keys, some of them only if nobody was first.

Every call counts its requests and bytes, and speaks of failures in one voice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from drystone.core.errors import DrystoneError, RemoteUnavailable
from drystone.objects.atomic import sync_file_system

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
        client: obstore's store, with the prefix of the remote.
        name: what to call the remote in errors.
        url: where it is, without secrets.
        folder: where it lies if it is a folder of this machine.
    """

    def __init__(self, client: Client, name: str, url: str, *, folder: Path | None = None) -> None:
        self._client = client
        self._folder = folder
        self.name = name
        self.url = url
        self.traffic = Traffic()

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
        """The bytes of a key from `start` up to `end`; None where there is no such key.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            try:
                data = bytes(obstore.get_range(self._client, key, start=start, end=end))
            except FileNotFoundError:
                self.traffic.note()
                return None
            self.traffic.note(received=len(data))
            return data

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

    def size(self, key: str) -> int | None:
        """The number of bytes of a key, None where there is none.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
        """
        with self._explaining(key):
            self.traffic.note()
            try:
                return obstore.head(self._client, key)["size"]
            except FileNotFoundError:
                return None

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
        with self._explaining(keys[0] if keys else ""):
            for key in keys:
                self.traffic.note()
                try:
                    obstore.delete(self._client, key)
                except FileNotFoundError:
                    continue

    @contextmanager
    def _explaining(self, key: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise self._refused(error, key) from error

    def _refused(self, error: Exception, key: str) -> DrystoneError:
        if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
            hint = "check its credentials; `drystone remote` shows where they are looked for"
            what = "refused"
        else:
            hint = "look whether it can be reached; what was sent or fetched so far is kept"
            what = "cannot be used"
        return RemoteUnavailable(
            f"remote `{self.name}` {what}",
            at=f"{self.url.rstrip('/')}/{key}",
            because=_in_short(str(error)),
            hints=[hint],
        )


def _in_short(text: str) -> str:
    """What obstore says, without its debug print of the same."""
    first = text.strip().splitlines()[0] if text.strip() else "it gives no reason"
    return first[:300]
