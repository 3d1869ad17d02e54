"""What an observed process has in memory and in its tables, read through /proc."""

# a Path would cost more than the read
# ruff: noqa: PTH115, PTH123

from __future__ import annotations

import os
import re

_CHUNK = 256
_PATH_MAX = 4096
_KEPT = 64
_LEADING_ON = re.compile(
    rb"/proc/(?P<pid>self|thread-self|[0-9]+)/(?P<name>cwd|root|fd/[0-9]+)(?P<rest>/.+)", re.DOTALL
)


class Unreadable(Exception):
    """The process does not let itself be looked into; `comm` is its name."""

    def __init__(self, comm: str) -> None:
        super().__init__(comm)
        self.comm = comm


class Memory:
    """Reads by thread id. Descriptors are kept until the next execve: a new image has a new memory."""

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}

    def forget(self) -> None:
        """Close all that is kept; what is read next is opened anew."""
        for fd in self.kept.values():
            os.close(fd)
        self.kept.clear()

    def drop(self, pid: int) -> None:
        """Close what is kept of one thread."""
        fd = self.kept.pop(pid, None)
        if fd is not None:
            os.close(fd)

    def _open(self, pid: int) -> int:
        if len(self.kept) >= _KEPT:
            self.forget()
        try:
            fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            raise Unreadable(comm(pid)) from None
        self.kept[pid] = fd
        return fd

    def read(self, pid: int, address: int, size: int) -> bytes:
        """Up to `size` bytes; fewer, or none, where the process has no memory there.

        Raises Unreadable when the process may not be looked into, FileNotFoundError when it is gone.
        """
        fd = self.kept.get(pid)
        if fd is not None:
            data = _read(fd, size, address)
            if data:
                return data
            self.drop(pid)  # the memory may be that of an image before execve, or of a dead namesake
        return _read(self._open(pid), size, address)

    def text(self, pid: int, address: int) -> bytes | None:
        """The string at `address`, or None where the kernel will answer EFAULT or ENAMETOOLONG."""
        data = self.read(pid, address, _CHUNK)
        end = data.find(0)
        if end < 0 and len(data) == _CHUNK:
            data = self.read(pid, address, _PATH_MAX)
            end = data.find(0)
        return data[:end] if end >= 0 else None


def _read(fd: int, size: int, address: int) -> bytes:
    try:
        return os.pread(fd, size, address)
    except (OSError, OverflowError):
        return b""


def link(pid: int, name: str) -> bytes | None:
    """Where `/proc/PID/NAME` points when that is a path, else None. Raises Unreadable."""
    try:
        target = os.readlink(b"/proc/%d/%s" % (pid, name.encode()))
    except PermissionError:
        raise Unreadable(comm(pid)) from None
    except OSError:
        return None
    return target if target.startswith(b"/") else None


def through(pid: int, path: bytes) -> bytes | None:
    """What a path below `/proc/PID/cwd`, `root` or `fd/N` means to a thread: the path that it leads to.

    None for all else in `/proc`, and for what is no path. Raises Unreadable.
    """
    found = _LEADING_ON.fullmatch(path)
    if found is None:
        return None
    whose = pid if found["pid"] in (b"self", b"thread-self") else int(found["pid"])
    base = link(whose, found["name"].decode())
    return base if base is None else base.rstrip(b"/") + found["rest"]


def comm(pid: int) -> str:
    """The process' short name, for a message."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return str(pid)


def peak(pid: int) -> int:
    """The largest resident size that its present image has had, in bytes; 0 when it cannot be told."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            status = file.read()
    except OSError:
        return 0
    start = status.find(b"VmHWM:")
    return int(status[start + 6 :].split(None, 1)[0]) * 1024 if start >= 0 else 0
