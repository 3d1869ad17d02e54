"""`drystone://` for fsspec: pandas, pyarrow, DuckDB and Dask read versions without checking them out.

    pd.read_parquet("drystone://data:flights@v3/x.parquet")
    fsspec.filesystem("drystone", repo="https://example.org/lab/flights.git")

What stands behind `drystone://` is a reference. Nothing can be written.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from fsspec.spec import AbstractFileSystem

from drystone.core.errors import DrystoneError, NotFound, UsageError
from drystone.objects.entry import Entry
from drystone.project.contents import Content, at
from drystone.project.lazyfile import buffered
from drystone.project.reading import Reader
from drystone.project.settings import Settings
from drystone.project.sharedfile import SharedFile

_TYPES = {"file": "file", "tree": "directory", "link": "link"}


class _Standing(type(AbstractFileSystem)):  # type: ignore[misc]  # fsspec has no types
    """fsspec keeps file systems by how they were made; ours are also of where the process stood then."""

    @property
    def standing(cls) -> str:
        return os.environ.get("DRYSTONE_ROOT") or str(Path.cwd())


class DrystoneFileSystem(AbstractFileSystem, metaclass=_Standing):  # type: ignore[misc]  # as above
    """The files of a project's lock and of all registered versions, read-only.

    Args:
        repo: another repository: a folder of this machine, or a URL that `git clone` takes. Left out,
            it is the project around the folder in which the process is.
        remote: the name or address of the remote that is asked first.
        options: what any fsspec file system takes.
    """

    protocol = "drystone"
    root_marker = ""
    _extra_tokenize_attributes = ("standing",)

    def __init__(self, repo: str | None = None, remote: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.repo = repo
        self.remote = remote
        self._guard = threading.Lock()
        self._reader = Reader.at(
            Path(type(self).standing),
            Settings.of(os.environ),
            Path(tempfile.gettempdir()),
            repo=repo,
            remote=remote,
        )
        weakref.finalize(self, self._reader.close)

    # what fsspec asks for

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """What lies in a folder; of a file itself. The root holds tracked paths and all names."""
        path = self._strip_protocol(path)
        with _as_files(path):
            entries = self._listed(path)
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """`name`, `type`, `size` (bytes; of a folder of all in it), `object` (id), `kind`, `executable`."""
        path = self._strip_protocol(path)
        if not path:
            return {"name": "", "size": 0, "type": "directory", "object": None, "kind": "tree"}
        with _as_files(path):
            return _info(path, self._find(path).entry)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether a reference names something. That a remote cannot be reached is no answer, but an error."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def checksum(self, path: str) -> str | None:
        """The object id: equal ids are equal bytes."""
        found: str | None = self.info(path)["object"]
        return found

    ukey = checksum

    def modified(self, path: str) -> datetime:
        """No real time, objects have none: equal bytes give equal times, so that caches by time are right."""
        name = self.info(path)["object"]
        return datetime.fromtimestamp(int(name[3:11], 16) if name else 0, UTC)

    created = modified

    def _open(self, path: str, mode: str = "rb", **_: Any) -> SharedFile:
        if mode != "rb":
            self._refuse(path)
        with _as_files(path):
            return SharedFile(buffered(self._reader.file(self._find(self._strip_protocol(path)))))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Bytes of a file from `start` up to `end`; negative ones count from its end."""
        with self._open(path) as file:
            size = file.seek(0, io.SEEK_END)
            first, last, _step = slice(start, end).indices(size)
            file.seek(first)
            return file.read(max(0, last - first))

    # what it may ask for, and does not get

    def _refuse(self, path: object, *_: Any, **__: Any) -> NoReturn:
        raise OSError(
            errno.EROFS,
            "`drystone://` is read-only: what is stored never changes. Write a file and `drystone add` it",
            str(path),
        )

    mkdir = makedirs = rmdir = rm = rm_file = _rm = cp_file = mv = pipe_file = put_file = touch = _refuse
    copy = move = pipe = put = sign = delete = _refuse

    # inside

    def _find(self, path: str) -> Content:
        with self._guard:  # threads of Dask and DuckDB ask at once
            return self._reader.find(path)

    def _listed(self, path: str) -> list[dict[str, Any]]:
        if not path:
            origin = self._reader.origin
            top = at(origin, origin.lock(), "")
            tracked = self._reader.children(Content("", top)) if top is not None else ()
            with self._guard:
                names = self._reader.names()
            named = [_info(name, self._find(name).entry) for name in names]
            return [*named, *(_info(entry.name, entry) for entry in tracked)]
        content = self._find(path)
        if content.entry.kind != "tree":
            return [_info(path, content.entry)]
        return [_info(f"{path}/{entry.name}", entry) for entry in self._reader.children(content)]


def _info(name: str, entry: Entry) -> dict[str, Any]:
    return {
        "name": name,
        "size": entry.size,
        "type": _TYPES[entry.kind],
        "object": entry.object,
        "kind": entry.kind,
        "executable": entry.executable,
    }


@contextmanager
def _as_files(path: str) -> Iterator[None]:
    """Says in the words of files what whoever uses files waits for; all else stays as we say it."""
    try:
        yield
    except NotFound as error:
        raise FileNotFoundError(errno.ENOENT, _told(error), path) from error
    except UsageError as error:
        if "is a folder" in error.message:
            raise IsADirectoryError(errno.EISDIR, _told(error), path) from error
        raise FileNotFoundError(errno.ENOENT, _told(error), path) from error


def _told(error: DrystoneError) -> str:
    return "; ".join([error.message, *error.because, *error.hints])
