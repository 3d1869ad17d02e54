"""The hot loop's body: take one notification, record what it means, let the call happen."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from drystone.pipeline.observer.calls import Calls, Gone
from drystone.pipeline.observer.memory import Memory, Unreadable, through
from drystone.pipeline.observer.network import Services
from drystone.pipeline.observer.paths import Resolver
from drystone.pipeline.observer.record import Record
from drystone.pipeline.observer.seccomp import ARGUMENT, NOTIFICATION, RECEIVE, SEND, Listener, continuing
from drystone.pipeline.observer.syscalls import Machine

_HEAD = 256
_PROCESSES = b"/proc/"
# these matter wherever they are: what a spelling leads to may be another directory afterwards
_CHANGING_NAMES = ("made", "unlinked", "directory_removed")


def answerer(
    listener: Listener, memory: Memory, machine: Machine, record: Record, services: Services
) -> Callable[[], None]:
    """A function that answers one notification, and waits for it where there is none.

    An import of a large library makes ten thousand calls, nearly all below an ignored prefix: these are
    recognised by their first bytes and cost four system calls and no look at the file.
    """
    resolver = Resolver()
    calls = Calls(record, memory, listener, services, resolver)
    plans = {
        number: (
            0 if call.path is None else ARGUMENT + call.path,
            getattr(calls, call.act),
            call,
            () if call.act in _CHANGING_NAMES else record.scope.dropped,
        )
        for number, call in machine.calls.items()
    }
    fd, ioctl, pread, unpack = listener.fd, fcntl.ioctl, os.pread, NOTIFICATION.unpack
    kept, text, is_below = memory.kept.get, memory.text, resolver.is_below
    buffer, blank, response = bytearray(NOTIFICATION.size), bytes(NOTIFICATION.size), continuing()

    def answer() -> None:
        buffer[:] = blank  # the kernel demands it
        try:
            ioctl(fd, RECEIVE, buffer)
        except OSError:
            return  # the caller was killed before it could be heard
        data = unpack(buffer)
        response[:8] = buffer[:8]
        position, record_call, call, dropped = plans[data[3]]
        try:
            if position:
                mem = kept(data[1])
                head = b"" if mem is None else pread(mem, _HEAD, data[position])
                end = head.find(0)
                path = head[:end] if end >= 0 else text(data[1], data[position])
                # an empty path means the descriptor itself, or nothing at all
                if path and not (
                    path.startswith(dropped) and (b"/.." not in path or is_below(path, dropped))
                ):
                    record_call(call, data, path)
                elif path and path.startswith(_PROCESSES) and (meant := through(data[1], path)) is not None:
                    record_call(call, data, meant)
            else:
                record_call(data)
        except (Gone, OSError, OverflowError):
            pass  # the kernel will refuse this call, or nobody waits for it any more
        except Unreadable as error:
            record.unseen[f"`{error.comm}` does not let itself be observed"] = None
        finally:
            try:  # noqa: SIM105  a thousand times, each with what the caller left of the caches
                ioctl(fd, SEND, response)
            except OSError:
                pass  # the caller was killed meanwhile

    return answer
