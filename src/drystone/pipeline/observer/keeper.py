"""Two processes per execution: the command, and a keeper that outlives neither the observer nor the command.

The keeper is a fork of the observer that never executes anything. It is the parent of the command and adopts
whatever the command leaves behind; when the observer asks, or dies, it kills all of them, and it ends when
none is left. So no process of a step survives its observer, by SIGKILL or otherwise.
"""

# after a fork the plainest calls are the best
# ruff: noqa: PTH110, PTH123, PTH208

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from drystone.pipeline.observer import seccomp

# kind, then of the command: for `pid` its pid, for `end` its wait status, for `cost` the seconds of processor
# and the bytes of the largest process
_MESSAGE = struct.Struct("=cdq")
_PID, _END, _COST = b"p", b"e", b"c"
_OBSERVED, _REFUSED = b"o", b"r"
_KILL, _GO = b"k", b"g"
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_LINUX = sys.platform == "linux"


@dataclass(frozen=True)
class Launch:
    """What to start and with what."""

    command: list[str]
    cwd: str
    env: Mapping[str, str]
    env_observed: Mapping[str, str]
    inherit_stdin: bool
    errors_apart: bool
    installer: seccomp.Installer | None


class Kept:
    """The observer's end: the command's pid and the sockets to both processes. It owns its descriptors.

    `outputs` are the pipes of its standard output and, where that is kept apart, standard error.
    """

    def __init__(self, keeper: int, watch: socket.socket, setup: socket.socket, outputs: list[int]) -> None:
        self.keeper = keeper
        self.watch = watch
        self.outputs = outputs
        self.pid = 0
        self.status: int | None = None
        self.processor = 0.0
        self.largest = 0
        self._setup = setup

    def listener(self) -> int | OSError:
        """The listener of the command's filter, or why there is none; then the command waits for `go`."""
        self.heard()
        message, descriptors, _, _ = socket.recv_fds(self._setup, 5, 1)
        if message.startswith(_OBSERVED) and descriptors:
            return descriptors[0]
        number = struct.unpack_from("=i", message, 1)[0] if len(message) == 5 else errno.ECHILD
        return OSError(number, os.strerror(number))

    def go(self) -> None:
        """Let an unobserved command begin."""
        with contextlib.suppress(OSError):
            self._setup.send(_GO)

    def heard(self) -> bool:
        """Take the keeper's next message about the command. False when the keeper has ended."""
        try:
            message = self.watch.recv(_MESSAGE.size, socket.MSG_WAITALL)
        except ConnectionError:
            message = b""
        if len(message) < _MESSAGE.size:
            return False
        kind, seconds, number = _MESSAGE.unpack(message)
        if kind == _PID:
            self.pid = number
        elif kind == _END:
            self.status = number
        else:
            self.processor, self.largest = seconds, number
        return True

    def signal(self, number: int) -> None:
        """Signal the command's process group."""
        if not self.pid:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill every process of the command, whatever group it has moved to."""
        with contextlib.suppress(OSError):
            self.watch.send(_KILL)

    def close(self) -> None:
        """Let go. Whatever still runs is killed; the keeper is reaped."""
        for end in (self.watch, self._setup):
            end.close()
        for pipe in self.outputs:
            os.close(pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.keeper, 0)


def start(launch: Launch) -> Kept:
    """Start keeper and command. The command waits until its listener is taken or `go` is given."""
    watch, keeper_watch = socket.socketpair()
    setup, command_setup = socket.socketpair()
    pipes = [os.pipe() for _ in range(2 if launch.errors_apart else 1)]
    keeper = os.fork()
    if keeper == 0:
        with _no_return():
            watch.close()  # or the observer's death would not be noticed
            setup.close()
            for output, _ in pipes:
                os.close(output)
            _keep(launch, keeper_watch, command_setup, pipes[0][1], pipes[-1][1])
    keeper_watch.close()
    command_setup.close()
    for output, command_output in pipes:
        os.close(command_output)
        os.set_blocking(output, False)
    return Kept(keeper, watch, setup, [output for output, _ in pipes])


class _no_return(contextlib.AbstractContextManager[None]):  # noqa: N801
    """Nothing of a forked process, an exception included, runs back into the observer's code."""

    def __exit__(self, *_: object) -> NoReturn:
        os._exit(70)


def _keep(launch: Launch, watch: socket.socket, setup: socket.socket, output: int, errors: int) -> None:
    gc.disable()  # a collection would only copy the observer's pages
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    if _LINUX:
        seccomp.adopt_orphans()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(ended, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    keeper = os.getpid()
    command = os.fork()
    if command == 0:
        with _no_return():
            _begin(launch, keeper, setup, output, errors)
    # Only now: libraries of the observer mend their own descriptors at each fork, and some, Arrow for
    # one, abort when they find them closed.
    for fd in _descriptors() - {0, 1, 2, watch.fileno(), ended, wake}:
        os.close(fd)
    _tell(watch, _PID, number=command)
    _wait(command, watch, ended)
    os._exit(0)


def _wait(command: int, watch: socket.socket, ended: int) -> None:
    """Reap until no process is left, killing all once the observer says so or is gone."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    poll.register(ended, select.POLLIN)
    killing = False
    while _reap(command, watch):
        if killing:
            _kill_all(command)
        for fd, _ in poll.poll(20 if killing else None):
            if fd == ended:
                with contextlib.suppress(BlockingIOError):
                    os.read(ended, 4096)
            else:
                killing = True
                poll.unregister(watch)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    _tell(watch, _COST, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1024 if _LINUX else 1))


def _reap(command: int, watch: socket.socket) -> bool:
    """Take in all that have ended; whether any process is left."""
    try:
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            if ended[0] == command:
                _tell(watch, _END, number=ended[1])
    except ChildProcessError:
        return False
    return True


def _tell(watch: socket.socket, kind: bytes, seconds: float = 0.0, number: int = 0) -> None:
    with contextlib.suppress(OSError):  # the observer may be gone
        watch.send(_MESSAGE.pack(kind, seconds, number))


def _kill_all(command: int) -> None:
    """Kill the group and every child; grandchildren then become children and are met at the next turn."""
    for kill, pid in ((os.killpg, command), *((os.kill, child) for child in children(os.getpid()))):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def children(parent: int) -> list[int]:
    """The processes whose parent is `parent`, from /proc; none where there is no /proc."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                    # the name in parentheses may itself hold any character
                    if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                        found.append(int(name))
    return found


def _begin(launch: Launch, keeper: int, setup: socket.socket, output: int, errors: int) -> None:
    """Become the command. Ends this process in every case."""
    os.setsid()
    if _LINUX:
        seccomp.die_with_parent(signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(70)
    if not launch.inherit_stdin:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for fd in _descriptors() - {0, 1, 2}:
        os.set_inheritable(fd, False)  # the command gets none of the observer's
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    command = launch.command[0]
    try:
        os.chdir(launch.cwd)
    except OSError as error:
        _give_up(_NOT_EXECUTABLE, launch.cwd, error)
    try:
        observed = _observed(launch.installer, setup)
        if observed or setup.recv(1) == _GO:
            setup.close()
            os.execvpe(command, launch.command, launch.env_observed if observed else launch.env)
    except FileNotFoundError:
        missing = "its interpreter was not found" if os.path.exists(command) else "command not found"
        _give_up(_NOT_FOUND, command, missing)
    except (OSError, ValueError) as error:
        _give_up(_NOT_EXECUTABLE, command, error)


def _give_up(code: int, what: str, why: OSError | ValueError | str) -> NoReturn:
    """Say on standard error why the command cannot begin, and end as a shell would."""
    reason = why.strerror.lower() if isinstance(why, OSError) and why.strerror else str(why)
    os.write(2, f"drystone: {what}: {reason}\n".encode(errors="replace"))
    os._exit(code)


def _observed(installer: seccomp.Installer | None, setup: socket.socket) -> bool:
    """Install the filter and hand over its listener, or say why not."""
    number = errno.ENOSYS
    if installer is not None:
        try:
            listener = installer.install()
        except OSError as error:
            number = error.errno or errno.ENOSYS
        else:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", listener))
            setup.sendmsg([_OBSERVED], [rights], seccomp.HANDING_OVER)
            os.close(listener)
            return True
    setup.send(_REFUSED + struct.pack("=i", number))
    return False


def _descriptors() -> set[int]:
    """What is open: also what the observer had, its locks, databases and ends of the sockets."""
    found = set()
    for name in os.listdir("/proc/self/fd" if _LINUX else "/dev/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            os.fstat(int(name))
            found.add(int(name))
    return found
