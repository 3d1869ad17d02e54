"""One `drystone run` at a time in one project: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from drystone.core.clock import Clock, to_iso
from drystone.core.errors import Conflict
from drystone.core.layout import Layout

#: Seconds between two looks at a guard that somebody else holds.
_LOOK = 0.1


class Holder(msgspec.Struct, frozen=True):
    """Who holds the pipeline: a process, since when (nanoseconds since the epoch)."""

    pid: int
    since: int


@contextmanager
def guard(
    layout: Layout, clock: Clock, pid: int, *, wait: bool, interrupted: threading.Event
) -> Iterator[bool]:
    """Hold the pipeline of a project.

    Args:
        layout: of the project.
        clock: tells since when.
        pid: this process, told to whoever comes second.
        wait: wait for whoever holds it, instead of raising.
        interrupted: ends the waiting.

    Yields:
        whether it is held: False if the waiting was ended.

    Raises:
        Conflict: another process holds it.
    """
    layout.guards.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(layout.guards / "pipeline", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _locked(descriptor):
            if not wait:
                raise _busy(os.pread(descriptor, 4096, 0))
            if interrupted.wait(_LOOK):
                yield False
                return
        note = msgspec.json.encode(Holder(pid, clock.now()))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note, 0)
        yield True
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(note: bytes) -> Conflict:
    try:
        holder = msgspec.json.decode(note, type=Holder)
        because = f"process {holder.pid} runs steps here since {to_iso(holder.since)}"
    except msgspec.MsgspecError:
        because = "another process has just begun to run steps here"
    return Conflict(
        "the pipeline is busy",
        because=because,
        hints=["wait for it with `drystone run --wait`"],
    )
