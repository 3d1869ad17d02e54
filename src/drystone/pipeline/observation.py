"""What the observer tells the engine about one execution, before anything is hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Label = Literal["proven", "partial", "impure"]
Ended = Literal["exited", "signal", "timeout", "interrupted"]


class Observation(msgspec.Struct, frozen=True):
    """Every path is absolute, lexically normal and has no symlink above its last component.

    The last component of a path in `reads` may itself be a symlink: then its target (the text) was read,
    and what it leads to has its own entry.

    Attributes:
        exit_code: as a shell gives it, 128 + N for signal N.
        ended: how the command ended; `timeout` and `interrupted` killed its whole process group.
        reads: files opened for reading or executed, links gone through, that existed, each with the `stat`
            taken when it was first read: (device, inode, size, mtime_ns, ctime_ns). Also what was changed in
            part (appended to, opened for writing without truncation) or renamed: the result depends on it. A
            path that the command itself wrote before it first read it is not an input and is not here.
        absent: paths looked up (open, stat, access, readlink, execve) that did not exist, and had not been
            removed by the command. It may have gone on to write them: then they are in `writes` too.
        listed: directories whose names were read; the names may include the command's own writes.
        writes: paths opened for writing, created, truncated, renamed to, linked or made a directory,
            whether or not they still exist.
        removed: paths unlinked, rmdir-ed or renamed away, and not written again.
        label: `proven` everything was seen; `partial` it could not be, or processes were left behind;
            `impure` the command connected to another machine, or to a service of this one that it had not
            started itself. What is both is `partial`.
        why: what there is to say, clauses joined by "; ": always for a label other than `proven`, and for a
            setuid program, which gets no privileges under observation.
        seconds: wall time until the command itself ended.
        cpu: user and system time of all its processes.
        peak: resident bytes of the largest process.
        present: paths whose existence or metadata was looked up, that existed (directories above the
            workspace left out). May overlap `reads`.
        changed: only of a command that ran unobserved: those of `writes` that were there before. Nobody saw
            whether it read them first.
        scanned: those of `listed` that only Python's imports listed.
    """

    exit_code: int
    ended: Ended
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
    present: frozenset[Path] = frozenset()
    changed: frozenset[Path] = frozenset()
    scanned: frozenset[Path] = frozenset()
