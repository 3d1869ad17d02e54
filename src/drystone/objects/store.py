"""The local store: one read-only file per object, `AB/REST` of the 64 hex digits of its name.

No byte leaves the store before it was hashed and found to be what its name says. A damaged object is
moved to the `quarantine` folder beside the store, so that it is neither served nor lost.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from drystone.core.clock import Clock, SystemClock
from drystone.core.errors import Conflict, Corrupt, NotFound, UsageError
from drystone.core.ids import OBJECT_PREFIX, is_object_id, short
from drystone.objects.atomic import copy_content, explained, sweep, sync_directory, temporary, write_all
from drystone.objects.hashing import SMALL, hash_bytes, hash_descriptor, read_up_to

_ATTEMPTS = 3


class ObjectStore:
    """Objects under `root`, a folder that is created by the first write.

    Safe for many processes at once: an object is published by renaming a finished, synced file, and
    two writers of one object write the same bytes.

    Args:
        root: the folder, e.g. `layout.objects`.
        clock: dates what goes to quarantine.
        failpoint: called with the name of each step of a write, so that tests can stop it there.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        failpoint: Callable[[str], None] | None = None,
    ) -> None:
        self.root = root
        self.quarantine = root.parent / "quarantine"
        self._incoming = root / "incoming"
        self._clock = clock or SystemClock()
        self._failpoint = failpoint or (lambda _step: None)
        self._prepared = False

    def path(self, object_id: str) -> Path:
        """Where the object lies if it is here. What is read from there directly is not verified.

        Raises:
            NotFound: `object_id` is not an object id.
        """
        if not is_object_id(object_id):
            raise NotFound(f"not an object id: `{object_id}`")
        digits = object_id.removeprefix(OBJECT_PREFIX)
        return self.root / digits[:2] / digits[2:]

    def has(self, object_id: str) -> bool:
        """Whether the object is here. Its bytes are not looked at."""
        return self.path(object_id).is_file()

    def size(self, object_id: str) -> int:
        """Bytes of the object.

        Raises:
            NotFound: it is not here.
        """
        try:
            return self.path(object_id).stat().st_size
        except FileNotFoundError:
            raise self._absent(object_id) from None

    def put_bytes(self, data: bytes) -> str:
        """Stores `data` durably and gives its id.

        Raises:
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        name = hash_bytes(data)
        with self._explaining():
            if not self._holds(name):
                self._publish(lambda descriptor: self._write(descriptor, data, name))
        return name

    def put_file(self, path: Path) -> str:
        """Stores the content of a regular file durably and gives its id.

        Raises:
            Conflict: the file kept changing while it was read.
            UsageError: it is not a regular file.
            OSError: it cannot be read.
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        for _ in range(_ATTEMPTS):
            # without O_NONBLOCK, opening a named pipe would wait for its writer for ever
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                name = self._take(descriptor, path)
            finally:
                os.close(descriptor)
            if name is not None:
                return name
        raise Conflict(
            f"`{path.name}` changed while it was read",
            at=str(path),
            hints=["run the same command again once nothing writes to the file"],
        )

    def read(self, object_id: str) -> bytes:
        """The object's bytes, verified.

        Raises:
            NotFound: it is not here.
            Corrupt: it is damaged; it is in quarantine now.
        """
        with self._opened(object_id) as descriptor, self._explaining_reading(object_id):
            data = read_up_to(descriptor, os.fstat(descriptor).st_size)
            self._check(object_id, hash_bytes(data), descriptor)
            return data

    def open(self, object_id: str) -> BinaryIO:
        """A file object over the object's bytes, all of which were verified before it is handed out.

        Raises:
            NotFound: it is not here.
            Corrupt: it is damaged; it is in quarantine now.
        """
        with self._opened(object_id) as descriptor, self._explaining_reading(object_id):
            if os.fstat(descriptor).st_size <= SMALL:
                data = read_up_to(descriptor, SMALL)
                self._check(object_id, hash_bytes(data), descriptor)
                return io.BytesIO(data)
            self._check(object_id, hash_descriptor(descriptor)[0], descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.fdopen(os.dup(descriptor), "rb")

    def verify(self, object_id: str) -> None:
        """Reads the whole object and compares it with its name.

        Raises:
            NotFound: it is not here.
            Corrupt: it is damaged; it is in quarantine now.
        """
        with self._opened(object_id) as descriptor, self._explaining_reading(object_id):
            self._check(object_id, hash_descriptor(descriptor)[0], descriptor)

    def copy_to(self, object_id: str, destination: Path, *, executable: bool = False) -> None:
        """Makes the file `destination` hold the object: whole, verified and durable, or untouched.

        What stood there is replaced; a symbolic link is replaced, not followed. Blocks are shared with
        the store where the file system can do that (reflink), never the file itself.

        Raises:
            NotFound: the object is not here.
            Corrupt: it is damaged; it is in quarantine now.
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        with self._explaining(destination):
            self._prepare()
            try:
                self._place(object_id, destination, self._incoming, executable)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._place(object_id, destination, destination.parent, executable)

    def __iter__(self) -> Iterator[str]:
        """All object ids here, in no particular order."""
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            name = OBJECT_PREFIX + path.parent.name + path.name
            if is_object_id(name):
                yield name

    # writing

    def _take(self, descriptor: int, path: Path) -> str | None:
        """Stores what an open file holds; None if it changed meanwhile."""
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UsageError(f"`{path.name}` is not a regular file", at=str(path))

        def changed() -> bool:
            after = os.fstat(descriptor)
            return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
                after.st_size,
                after.st_mtime_ns,
                after.st_ctime_ns,
            )

        if before.st_size <= SMALL:
            data = read_up_to(descriptor, SMALL + 1)
            return None if changed() else self.put_bytes(data)

        def fill(target: int) -> str | None:
            copy_content(descriptor, target)
            # the copy is hashed, not the file: what gets the name is what was hashed
            name, _ = hash_descriptor(target)
            return None if changed() else name

        with self._explaining():
            return self._publish(fill)

    def _write(self, descriptor: int, data: bytes, name: str) -> str:
        write_all(descriptor, data)
        return name

    def _publish(self, fill: Callable[[int], str | None]) -> str | None:
        """Has a new file filled and gives it the name that `fill` returns, unless that is None."""
        self._prepare()
        with temporary(self._incoming) as (descriptor, new):
            self._failpoint("created")
            name = fill(descriptor)
            self._failpoint("written")
            if name is None or self._holds(name):
                return name
            os.fchmod(descriptor, 0o444)
            os.fsync(descriptor)
            self._failpoint("synced")
            home = self.path(name)
            if not home.parent.is_dir():
                home.parent.mkdir(exist_ok=True)
                sync_directory(self.root)
            self._failpoint("folder made")
            new.rename(home)
            self._failpoint("renamed")
            sync_directory(home.parent)
            return name

    def _holds(self, name: str) -> bool:
        """Whether the object is here and whole: what is put again heals what was damaged meanwhile."""
        try:
            self.verify(name)
        except (NotFound, Corrupt):
            return False
        return True

    def _prepare(self) -> None:
        if not self._prepared:
            self._incoming.mkdir(parents=True, exist_ok=True)
            sweep(self._incoming)
            self._prepared = True

    @contextmanager
    def _explaining(self, at: Path | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = "the object store cannot be written" if at is None else f"`{at.name}` cannot be written"
            raise explained(error, what, at or self.root) from error

    # reading

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        with self._explaining_reading(name):
            try:
                descriptor = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise self._absent(name) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _explaining_reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explained(error, f"object `{short(name)}` cannot be read", self.path(name)) from error

    def _place(self, name: str, destination: Path, folder: Path, executable: bool) -> None:
        with (
            self._opened(name) as source,
            temporary(folder, mode=0o777 if executable else 0o666) as (target, new),
        ):
            copy_content(source, target)
            # the copy is what is handed out, so the copy is what is verified
            if hash_descriptor(target)[0] != name:
                self._check(name, hash_descriptor(source)[0], source)
                raise OSError(errno.EIO, "what was written reads back differently")
            os.fsync(target)
            new.rename(destination)
            sync_directory(destination.parent)

    def _check(self, name: str, found: str, descriptor: int) -> None:
        if found == name:
            return
        where = self._put_aside(name, os.fstat(descriptor))
        raise Corrupt(
            f"object `{short(name)}` is damaged and was not used",
            at=str(where),
            because=f"its bytes hash to `{found}`, its name is `{name}`",
            hints=[
                "store it again from a good copy with `drystone add PATH`",
                "make it again with `drystone run`",
            ],
        )

    def _put_aside(self, name: str, found: os.stat_result) -> Path:
        """Moves a damaged object to quarantine; gives where it lies now."""
        home = self.path(name)
        refuge = self.quarantine / f"{name.removeprefix(OBJECT_PREFIX)}.{self._clock.now()}"
        with suppress(OSError):  # where it cannot be moved it stays, and is refused at each reading
            # another process may have put it aside already and stored it anew
            if os.path.samestat(home.stat(), found):
                self.quarantine.mkdir(exist_ok=True)
                home.rename(refuge)
                return refuge
        return home

    def _absent(self, name: str) -> NotFound:
        return NotFound(f"object `{short(name)}` is not in the local store", at=str(self.path(name)))
