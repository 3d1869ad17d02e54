"""The local store: large objects are files of their own, small ones lie in packs or in files.

No byte leaves the store before it was hashed and found to be what its name says. A damaged object is
kept in the `quarantine` folder beside the store, so that it is neither served nor lost.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from drystone.core.clock import Clock
from drystone.core.errors import Conflict, Corrupt, DrystoneError, NotFound, UsageError
from drystone.core.ids import digest_of, is_object_id, name_of, short
from drystone.objects.atomic import copy_content, explained, sync_directory, temporary, write_all
from drystone.objects.hashing import SMALL, Progress, hash_bytes, hash_descriptor, read_up_to
from drystone.objects.listing import stamp
from drystone.objects.loose import Loose
from drystone.objects.packs import Packs, Stored, decoded
from drystone.objects.quarantine import Quarantine
from drystone.objects.sharing import Sharing

if TYPE_CHECKING:
    from drystone.objects.batch import Batch

_ATTEMPTS = 3


class ObjectStore:
    """Objects under `root`, a folder that is created by the first write.

    Safe for many processes at once: an object is published by renaming a finished, synced file, and
    two writers of one object write the same bytes.

    Args:
        root: the folder, e.g. `layout.objects`.
        clock: dates what goes to quarantine.
        failpoint: called with the name of each step of a write, so that tests can stop it there.
        read_only: leave all as it is; damaged objects are refused where they lie, to write is a mistake.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        failpoint: Callable[[str], None] | None = None,
        read_only: bool = False,
    ) -> None:
        self.root, self.read_only = root, read_only
        self.sharing = Sharing(root)
        self.quarantine = Quarantine(root.parent / "quarantine", root / "doubt", clock, read_only=read_only)
        self.failpoint = failpoint or (lambda _step: None)
        self.loose = Loose(root, self.failpoint)
        self.packs = Packs(root / "packs", self.loose.incoming, self.quarantine.raise_doubt)
        self._word = ""

    def has(self, object_id: str) -> bool:
        """Whether the object is here. Its bytes are not looked at.

        Raises:
            NotFound: `object_id` is not an object id.
        """
        return (
            self._packed(object_id) is not None
            or self.loose.path(object_id).is_file()
            or self._packed(object_id) is not None  # it may have gone from a file into a pack meanwhile
        )

    def size(self, object_id: str) -> int:
        """Bytes of the object.

        Raises:
            NotFound: it is not here.
        """
        if found := self._packed(object_id):
            return found.place.size
        try:
            return self.loose.path(object_id).stat().st_size
        except FileNotFoundError:
            raise self._absent(object_id) from None

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Stores many objects at once: they are in the store when the block ends, unless by an exception.

        Raises:
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        from drystone.objects.batch import Batch  # compression is loaded only where something is stored

        with (
            self.writing(),
            Batch(self.loose, self.packs, self._holds, self.failpoint, self.sharing.hold) as batch,
        ):
            yield batch

    def put_bytes(self, data: bytes) -> str:
        """Stores `data` durably and gives its id.

        Raises:
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        name = hash_bytes(data)
        with self.writing():
            if not self._holds(name):
                self.loose.publish_bytes(name, data)
            self.sharing.hold(name)
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
        data = self._unpacked(object_id)
        if data is not None:
            return data
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
        data = self._unpacked(object_id)
        if data is not None:
            return io.BytesIO(data)
        with self._opened(object_id) as descriptor, self._explaining_reading(object_id):
            if os.fstat(descriptor).st_size <= SMALL:
                data = read_up_to(descriptor, SMALL)
                self._check(object_id, hash_bytes(data), descriptor)
                return io.BytesIO(data)
            self._check(object_id, hash_descriptor(descriptor)[0], descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.fdopen(os.dup(descriptor), "rb")

    def open_unverified(self, object_id: str) -> BinaryIO:
        """As `open`, for whoever verifies the bytes while they are read. Large objects come unbuffered.

        Raises:
            NotFound: it is not here.
            Corrupt: it is a small one and damaged; it is in quarantine now.
        """
        data = self._unpacked(object_id)
        if data is not None:
            return io.BytesIO(data)
        with self._opened(object_id) as descriptor:
            return io.FileIO(os.dup(descriptor), "rb")

    def verify(self, object_id: str) -> None:
        """Reads the whole object and compares it with its name.

        Raises:
            NotFound: it is not here.
            Corrupt: it is damaged; it is in quarantine now.
        """
        if self._unpacked(object_id) is not None:
            return
        with self._opened(object_id) as descriptor, self._explaining_reading(object_id):
            self._check(object_id, hash_descriptor(descriptor)[0], descriptor)

    def copy_to(
        self, object_id: str, destination: Path, *, executable: bool = False, progress: Progress | None = None
    ) -> None:
        """Makes the file `destination` hold the object: whole, verified and durable, or untouched.

        What stood there is replaced; a symbolic link is replaced, not followed. Blocks are shared with
        the store where the file system can do that (reflink), never the file itself.

        Raises:
            NotFound: the object is not here.
            Corrupt: it is damaged; it is in quarantine now.
            WorkFailed: the disk is full.
            ProjectInvalid: permission is missing.
        """
        with self.explaining(destination):
            self.loose.prepare()
            try:
                self._place(object_id, destination, self.loose.incoming, executable, progress)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._place(object_id, destination, destination.parent, executable, progress)

    def file(self, object_id: str) -> Path:
        """A read-only file that holds the object, for programs that take a path; verified as it is made.

        Raises:
            NotFound: the object is not here.
            Corrupt: it is damaged; it is in quarantine now.
            WorkFailed, ProjectInvalid: it cannot be written.
        """
        with self.writing():
            data = self._unpacked(object_id)
            if data is None:
                self.verify(object_id)
            elif not self.loose.path(object_id).is_file():
                self.loose.publish_bytes(object_id, data)
            self.sharing.hold(object_id)
        return self.loose.path(object_id)

    def __iter__(self) -> Iterator[str]:
        """All object ids here, in no particular order, each once."""
        seen: set[bytes] = set()
        for pack in self.packs:
            for digest in pack.index:
                if digest not in seen and digest not in pack.damaged:
                    seen.add(digest)
                    yield name_of(digest)
        yield from (name for name in self.loose if digest_of(name) not in seen)

    # writing

    def _take(self, descriptor: int, path: Path) -> str | None:
        """Stores what an open file holds; None if it changed meanwhile."""
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UsageError(f"`{path.name}` is not a regular file", at=str(path))

        def changed() -> bool:
            return stamp(before) != stamp(os.fstat(descriptor))

        if before.st_size <= SMALL:
            data = read_up_to(descriptor, SMALL + 1)
            return None if changed() else self.put_bytes(data)

        def fill(target: int) -> str | None:
            copy_content(descriptor, target)
            # the copy is hashed, not the file: what gets the name is what was hashed
            name, _ = hash_descriptor(target)
            return None if changed() else name

        with self.writing():
            name = self.loose.publish(fill, self._holds)
            if name is not None:
                self.sharing.hold(name)
            return name

    def _holds(self, name: str) -> bool:
        """Whether the object is here and whole: what is put again heals what was damaged meanwhile."""
        try:
            if not self.has(name):
                return False
            self.verify(name)
        except (NotFound, Corrupt):
            return False
        return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For whoever writes: nobody collects meanwhile, and failures are told in the user's words."""
        assert not self.read_only, "a store that is only read was to be written"
        with self.explaining(), self.sharing.writing() as word:
            if word != self._word:  # somebody took objects away since
                self._word = word
                self.packs.forget()
            yield

    @contextmanager
    def explaining(self, at: Path | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"`{at.name}`" if at else "the object store"
            raise explained(error, f"{what} cannot be written", at or self.root) from error

    # reading

    def _packed(self, name: str) -> Stored | None:
        if not is_object_id(name):
            raise NotFound(f"not an object id: `{name}`")
        try:
            return self.packs.find(digest_of(name))
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _unpacked(self, name: str) -> bytes | None:
        """The verified bytes of an object that is in a pack; None if it is in none.

        Raises:
            Corrupt: it was in packs and in no file, and damaged in all of them.
        """
        damage = None
        while found := self._packed(name):
            digest = digest_of(name)
            try:
                stored = found.pack.stored(found.place)
            except FileNotFoundError:  # its entries may be in another one now
                self.packs.lose(found.pack)
                continue
            except OSError as error:
                raise self._unreadable(name, error) from error
            data = decoded(digest, found.place, stored)
            if data is not None:
                return data
            found.pack.note_damage(digest)
            damage = self._damaged(name, self.quarantine.copy(name, stored) or found.pack.path)
        if damage is not None and not self.loose.path(name).is_file():
            raise damage
        return None

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        with self._explaining_reading(name):
            try:
                descriptor = self.loose.open(name)
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
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: OSError) -> DrystoneError:
        return explained(error, f"object `{short(name)}` cannot be read", self.loose.path(name))

    def _place(
        self, name: str, destination: Path, folder: Path, executable: bool, progress: Progress | None
    ) -> None:
        data = self._unpacked(name)
        with temporary(folder, mode=0o777 if executable else 0o666) as (target, new):
            if data is not None:
                write_all(target, data)
            else:
                with self._opened(name) as source:
                    copy_content(source, target)
                    # the copy is what is handed out, so the copy is what is verified
                    if hash_descriptor(target, progress)[0] != name:
                        self._check(name, hash_descriptor(source)[0], source)
                        raise OSError(errno.EIO, "what was written reads back differently")
            os.fsync(target)
            new.rename(destination)
            sync_directory(destination.parent)

    def _check(self, name: str, found: str, descriptor: int) -> None:
        if found != name:
            where = self.quarantine.move(self.loose.path(name), name, os.fstat(descriptor))
            raise self._damaged(name, where, found)

    def _damaged(self, name: str, where: Path, found: str = "") -> Corrupt:
        return Corrupt(
            f"object `{short(name)}` is damaged and was not used",
            at=str(where),
            because=f"its bytes hash to `{found or 'something else'}`, its name is `{name}`",
            hints=[
                "store it again from a good copy with `drystone add PATH`",
                "make it again with `drystone run`",
            ],
        )

    def _absent(self, name: str) -> NotFound:
        return NotFound(f"object `{short(name)}` is not in the local store", at=str(self.loose.path(name)))
