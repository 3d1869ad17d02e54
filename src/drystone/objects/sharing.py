"""Who uses a store: what makes collecting garbage safe while others write, also others than we know.

Whoever writes holds `guard` shared, whoever takes objects away holds it alone. What a living process
has stored or found in the store it notes in a file of its own in `writers`, and `users` lists the other
ways by which projects reach the store. `docs/reference/formats.md` describes the three.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.ids import OBJECT_PREFIX, is_object_id
from drystone.objects.atomic import write_all, write_atomic
from drystone.objects.entry import escape, unescape

_HEADER = "# drystone store users 1"


class Living(NamedTuple):
    """What processes that are alive rely on.

    Attributes:
        objects: ids of what they stored or found.
        since: nanoseconds since the epoch at which the oldest of them began, None if there are none.
    """

    objects: frozenset[str]
    since: int | None


class Sharing:
    """The part of one process in a store.

    Args:
        root: the folder of the store, as this process reaches it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._writers = root / "writers"
        self._users = root / "users"
        self._session: int | None = None
        self._process = 0
        self._name = self._word = ""
        self._held: set[str] = set()
        self._alone = threading.local()
        self._beginning = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[str]:
        """Nothing is taken away meanwhile. Gives a word that is another once something was.

        Raises:
            OSError: nothing can be written here.
        """
        if getattr(self._alone, "here", False):
            yield self._word
            return
        with self._guard(fcntl.LOCK_SH) as descriptor:
            self._begin()
            word = os.pread(descriptor, 40, 0)
            if not word:  # whoever collects on a full disk writes over this, and needs no space for it
                word = os.urandom(16).hex().encode()
                os.pwrite(descriptor, word, 0)
            yield word.decode("ascii", "replace")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile.

        Raises:
            OSError: nothing can be written here.
        """
        with self._guard(fcntl.LOCK_EX) as descriptor:
            self._word = os.urandom(16).hex()
            os.pwrite(descriptor, self._word.encode(), 0)
            self._alone.here = True
            try:
                yield
            finally:
                self._alone.here = False

    def hold(self, name: str) -> None:
        """Notes that this process relies on an object; to be called while `writing`."""
        if name in self._held and self._process == os.getpid():
            return
        self._begin()
        assert self._session is not None
        write_all(self._session, name.removeprefix(OBJECT_PREFIX).encode() + b"\n")
        self._held.add(name)

    def living(self, *, clear: bool = False) -> Living:
        """What all processes that are alive rely on.

        Args:
            clear: remove what dead ones left; only while `alone`.
        """
        objects: set[str] = set()
        since: list[int] = []
        for path in self._writers.glob("*"):
            with suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if path.name != self._own() and _is_dead(descriptor):
                        if clear:
                            path.unlink()
                        continue
                    first, *lines = path.read_text("ascii", "replace").split("\n")
                    since.append(int(first) if first.isdecimal() else os.fstat(descriptor).st_ctime_ns)
                    objects.update(filter(is_object_id, (OBJECT_PREFIX + line for line in lines)))
                finally:
                    os.close(descriptor)
        return Living(frozenset(objects), min(since, default=None))

    def users(self) -> list[Path]:
        """The ways by which projects reach this store: its own place, and those in `users`.

        Of those that lead to another store meanwhile none is given; one that leads nowhere is.

        Raises:
            ValueError: the file cannot be understood.
            OSError: it cannot be read.
        """
        home = Path(os.path.realpath(self.root))
        others = [path for path in self._registered() if not path.exists() or path.resolve() == home]
        return list(dict.fromkeys([home, *others]))

    def forget(self, user: Path) -> bool:
        """Takes a way out of `users`; whether it was there.

        Raises:
            ValueError, OSError: as `users`.
        """
        with self._guard(fcntl.LOCK_EX, "users.guard"):
            known = self._registered()
            if user not in known:
                return False
            self._write([path for path in known if path != user])
        return True

    def register_reader(self) -> None:
        """Notes the way by which a project reaches the store that may never write to it.

        Where nothing may be written nothing is noted; nor where `users` cannot be understood, by which
        whoever collects is stopped.
        """
        if self.root.is_dir():
            with suppress(OSError, ValueError):
                self.register()

    def register(self) -> None:
        """Notes the way by which this process reaches the store, if it is not the store's own place.

        Raises:
            ValueError, OSError: as `users`; or it cannot be written.
        """
        here = Path(os.path.abspath(self.root))  # noqa: PTH100  the way, not where it leads
        if Path(os.path.realpath(here)) == here or here in self._registered():
            return
        with self._guard(fcntl.LOCK_EX, "users.guard"):
            self._write([*self._registered(), here])

    def _registered(self) -> list[Path]:
        try:
            header, *lines = self._users.read_text().split("\n")
        except FileNotFoundError:
            return []
        if header != _HEADER:
            raise ValueError(f"`{self._users}` does not begin with `{_HEADER}`")
        return [Path(unescape(line)) for line in lines if line]

    def _write(self, users: list[Path]) -> None:
        lines = [_HEADER, *sorted(escape(str(user)) for user in set(users))]
        write_atomic(self._users, ("\n".join(lines) + "\n").encode())

    @contextmanager
    def _guard(self, how: int, name: str = "guard") -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self.root / name, flags, 0o666)
        except FileNotFoundError:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / name, flags, 0o666)
        try:
            fcntl.flock(descriptor, how)
            yield descriptor
        finally:
            os.close(descriptor)

    def _begin(self) -> None:
        """The file in which this process notes what it relies on; while it lives it holds it with flock."""
        with self._beginning:
            if self._process == os.getpid():
                return
            self.register()
            self._writers.mkdir(exist_ok=True)
            self._name = os.urandom(12).hex()
            path = self._writers / self._name
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            write_all(descriptor, b"%d\n" % os.fstat(descriptor).st_mtime_ns)
            self._session, self._process, self._held = descriptor, os.getpid(), set()
            weakref.finalize(self, _end, descriptor, path, self._process)

    def _own(self) -> str:
        return self._name if self._process == os.getpid() else ""


def _is_dead(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # it is held, or cannot be asked
    return True


def _end(descriptor: int, path: Path, process: int) -> None:
    if process == os.getpid():  # else a fork of the process that began it ends
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
