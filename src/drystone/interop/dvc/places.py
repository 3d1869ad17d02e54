"""Where DVC keeps objects: its cache and its remotes, behind one narrow port that only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from drystone.interop.dvc.bucket import SCHEMES, Bucket
from drystone.interop.dvc.config import Remote
from drystone.interop.dvc.credentials import Credentials
from drystone.interop.dvc.unreadable import Unreadable


class Place(Protocol):
    """Bytes by key, in a cache or remote.

    What cannot be asked, or does not answer, raises `Unreadable`.
    """

    @property
    def name(self) -> str:
        """What to call it, as in `cache` or `remote lab`."""
        ...

    @property
    def remote(self) -> str | None:
        """The remote's name, None for the cache."""
        ...

    @property
    def near(self) -> bool:
        """Whether reading costs no more than reading files does."""
        ...

    def address(self, key: str) -> str:
        """Where the key lies, for a person."""
        ...

    def size(self, key: str, version: str | None = None) -> int | None:
        """Bytes under the key, None if there is nothing."""
        ...

    def fetched(self, key: str, version: str | None = None) -> AbstractContextManager[Path | None]:
        """A file with the key's bytes while the context is open, None if there is nothing."""
        ...


class Folder(NamedTuple):
    """A folder of this machine: read in place, nothing is copied."""

    name: str
    root: Path
    remote: str | None = None
    near: bool = True

    def address(self, key: str) -> str:
        return str(self.root / key)

    def size(self, key: str, version: str | None = None) -> int | None:
        if version is not None:
            return None  # a folder keeps no versions
        try:
            return (self.root / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from error

    @contextmanager
    def fetched(self, key: str, version: str | None = None) -> Iterator[Path | None]:
        yield None if self.size(key, version) is None else self.root / key


class Places(NamedTuple):
    """All places to look in, in that order, and the remotes that cannot be read from here, with why."""

    places: tuple[Place, ...]
    others: tuple[str, ...]


def open_places(cache: Path, remotes: Sequence[Remote], credentials: Credentials, scratch: Path) -> Places:
    """The cache, the remotes that are folders, and then those that cost requests.

    Args:
        cache: DVC's cache folder.
        remotes: the remotes to look in.
        credentials: for those that need some.
        scratch: a folder for what is being downloaded; made when it is needed.
    """
    folders: list[Place] = [Folder("cache", cache)]
    buckets: list[Place] = []
    others: list[str] = []
    for remote in remotes:
        name = f"remote {remote.name}"
        if remote.scheme == "local":
            folders.append(Folder(name, Path(remote.url), remote.name))
        elif remote.scheme in SCHEMES:
            buckets.append(Bucket(name, remote, credentials, scratch))
        else:
            others.append(f"{name}: `{remote.scheme}://` cannot be read here")
    return Places((*folders, *buckets), tuple(others))
