"""Work for all processors: shares of it are done by forked processes.

Where each of many thousand items costs some microseconds of Python, threads merely take turns. A forked
process has at hand all that this one has, and starts in milliseconds.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Generic, NoReturn, TypeVar, cast
from weakref import WeakSet

from drystone.core.errors import WorkFailed

_MOST = 8  # processes; beyond, the disk is what is waited for

#: Threads without which a forked process can do, and whose locks no shared work takes.
bystanders: WeakSet[threading.Thread] = WeakSet()
_share = 0  # which share this process does

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], *, least: int) -> list[Result]:
    """What `work` gives for consecutive shares of `items`, in their order.

    This process does the first share itself, and all where there is but one processor, or where it has
    threads other than `bystanders`: a fork would take their locks along and not them.

    Args:
        work: what it gives or raises must be picklable; what it changes in memory is lost.
        items: what to share out.
        least: so many of them are worth a process.

    Raises:
        WorkFailed: a process was killed.
        Exception: what `work` raises. The other processes are killed then.
    """
    number = min(_MOST, processors(), len(items) // least)
    if number < 2 or not _may_fork():
        return [work(items)]
    ends = [len(items) * place // number for place in range(number + 1)]
    shares = [items[start:end] for start, end in pairwise(ends)]
    helpers: list[_Helper[Result]] = []
    try:
        for place, share in enumerate(shares[1:], start=1):
            helpers.append(_Helper(work, share, place))
        return [work(shares[0]), *[helper.result() for helper in helpers]]
    finally:
        for helper in helpers:
            helper.end()


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _may_fork() -> bool:
    needless = sum(thread.is_alive() for thread in bystanders)
    try:
        return len(os.listdir("/proc/self/task")) == 1 + needless  # noqa: PTH208  those of libraries, too
    except OSError:
        return False


class Tally:
    """Told of work by all processes that share it, passes the sum on in the one that shared it out.

    Args:
        told: is told how much more was done.
    """

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told
        self._sums = memoryview(mmap.mmap(-1, (_MOST + 1) * 8)).cast("Q")
        self._passed_on = 0

    def __call__(self, size: int) -> None:
        """So much more is done."""
        self._sums[_share] += size
        if not _share:
            done = sum(self._sums)
            self._told(done - self._passed_on)
            self._passed_on = done


class _Helper(Generic[Result]):
    """A forked process and the pipe on which its result comes."""

    def __init__(self, work: Callable[[Sequence[Item]], Result], share: Sequence[Item], place: int) -> None:
        self._pipe, pipe = os.pipe()
        try:
            self._pid: int | None = os.fork()
        except OSError:
            self._pid = None
            os.close(self._pipe)
            os.close(pipe)
            raise
        if self._pid == 0:
            _help(work, share, place, pipe)
        os.close(pipe)

    def result(self) -> Result:
        """Waits for it."""
        import pickle

        with open(self._pipe, "rb", closefd=False) as pipe:
            answer = pipe.read()
        status = self._reaped()
        try:
            error, found = cast("tuple[Exception | None, Result]", pickle.loads(answer))
        except (EOFError, pickle.UnpicklingError):
            killed = os.WIFSIGNALED(status)
            raise WorkFailed(
                "a process that did part of the work ended before it was done",
                because=f"it was killed by {signal.Signals(os.WTERMSIG(status)).name}" if killed else (),
                hints=["run the same command again; nothing is lost"],
            ) from None
        if error is not None:
            raise error
        return found

    def end(self) -> None:
        """No process is left of it."""
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._reaped()
        os.close(self._pipe)

    def _reaped(self) -> int:
        assert self._pid is not None
        pid, self._pid = self._pid, None
        try:
            return os.waitpid(pid, 0)[1]
        except ChildProcessError:  # where SIGCHLD is ignored nothing is kept of it
            return 0


def _help(work: Callable[[Sequence[Item]], object], share: Sequence[Item], place: int, pipe: int) -> NoReturn:
    """Do the share and end, leaving alone all that the forked process was in the middle of."""
    import pickle  # most commands never get here

    global _share
    _share = place
    try:
        try:
            answer = pickle.dumps((None, work(share)))
        except Exception as error:  # noqa: BLE001  it is raised where somebody waits
            answer = pickle.dumps((error, None))
        with open(pipe, "wb") as stream:
            stream.write(answer)
        os._exit(0)
    finally:
        os._exit(1)
