"""Whether a socket address lies beyond what can be observed: off this machine, or another's service on it."""

# read while a process waits
# ruff: noqa: PTH115, PTH123, PTH208

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

_LOCAL_FAMILIES = frozenset(
    family
    for name in ("AF_UNSPEC", "AF_UNIX", "AF_NETLINK", "AF_ALG")
    if (family := getattr(socket, name, None)) is not None
)


_LISTENING, _ACCEPTS = b"0A", 0x10000
#: Sockets over which a C library asks its system who somebody is, and tells it what it logs.
_PLUMBING = (
    b"/run/systemd/",
    b"/run/nscd/",
    b"/var/run/nscd/",
    b"/run/dbus/",
    b"/var/run/dbus/",
    b"/dev/log",
)


def beyond(address: bytes) -> str | None:
    """`ADDRESS port N` for a `struct sockaddr` that leads off this machine, else None.

    Loopback and the unspecified address (which connects to this machine) are not beyond it.
    """
    if len(address) < 2:
        return None
    (family,) = struct.unpack_from("=H", address)
    if family in _LOCAL_FAMILIES:
        return None
    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    if family == socket.AF_INET and len(address) >= 8:
        host = ipaddress.IPv4Address(address[4:8])
    elif family == socket.AF_INET6 and len(address) >= 24:
        host = ipaddress.IPv6Address(address[8:24])
        host = host.ipv4_mapped or host
    else:
        return f"an address of family {family}"
    if host.is_loopback or host.is_unspecified:
        return None
    (port,) = struct.unpack_from("!H", address, 2)
    return f"{host} port {port}"


class Services:
    """Tells the servers on this machine that a command started itself from those that it found running.

    What the command's own processes serve is observed like the rest of them. A service that was there
    before, such as a database, answers from what nobody sees.

    Args:
        keeper: the process that all of the command descend from.
    """

    def __init__(self, keeper: int) -> None:
        self._keeper = keeper

    def foreign(self, pid: int, address: bytes) -> str | None:
        """What to call a service of this machine, reached at `address` by `pid`, that the command did not
        start; None if it did, or if nobody serves there: then nothing answers.
        """
        if len(address) < 4:
            return None
        (family,) = struct.unpack_from("=H", address)
        if family == socket.AF_UNIX:
            path = address[2:].split(b"\0", 1)[0] or b"@" + address[3:].rstrip(b"\0")
            if path.startswith(_PLUMBING):
                return None
            name = f"the socket {path.decode(errors='replace')}"
            serving = set(_unix(pid, path))
        elif family in (socket.AF_INET, socket.AF_INET6):
            (port,) = struct.unpack_from("!H", address, 2)
            name = f"port {port} of this machine"
            serving = set(_ports(pid, port, ("tcp", "tcp6"), _LISTENING))
            serving = serving or set(_ports(pid, port, ("udp", "udp6"), None))
        else:
            return None
        return name if serving - self._own(serving) else None

    def _own(self, serving: set[bytes]) -> set[bytes]:
        """Those of the sockets that a process of the command holds."""
        if not serving:
            return set()
        links = {b"socket:[%s]" % inode: inode for inode in serving}
        found: set[bytes] = set()
        for process in _descendants(self._keeper):
            with contextlib.suppress(OSError):
                for name in os.listdir(f"/proc/{process}/fd"):
                    with contextlib.suppress(OSError):
                        inode = links.get(os.readlink(f"/proc/{process}/fd/{name}".encode()))
                        found.update((inode,) if inode else ())
        return found


def _ports(pid: int, port: int, tables: tuple[str, ...], state: bytes | None) -> Iterator[bytes]:
    """Inodes of sockets bound to a port where `pid` is; proc(5): local address, remote, state, ..., inode."""
    for table in tables:
        for fields in _rows(pid, table):
            here = fields[1].rpartition(b":")[2]
            bound = fields[2].rpartition(b":")[2] == b"0000" and fields[3] == (state or fields[3])
            if bound and int(here, 16) == port:
                yield fields[9]


def _unix(pid: int, path: bytes) -> Iterator[bytes]:
    """Inodes of sockets that are bound to a path, by its last part where one of both is relative, and accept
    or have no connections; proc(5): ..., flags, type, state, inode, path."""
    for fields in _rows(pid, "unix"):
        if len(fields) > 7 and (int(fields[3], 16) & _ACCEPTS or fields[4] == b"0002"):
            whole = path.startswith((b"/", b"@")) and fields[7].startswith((b"/", b"@"))
            if fields[7] == path if whole else os.path.basename(fields[7]) == os.path.basename(path):  # noqa: PTH119
                yield fields[6]


def _rows(pid: int, table: str) -> list[list[bytes]]:
    try:
        with open(f"/proc/{pid}/net/{table}", "rb") as file:
            return [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return []


def _descendants(top: int) -> list[int]:
    """The processes below one, from /proc."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                # the name in parentheses may itself hold any character
                below.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found = list(below.get(top, ()))
    for process in found:
        found += below.get(process, ())
    return found
