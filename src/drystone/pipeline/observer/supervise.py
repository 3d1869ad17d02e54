"""Run one command and say what it read and wrote."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from drystone.core.errors import UsageError
from drystone.pipeline.observation import Ended, Observation
from drystone.pipeline.observer import memory
from drystone.pipeline.observer.answer import answerer
from drystone.pipeline.observer.interpreters import STARTUP, hastened
from drystone.pipeline.observer.keeper import Kept, Launch, children, start
from drystone.pipeline.observer.network import Services
from drystone.pipeline.observer.record import Record, Scope
from drystone.pipeline.observer.report import report
from drystone.pipeline.observer.scan import difference, small, snapshot
from drystone.pipeline.observer.seccomp import Installer, Listener
from drystone.pipeline.observer.syscalls import Machine, here

_OLDEST_KERNEL = (5, 5)  # the first in which a listener can let a call happen
_CHUNK = 65536
_LOOK = 0.1  # seconds between looks at `interrupted`
_NEVER = float("inf")

_Sink = Callable[[bytes], None] | None

_REFUSALS = {
    errno.EBUSY: "another observer is already watching it",
    errno.EPERM: "a sandbox forbids observation here",
    errno.EACCES: "a sandbox forbids observation here",
    errno.ECHILD: "it ended before it began",
}


def observe(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    root: Path,
    output: Callable[[bytes], None] | None,
    errors: Callable[[bytes], None] | None = None,
    ignore: Iterable[Path] = (),
    keep: Callable[[Path], None] | None = None,
    wrote: Callable[[Path], None] | None = None,
    timeout: float | None = None,
    interrupted: threading.Event | None = None,
    stop_signal: Callable[[], int] = lambda: signal.SIGTERM,
    grace: float = 5.0,
    settle: float = 1.0,
    inherit_stdin: bool = False,
) -> Observation:
    """Run `command` to its end and report what it and its descendants did to files.

    The command gets a process group of its own, `cwd` (absolute), `env`, and /dev/null as standard input
    unless `inherit_stdin`. (A Python starts with two more variables, which make its imports fast, and takes
    them back before the program begins; see `interpreters`.) Its standard output and error arrive together,
    as chunks, at `output`; where there is `errors`, standard error arrives there. A command that is not found
    ends with 127, one that cannot be executed with 126, with the reason in its output.

    Paths below `ignore`, /proc, /sys, /dev (but for /dev/shm) and the root's `.drystone` are not recorded; a
    prefix that contains `root` does not reach into it. `keep` is told, just before, each file below `root`
    that the command did not make and is about to remove, to rename, or to change; `wrote` the root, if the
    command is observed, and each path below it that the command is about to write.

    After `timeout` seconds, on `interrupted` or KeyboardInterrupt, the process group gets SIGTERM (when
    interrupted, the signal that `stop_signal` then says), and after `grace` seconds, or at a second
    KeyboardInterrupt, everything gets SIGKILL. What the command leaves
    running has `settle` seconds to end, then SIGKILL; that makes the observation partial. If the calling
    process dies, all of it is killed.

    Where observing is not possible the command runs all the same, the observation is partial, and what was
    written is found by comparing the workspace before and after; `keep` is told all files but large ones. An
    exception that `output` raises is passed on after everything has been killed.
    """
    if not command:
        raise UsageError("there is no command to run")
    scope = Scope(os.fsencode(root.resolve()), [*ignore, STARTUP])
    record = Record(scope, keep, wrote)
    machine = here()
    installer = Installer(machine) if machine is not None and _kernel() >= _OLDEST_KERNEL else None
    began = time.monotonic()
    faster = hastened(command, env, scope)
    apart = errors is not None
    kept = start(Launch(list(command), str(cwd), dict(env), faster, inherit_stdin, apart, installer))
    execution = _Execution(kept, (output, errors), timeout, interrupted, stop_signal, grace, settle)
    try:
        _accompany(kept, execution, machine, record)
    finally:
        kept.close()
    record.unseen.update(execution.left)
    return report(record, kept, execution.ended, execution.finished - began)


def _accompany(kept: Kept, execution: _Execution, machine: Machine | None, record: Record) -> None:
    """Watch the command to its end; where it has no listener, compare the workspace instead."""
    answer = kept.listener()
    if machine is None or isinstance(answer, OSError):
        before = snapshot(record.scope)
        record.keep_all(small(before))
        kept.go()
        execution.run(None, None)
        record.writes, record.removed = difference(before, snapshot(record.scope))
        record.changed = {path for path in record.writes if path in before}
        record.unseen[_unobserved(answer)] = None
        return
    record.begins()
    listener, looked_into = Listener(answer), memory.Memory()
    try:
        execution.run(listener.fd, answerer(listener, looked_into, machine, record, Services(kept.keeper)))
    finally:
        looked_into.forget()
        listener.close()


class _Execution:
    """The loop around one execution: answers, hands on output, watches the clock, ends it in time."""

    def __init__(
        self,
        kept: Kept,
        sinks: tuple[_Sink, _Sink],
        timeout: float | None,
        interrupted: threading.Event | None,
        stop_signal: Callable[[], int],
        grace: float,
        settle: float,
    ) -> None:
        self.ended: Ended = "exited"
        self.finished = 0.0
        self.left: dict[str, None] = {}
        self._kept = kept
        self._sinks = dict(zip(kept.outputs, sinks, strict=False))
        self._interrupted = interrupted
        self._stop_signal = stop_signal
        self._grace = grace
        self._settle = settle
        self._deadline = _NEVER if timeout is None else time.monotonic() + timeout
        self._at_deadline: Callable[[], None] = self._time_out
        self._look = _NEVER if interrupted is None else 0.0

    def run(self, listener: int | None, answer: Callable[[], None] | None) -> None:
        """Return when no process of the command is left."""
        poll = select.poll()
        for pipe in self._sinks:
            poll.register(pipe, select.POLLIN)
        poll.register(self._kept.watch, select.POLLIN)
        if listener is not None:
            poll.register(listener, select.POLLIN)
        running = True
        while running:
            try:
                running = self._turn(poll, listener, answer)
            except KeyboardInterrupt:
                self._stop("interrupted")
        if self._kept.status is None:
            self._kept.signal(signal.SIGKILL)  # the keeper was killed and can do it no more
        self.finished = self.finished or time.monotonic()
        for pipe in self._sinks:
            while self._hand_on(pipe):
                pass

    def _turn(self, poll: select.poll, listener: int | None, answer: Callable[[], None] | None) -> bool:
        """Turn until the keeper has ended; false then."""
        kept, clock = self._kept, time.monotonic
        now = clock()
        while True:
            due = min(self._deadline, self._look)
            for fd, event in poll.poll(None if due == _NEVER else max(0.0, due - now) * 1000):
                if fd == listener:
                    if answer is not None and event & select.POLLIN:
                        answer()
                    else:
                        poll.unregister(fd)  # nobody is under the filter any more
                elif fd in self._sinks:
                    if not self._hand_on(fd):
                        poll.unregister(fd)
                elif not kept.heard():
                    return False
                elif kept.status is not None and not self.finished:
                    self._command_ended()
            now = clock()
            if now >= due:
                self._on_time(now)

    def _hand_on(self, pipe: int) -> bool:
        """Pass on one chunk of output; false when there is none."""
        try:
            chunk = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        sink = self._sinks[pipe]
        if chunk and sink is not None:
            sink(chunk)
        return bool(chunk)

    def _on_time(self, now: float) -> None:
        if self._interrupted is not None and now >= self._look:
            self._look = now + _LOOK
            if self._interrupted.is_set():
                self._look = _NEVER
                self._stop("interrupted")
        if now >= self._deadline:
            self._at_deadline()

    def _time_out(self) -> None:
        self._stop("timeout")

    def _stop(self, why: Ended) -> None:
        """Ask the group to end; whoever asks a second time, or when only leftovers run, means it."""
        if self.ended != "exited" or self.finished:
            self._kill()
            return
        self.ended = why
        self._kept.signal(self._stop_signal() if why == "interrupted" else signal.SIGTERM)
        self._deadline, self._at_deadline = time.monotonic() + self._grace, self._kill

    def _command_ended(self) -> None:
        self.finished = time.monotonic()
        self._deadline, self._at_deadline = self.finished + self._settle, self._end_leftovers

    def _end_leftovers(self) -> None:
        if self.ended == "exited":
            for pid in children(self._kept.keeper):
                self.left[
                    f"`{memory.comm(pid)}` was still running when the command had ended, and was killed"
                ] = None
        self._kill()

    def _kill(self) -> None:
        self._deadline = _NEVER
        self._kept.kill()


def _kernel() -> tuple[int, ...]:
    """The kernel's version as far as it is numbers."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2] if part.isdecimal())


def _unobserved(answer: int | OSError) -> str:
    number = answer.errno if isinstance(answer, OSError) else None
    if here() is None:
        because = "files can be observed only on Linux, on x86_64 and aarch64"
    else:
        because = _REFUSALS.get(number or 0, "this kernel does not offer observation")
    return f"it ran unobserved: {because}"
