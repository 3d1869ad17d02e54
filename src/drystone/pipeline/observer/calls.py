"""What each system call means for the record: told before the call happens, it looks at the files itself."""

# paths are bytes here: what a process names need not be text
# ruff: noqa: PTH112, PTH120, PTH123

from __future__ import annotations

import os
import struct
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG, S_ISUID

from drystone.pipeline.observer import memory
from drystone.pipeline.observer.memory import Memory
from drystone.pipeline.observer.network import Services, beyond
from drystone.pipeline.observer.paths import Found, Links, Resolver, below
from drystone.pipeline.observer.record import Record
from drystone.pipeline.observer.seccomp import ARGUMENT, Listener
from drystone.pipeline.observer.syscalls import IMPORTS, Call

Data = tuple[int, ...]

_AT_FDCWD = -100
_AT_REMOVEDIR, _AT_EMPTY_PATH, _AT_SYMLINK_FOLLOW = 0x200, 0x1000, 0x400
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_RESOLVE_IN_ROOT = 0x10
_SCRIPT_DEPTH, _HEADER, _ELF_32 = 5, 256, b"\x7fELF\x01"
_IMPORTS = IMPORTS & 0xFFFFFFFF
_DELETED = b" (deleted)"
_SETTLED = 50_000


class Gone(Exception):
    """The caller no longer waits, or the kernel will refuse the call: there is nothing to record."""


class Calls:
    """One method per `Call.act`, taking the unpacked notification; with one path, the call and it as well."""

    def __init__(
        self, record: Record, memory: Memory, listener: Listener, services: Services, resolver: Resolver
    ) -> None:
        self._record = record
        self._services = services
        self._memory = memory
        self._listener = listener
        self._resolver = resolver
        # absolute spellings that cannot tell anything new until a name changes
        self._looked_up: set[bytes] = set()
        self._importing: set[int] = set()  # threads
        self._read: set[bytes] = set()

    # ── one path ──────────────────────────────────────────────────────────────────────────────────

    def opened(self, call: Call, data: Data, path: bytes) -> None:
        assert call.extra is not None
        self._open(call, data, path, data[ARGUMENT + call.extra] & 0xFFFFFFFF)

    def created(self, call: Call, data: Data, path: bytes) -> None:
        self._open(call, data, path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    def opened_how(self, call: Call, data: Data, path: bytes) -> None:
        how = self._memory.read(data[1], data[ARGUMENT + 2], 24)
        if len(how) < 24:
            raise Gone
        flags, _, resolve = struct.unpack("=QQQ", how)
        if resolve & _RESOLVE_IN_ROOT:
            path = path.lstrip(b"/") or b"."
        self._open(call, data, path, flags)

    def looked_up(self, call: Call, data: Data, path: bytes) -> None:
        if call.directory is not None and data[ARGUMENT + call.directory] & 0xFFFFFFFF == _IMPORTS:
            self._importing ^= {data[1]}
            return
        if path in self._looked_up:
            return
        flags = data[ARGUMENT + call.extra] if call.extra is not None else 0
        follow = not call.always and not flags & call.nofollow
        self._touch(self._find(self._where(data, call.directory, path), follow))
        if follow and path.startswith(b"/"):
            self._settle(self._looked_up, path)

    def truncated(self, call: Call, data: Data, path: bytes) -> None:
        found = self._found(self._where(data, call.directory, path), follow=True)
        if found.stat is not None and S_ISREG(found.stat.st_mode):
            if data[ARGUMENT + 1]:
                self._record.read(found.path, found.stat)
            self._record.overwrite(found.path)

    def mode_changed(self, call: Call, data: Data, path: bytes) -> None:
        assert call.extra is not None
        found = self._found(self._where(data, call.directory, path), follow=True)
        if found.stat is not None:
            wanted = data[ARGUMENT + call.extra] & 0o7777
            if S_ISDIR(found.stat.st_mode) or S_IMODE(found.stat.st_mode) == wanted:
                self._record.exists(found.path)
            else:
                self._record.change(found.path, found.stat)

    def made(self, call: Call, data: Data, path: bytes) -> None:
        self._make(self._find(self._where(data, call.directory, path), follow=False))
        self._names_changed()

    def unlinked(self, call: Call, data: Data, path: bytes) -> None:
        if call.extra is not None and data[ARGUMENT + call.extra] & _AT_REMOVEDIR:
            self.directory_removed(call, data, path)
            return
        found = self._found(self._where(data, call.directory, path), follow=False)
        if found.stat is not None and not S_ISDIR(found.stat.st_mode):
            self._record.remove(found.path)
        self._names_changed()

    def directory_removed(self, call: Call, data: Data, path: bytes) -> None:
        found = self._found(self._where(data, call.directory, path), follow=False)
        if found.stat is not None and S_ISDIR(found.stat.st_mode):
            if _is_empty(found.path):
                self._record.remove(found.path)
            else:
                self._record.exists(found.path)
        self._names_changed()

    # ── two paths ─────────────────────────────────────────────────────────────────────────────────

    def renamed(self, data: Data) -> None:
        self._rename(data, (None, 0), (None, 1), 0)

    def renamed_at(self, data: Data) -> None:
        self._rename(data, (0, 1), (2, 3), 0)

    def renamed_at2(self, data: Data) -> None:
        self._rename(data, (0, 1), (2, 3), data[ARGUMENT + 4])

    def linked(self, data: Data) -> None:
        self._link(data, (None, 0), (None, 1), 0)

    def linked_at(self, data: Data) -> None:
        self._link(data, (0, 1), (2, 3), data[ARGUMENT + 4])

    # ── programs ──────────────────────────────────────────────────────────────────────────────────

    def executed(self, data: Data) -> None:
        self._execute(data, None, 0)

    def executed_at(self, data: Data) -> None:
        self._execute(data, 0, 1)

    def exited(self, data: Data) -> None:
        self._record.peak = max(self._record.peak, memory.peak(data[1]))
        self._memory.drop(data[1])
        self._importing.discard(data[1])

    # ── descriptors and addresses ─────────────────────────────────────────────────────────────────

    def listed(self, data: Data) -> None:
        path = memory.link(data[1], f"fd/{data[ARGUMENT]}")
        if path is not None and self._record.scope.matters(path) and self._listener.is_waiting(data[0]):
            (self._record.scans if data[1] in self._importing else self._record.lists)(path)

    def connected(self, data: Data) -> None:
        self._speak(data, data[ARGUMENT + 1], data[ARGUMENT + 2])

    def sent_to(self, data: Data) -> None:
        self._speak(data, data[ARGUMENT + 4], data[ARGUMENT + 5])

    def sent_message(self, data: Data) -> None:
        # struct msghdr begins with the address and its length; of sendmmsg the first message speaks for all
        head = self._memory.read(data[1], data[ARGUMENT + 1], 12)
        if len(head) == 12:
            self._speak(data, *struct.unpack("=QI", head))

    # ── what cannot be seen ───────────────────────────────────────────────────────────────────────

    def root_changed(self, data: Data) -> None:
        self._record.unseen[f"`{memory.comm(data[1])}` changed its file system with mount or chroot"] = None

    def opened_by_handle(self, data: Data) -> None:
        self._record.unseen[f"`{memory.comm(data[1])}` opened a file by handle"] = None

    # ── shared ────────────────────────────────────────────────────────────────────────────────────

    def _where(self, data: Data, directory: int | None, path: bytes) -> bytes:
        """The absolute spelling of a path that the calling thread names."""
        if not path.startswith(b"/"):
            fd = _AT_FDCWD if directory is None else _signed(data[ARGUMENT + directory])
            base = memory.link(data[1], "cwd" if fd == _AT_FDCWD else f"fd/{fd}")
            if base is None or not path or (base.endswith(_DELETED) and not os.path.lexists(base)):
                raise Gone
            path = base + b"/" + path
        if not self._listener.is_waiting(data[0]):
            raise Gone
        return path

    def _argument(self, data: Data, places: tuple[int | None, int]) -> bytes:
        directory, position = places
        path = self._memory.text(data[1], data[ARGUMENT + position])
        if path is None:
            raise Gone
        return self._where(data, directory, path)

    def _find(self, path: bytes, follow: bool) -> Found:
        links = Links()
        found = self._resolver.find(path, follow, links)
        if links:
            self._record.links(links)
        return found

    def _found(self, path: bytes, follow: bool) -> Found:
        """As `_find`; a path that is not there is recorded as absent."""
        found = self._find(path, follow)
        if found.stat is None:
            self._record.misses(found.path)
        return found

    def _settle(self, settled: set[bytes], path: bytes) -> None:
        if len(settled) > _SETTLED:
            settled.clear()
        settled.add(path)

    def _names_changed(self) -> None:
        self._resolver.forget()
        self._looked_up.clear()
        self._read.clear()

    def _make(self, found: Found) -> bool:
        """Something is created that must not be there yet; whether that will succeed."""
        if found.stat is not None:
            self._record.exists(found.path)
            return False
        possible = self._has_parent(found)
        if possible:
            self._record.write(found.path)
        return possible

    def _has_parent(self, found: Found) -> bool:
        """Whether something can be made there; else the directory is what was missed."""
        parent = os.path.dirname(found.path)
        if os.path.isdir(parent):
            return True
        self._record.misses(parent)
        return False

    def _open(self, call: Call, data: Data, path: bytes, flags: int) -> None:
        reading = not flags & (os.O_ACCMODE | os.O_TRUNC | os.O_CREAT)
        if reading and path in self._read:
            return
        whole = self._where(data, call.directory, path)
        exclusive = flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
        found = self._find(whole, follow=not flags & os.O_NOFOLLOW and not exclusive)
        if flags & os.O_PATH:
            self._touch(found)
        elif exclusive or (found.stat is None and flags & os.O_CREAT):
            self._make(found)
        elif found.stat is None or not S_ISREG(found.stat.st_mode):
            self._touch(found)  # a directory also for a file without a name (O_TMPFILE)
        elif not flags & (os.O_ACCMODE | os.O_TRUNC):
            self._record.read(found.path, found.stat)
            if reading and path.startswith(b"/"):
                self._settle(self._read, path)
        elif not os.access(found.path, os.W_OK):
            self._record.exists(found.path)
        elif flags & os.O_TRUNC:
            self._record.overwrite(found.path)
        else:
            self._record.change(found.path, found.stat)

    def _touch(self, found: Found) -> None:
        """A look-up without a look inside."""
        if found.stat is None:
            self._record.misses(found.path)
        elif S_ISLNK(found.stat.st_mode):
            self._record.read(found.path, found.stat)
        else:
            self._record.exists(found.path)

    def _rename(
        self, data: Data, old: tuple[int | None, int], new: tuple[int | None, int], flags: int
    ) -> None:
        source = self._found(self._argument(data, old), follow=False)
        target = self._find(self._argument(data, new), follow=False)
        if source.stat is None or not self._may_replace(source, target, flags):
            return
        pairs = [(source, target)]
        if flags & _RENAME_EXCHANGE and target.stat is not None:
            pairs.append((target, source))
        moves = [
            (here.path + path, there.path + path, stat) for here, there in pairs for path, stat in below(here)
        ]
        for path, _, stat in moves:
            if not S_ISDIR(stat.st_mode):
                self._record.read(path, stat)
        for path, _, _ in moves:
            self._record.remove(path)
        for _, path, stat in moves:
            (self._record.write if S_ISDIR(stat.st_mode) else self._record.overwrite)(path)
        self._names_changed()

    def _may_replace(self, source: Found, target: Found, flags: int) -> bool:
        """Whether the kernel will do this rename, and it will do anything."""
        assert source.stat is not None
        if target.path.startswith(source.path + b"/"):
            return False
        if target.stat is None:
            return self._has_parent(target)
        if flags & _RENAME_EXCHANGE:
            return True
        both = S_ISDIR(source.stat.st_mode), S_ISDIR(target.stat.st_mode)
        if flags & _RENAME_NOREPLACE or both[0] != both[1] or (both[1] and not _is_empty(target.path)):
            self._record.exists(target.path)
            return False
        return not os.path.samestat(source.stat, target.stat)

    def _link(self, data: Data, old: tuple[int | None, int], new: tuple[int | None, int], flags: int) -> None:
        target = self._find(self._argument(data, new), follow=False)
        if flags & _AT_EMPTY_PATH:  # an unnamed file, whose content is the command's own
            self._make(target)
        else:
            source = self._found(self._argument(data, old), follow=bool(flags & _AT_SYMLINK_FOLLOW))
            if source.stat is not None and not S_ISDIR(source.stat.st_mode) and self._make(target):
                self._record.read(source.path, source.stat)
        self._names_changed()

    def _execute(self, data: Data, directory: int | None, position: int) -> None:
        path = self._memory.text(data[1], data[ARGUMENT + position])
        self._memory.forget()
        if path is None:
            raise Gone
        if not path and directory is not None:
            whole = memory.link(data[1], f"fd/{_signed(data[ARGUMENT + directory])}")
            if whole is None:
                raise Gone
        else:
            whole = self._where(data, directory, path)
        for _ in range(_SCRIPT_DEPTH):
            found = self._found(whole, follow=True)
            if found.stat is None or not S_ISREG(found.stat.st_mode):
                return
            self._record.read(found.path, found.stat)
            name, head = os.fsdecode(found.path), _head(found.path)
            if found.stat.st_mode & S_ISUID and found.stat.st_uid != os.geteuid():
                self._record.notes[f"`{name}` is setuid and got no privileges, because it was observed"] = (
                    None
                )
            if head.startswith(_ELF_32):
                self._record.notes[f"`{name}` is a 32-bit program, which cannot run while observed"] = None
            interpreter = _interpreter(head)
            if interpreter is None:
                return
            whole = self._where(data, None, interpreter)

    def _speak(self, data: Data, address: int, size: int) -> None:
        sockaddr = self._memory.read(data[1], address, min(size & 0xFFFFFFFF, 128)) if address else b""
        where = beyond(sockaddr) or self._services.foreign(data[1], sockaddr)
        if where is not None and self._listener.is_waiting(data[0]):
            self._record.addresses[where] = None


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def _is_empty(path: bytes) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _head(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEADER)
    except OSError:
        return b""


def _interpreter(head: bytes) -> bytes | None:
    """What the kernel runs for a script that begins with `#!`, else None."""
    words = head[2:].split(b"\n", 1)[0].split(None, 1)
    return words[0] if head.startswith(b"#!") and words else None
