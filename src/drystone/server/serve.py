"""Listening: a socket of our own, so that its address is known, and answered at, before anybody is told."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable

import uvicorn

from drystone.core.clock import Clock
from drystone.core.errors import Conflict, DrystoneError, UsageError
from drystone.core.layout import Layout
from drystone.server.app import create_app
from drystone.server.guard import LOOPBACK


def serve(
    layout: Layout,
    clock: Clock | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 4242,
    ready: Callable[[str, bool], None],
) -> None:
    """Answer until the process is interrupted (SIGINT) or told to end (SIGTERM).

    Args:
        layout: the project's paths.
        clock: tells what relative times are relative to.
        host: address or name to listen at.
        port: 0 takes a free one.
        ready: called once with the address, and whether only this machine can reach it.

    Raises:
        Conflict: something listens there already.
        UsageError: this machine cannot listen at that address or port.
    """
    listening = _listen(host, port)
    with listening:
        address, number = listening.getsockname()[:2]
        private = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        application = create_app(layout, clock, hosts=LOOPBACK | {_in_url(host).lower()} if private else None)
        config = uvicorn.Config(
            application, lifespan="off", log_level="warning", access_log=False, server_header=False, ws="none"
        )
        ready(f"http://{_in_url(host)}:{number}/", private)
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:  # the resolver would silently take it modulo 65,536
        raise UsageError(
            f"the server cannot listen at `{_in_url(host)}:{port}`",
            because="a port is a number from 0 to 65535",
            hints=["take a free port with `drystone server --port 0`"],
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except UnicodeError:  # the encoding of international names refuses empty and very long parts
        raise _explained(OSError(errno.EINVAL, "that is not the name of a host"), host, port) from None
    except OSError as error:
        raise _explained(error, host, port) from None


def _explained(error: OSError, host: str, port: int) -> DrystoneError:
    where = f"`{_in_url(host)}:{port}`"
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"the server cannot listen at {where}",
            because="something listens there already",
            hints=["take a free port with `drystone server --port 0`"],
        )
    return UsageError(
        f"the server cannot listen at {where}",
        because=str(error.strerror or error).lower(),
        hints=["listen at this machine's own address with `drystone server --host 127.0.0.1`"],
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
