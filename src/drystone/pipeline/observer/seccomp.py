"""The kernel's side: the filter that asks and the listener that is asked; seccomp(2), seccomp_unotify(2)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct

from drystone.pipeline.observer.syscalls import IO_URING_SETUP, LAST, LISTING, UNSEEN, Machine

Instruction = tuple[int, int, int, int]

_LOAD, _EQUAL, _GREATER, _RETURN = 0x20, 0x15, 0x25, 0x06
_ALLOW, _ASK, _NOSYS = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE = 0, 4
_AT_EMPTY_PATH = 0x1000
# flags that no program gives to sendmsg: MSG_NOSIGNAL, and MSG_CMSG_CLOEXEC, which means nothing there
HANDING_OVER = 0x40004000

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 38, 36
_SET_MODE_FILTER, _SPEC_ALLOW, _NEW_LISTENER, _WAIT_KILLABLE = 1, 4, 8, 0x20

RECEIVE, SEND = 0xC0502100, 0xC0182101
_VALID, _SET_FLAGS, _SYNC_WAKE_UP = 0x80082102, 0x40082104, 1

# struct seccomp_notif: id, pid, flags; seccomp_data: number, architecture, instruction pointer, arguments
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
ARGUMENT = 6  # position of the first argument in an unpacked notification
# struct seccomp_notif_resp: id, value, error, flags (CONTINUE)
_RESPONSE = struct.Struct("=QqiI")
_CONTINUE = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


def program(machine: Machine) -> list[Instruction]:
    """The filter as (code, jump if true, jump if false, constant).

    A foreign architecture, a number beyond the table (x32 included) and `io_uring_setup` get ENOSYS; the
    calls of the table ask the listener; everything else is allowed. Five calls ask not in every form:
    `sendto` when it names an address; `newfstatat` unless its flags are exactly AT_EMPTY_PATH, which is how a
    C library spells fstat; `sendmsg` unless with HANDING_OVER, or the listener could never leave its process;
    `newfstatat` and `openat` unless marked UNSEEN; `getdents64` unless marked LISTING.
    """
    conditional = [
        machine.numbers[name] for name in ("sendto", "sendmsg", "newfstatat", "openat", "getdents64")
    ]
    sendto, sendmsg, newfstatat, openat, getdents = conditional
    asked = [number for number in machine.calls if number not in conditional]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _NOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, LAST),
        (_RETURN, 0, 0, _NOSYS),
        (_EQUAL, 0, 1, IO_URING_SETUP),
        (_RETURN, 0, 0, _NOSYS),
        *_allowed_if(newfstatat, (0, UNSEEN), (3, _AT_EMPTY_PATH)),
        *_allowed_if(openat, (0, UNSEEN)),
        *_allowed_if(getdents, (2, LISTING)),
        *_allowed_if(sendmsg, (2, HANDING_OVER)),
        (_EQUAL, 0, 6, sendto),
        (_LOAD, 0, 0, _argument(4)),
        (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _argument(4) + 4),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ASK),
        *((_EQUAL, len(asked) - position, 0, number) for position, number in enumerate(asked)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ASK),
    ]


def _argument(position: int) -> int:
    """Where the low half of an argument stands in `struct seccomp_data`; both machines are little-endian."""
    return 16 + 8 * position


def _allowed_if(number: int, *cases: tuple[int, int]) -> list[Instruction]:
    """Allow the call if the low half of one of these arguments has that value, else ask."""
    tests: list[Instruction] = []
    for position, value in cases:
        tests += [
            (_LOAD, 0, 0, _argument(position)),
            (_EQUAL, 0, 1, value & 0xFFFFFFFF),
            (_RETURN, 0, 0, _ALLOW),
        ]
    return [(_EQUAL, 0, len(tests) + 1, number), *tests, (_RETURN, 0, 0, _ASK)]


class Installer:
    """Puts the filter on the calling process; made before the fork, so that nothing is allocated after it."""

    def __init__(self, machine: Machine) -> None:
        instructions = program(machine)
        self._filters = (_Filter * len(instructions))(*(_Filter(*one) for one in instructions))
        self._program = _Program(len(instructions), self._filters)
        self._number = machine.seccomp

    def install(self) -> int:
        """The listener's file descriptor. From here on the process can gain no privileges.

        Raises OSError: EBUSY when an observer is already above this process, ENOSYS or EINVAL on a kernel
        without listeners, EPERM or EACCES where a sandbox forbids them.
        """
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        # SPEC_ALLOW: this is no sandbox, so the command need not run with the slow speculation of one.
        # WAIT_KILLABLE (5.19): a signal does not interrupt a call that is being answered.
        for flags in (_NEW_LISTENER | _SPEC_ALLOW | _WAIT_KILLABLE, _NEW_LISTENER | _SPEC_ALLOW):
            listener: int = _libc.syscall(self._number, _SET_MODE_FILTER, flags, ctypes.byref(self._program))
            if listener >= 0:
                return listener
            if ctypes.get_errno() != errno.EINVAL:
                break
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to signal this process when the thread that forked it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def continuing() -> bytearray:
    """A response that lets a call happen; its first eight bytes are for the notification's id."""
    return bytearray(_RESPONSE.pack(0, 0, 0, _CONTINUE))


class Listener:
    """The end on which notifications arrive. Owns `fd`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        with contextlib.suppress(OSError):
            # 6.6: wake the asking process on this processor; three times slower without
            fcntl.ioctl(fd, _SET_FLAGS, _SYNC_WAKE_UP)

    def is_waiting(self, notification: int) -> bool:
        """Whether that call still waits, so that what was read was its own and not a successor's."""
        try:
            fcntl.ioctl(self.fd, _VALID, struct.pack("=Q", notification))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """From here on every asked call of the processes under the filter fails with ENOSYS."""
        os.close(self.fd)
