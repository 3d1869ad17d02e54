"""Which system calls name a file or an address, where their arguments stand, and their numbers.

Sources: the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` and `scripts/syscall.tbl` (aarch64 has only
the generic calls). Calls that act on an open file descriptor are not here: the file was named when it was
opened. Neither are those that change or read only owner, times or extended attributes.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple


class Call(NamedTuple):
    """How one system call is understood: `act` names the method of `calls.Calls` that records it.

    `directory`, `path` and `extra` are argument positions; `path` is None for a call without exactly one
    path, which its method takes apart itself. `nofollow` is the flag in `extra` that keeps the last
    component from being followed; `always` means it never is.
    """

    act: str
    path: int | None = None
    directory: int | None = None
    extra: int | None = None
    nofollow: int = 0
    always: bool = False


class Machine(NamedTuple):
    """One architecture: its audit number, that of `seccomp` itself, and the calls by name and by number."""

    audit: int
    seccomp: int
    numbers: dict[str, int]
    calls: dict[int, Call]


AT_SYMLINK_NOFOLLOW = 0x100

# A directory descriptor that is none. The kernel ignores it where the path is absolute, so a process can say
# with it that a path lies below a prefix that nobody watches; `startup/sitecustomize.py` does.
UNSEEN = -0x44524F50
# Another one, given with an absolute path: a Python says that it begins, or ends, to list that directory in
# order to import from it.
IMPORTS = -0x44524F51

# The size of the buffer with which such a Python lists a directory that nobody watches. No library asks for
# as many bytes.
LISTING = 0x40F50

# What a filter answers with ENOSYS: a ring opens files behind every observer's back, and a call newer than
# this table might. The x32 numbers lie beyond `LAST`, too.
IO_URING_SETUP = 425
LAST = 469

_GENERIC = {
    "openat": Call("opened", 1, 0, 2),
    "openat2": Call("opened_how", 1, 0, 2),
    "execve": Call("executed"),
    "execveat": Call("executed_at"),
    "newfstatat": Call("looked_up", 1, 0, 3, AT_SYMLINK_NOFOLLOW),
    "statx": Call("looked_up", 1, 0, 2, AT_SYMLINK_NOFOLLOW),
    "faccessat": Call("looked_up", 1, 0),
    "faccessat2": Call("looked_up", 1, 0, 3, AT_SYMLINK_NOFOLLOW),
    "readlinkat": Call("looked_up", 1, 0, always=True),
    "chdir": Call("looked_up", 0),
    "truncate": Call("truncated", 0, None, 1),
    "mkdirat": Call("made", 1, 0),
    "mknodat": Call("made", 1, 0),
    "symlinkat": Call("made", 2, 1),
    "unlinkat": Call("unlinked", 1, 0, 2),
    "fchmodat": Call("mode_changed", 1, 0, 2),
    "fchmodat2": Call("mode_changed", 1, 0, 2),
    "renameat": Call("renamed_at"),
    "renameat2": Call("renamed_at2"),
    "linkat": Call("linked_at"),
    "getdents64": Call("listed"),
    "connect": Call("connected"),
    "sendto": Call("sent_to"),
    "sendmsg": Call("sent_message"),
    "sendmmsg": Call("sent_message"),
    "exit_group": Call("exited"),
    "chroot": Call("root_changed"),
    "pivot_root": Call("root_changed"),
    "mount": Call("root_changed"),
    "move_mount": Call("root_changed"),
    "open_by_handle_at": Call("opened_by_handle"),
}

_LEGACY = {
    "open": Call("opened", 0, None, 1),
    "creat": Call("created", 0),
    "stat": Call("looked_up", 0),
    "lstat": Call("looked_up", 0, always=True),
    "access": Call("looked_up", 0),
    "readlink": Call("looked_up", 0, always=True),
    "mkdir": Call("made", 0),
    "mknod": Call("made", 0),
    "symlink": Call("made", 1),
    "unlink": Call("unlinked", 0),
    "rmdir": Call("directory_removed", 0),
    "chmod": Call("mode_changed", 0, None, 1),
    "rename": Call("renamed"),
    "link": Call("linked"),
    "getdents": Call("listed"),
}

# fmt: off
_X86_64 = {
    "open": 2, "stat": 4, "lstat": 6, "access": 21, "connect": 42, "sendto": 44, "sendmsg": 46,
    "execve": 59, "truncate": 76, "getdents": 78, "chdir": 80, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "readlink": 89, "chmod": 90, "mknod": 133,
    "pivot_root": 155, "chroot": 161, "mount": 165, "getdents64": 217, "exit_group": 231, "openat": 257,
    "mkdirat": 258, "mknodat": 259, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "readlinkat": 267, "fchmodat": 268, "faccessat": 269, "open_by_handle_at": 304,
    "sendmmsg": 307, "renameat2": 316, "execveat": 322, "statx": 332, "move_mount": 429, "openat2": 437,
    "faccessat2": 439, "fchmodat2": 452,
}
_AARCH64 = {
    "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38,
    "mount": 40, "pivot_root": 41, "truncate": 45, "faccessat": 48, "chdir": 49, "chroot": 51,
    "fchmodat": 53, "openat": 56, "getdents64": 61, "readlinkat": 78, "newfstatat": 79, "exit_group": 94,
    "connect": 203, "sendto": 206, "sendmsg": 211, "execve": 221, "open_by_handle_at": 265, "sendmmsg": 269,
    "renameat2": 276, "execveat": 281, "statx": 291, "move_mount": 429, "openat2": 437, "faccessat2": 439,
    "fchmodat2": 452,
}
# fmt: on


def _machine(audit: int, seccomp: int, numbers: dict[str, int]) -> Machine:
    known = _GENERIC | _LEGACY
    return Machine(audit, seccomp, numbers, {number: known[name] for name, number in numbers.items()})


MACHINES = {
    "x86_64": _machine(0xC000003E, 317, _X86_64),
    "aarch64": _machine(0xC00000B7, 277, _AARCH64),
}


def here() -> Machine | None:
    """The table for the running interpreter, or None where files cannot be observed this way."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    return MACHINES.get(os.uname().machine)
