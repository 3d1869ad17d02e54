"""Whether a socket address lies beyond this machine."""

from __future__ import annotations

import ipaddress
import socket
import struct

_LOCAL_FAMILIES = frozenset(
    family
    for name in ("AF_UNSPEC", "AF_UNIX", "AF_NETLINK", "AF_ALG")
    if (family := getattr(socket, name, None)) is not None
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
