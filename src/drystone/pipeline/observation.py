"""What the observer tells the engine about one execution, before anything is hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Label = Literal["proven", "partial", "impure"]


class Observation(msgspec.Struct, frozen=True):
    """Every path is absolute, lexically normal and, except for `absent`, without symlinks in it.

    Attributes:
        exit_code: as a shell gives it, 128 + N for signal N.
        ended: how the command ended; `timeout` and `interrupted` killed its whole process group.
        reads: files opened for reading or executed, that existed, each with the `stat` taken when it
            was first opened: (device, inode, size, mtime_ns, ctime_ns). A path that the command itself
            wrote before it first read it is not an input and is not here.
        absent: paths looked up (open, stat, access, readlink, execve) that did not exist.
        listed: directories whose names were read.
        writes: paths opened for writing, created, truncated, renamed to, linked or made a directory,
            whether or not they still exist.
        removed: paths unlinked, rmdir-ed or renamed away.
        label: `proven` everything was seen; `partial` it could not be; `impure` the command connected
            to something other than loopback or a Unix socket.
        why: one sentence for a label other than `proven`, else "".
        seconds: wall time; `cpu` user and system time, `peak` resident bytes of the largest process.
    """

    exit_code: int
    ended: Literal["exited", "signal", "timeout", "interrupted"]
    reads: dict[Path, tuple[int, int, int, int, int]]
    absent: frozenset[Path]
    listed: frozenset[Path]
    writes: frozenset[Path]
    removed: frozenset[Path]
    label: Label
    why: str
    seconds: float
    cpu: float
    peak: int
