"""Where observation ends: network, other ways into the kernel, privileges, and no observation at all."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.pipeline.observer.network import beyond

from .conftest import ENVIRONMENT
from .seen import Run

SERVER = """
import os, socket
tcp = socket.create_server(("127.0.0.1", 0))
local = socket.socket(socket.AF_UNIX); local.bind("socket"); local.listen()
hidden = socket.socket(socket.AF_UNIX); hidden.bind("\\0drystone-%d" % os.getpid()); hidden.listen()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); udp.bind(("::1", 0))
port, name, datagrams = tcp.getsockname()[1], hidden.getsockname(), udp.getsockname()[1]
"""
CLIENT = """
socket.create_connection(("127.0.0.1", port)).sendall(b"x")
socket.socket(socket.AF_UNIX).connect(os.path.abspath("socket"))
socket.socket(socket.AF_UNIX).connect("socket")
socket.socket(socket.AF_UNIX).connect(name)
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect(("::1", datagrams))
"""


def test_servers_of_the_command_itself_are_no_network(python: Run) -> None:
    seen = python(
        f"{SERVER}\nif os.fork(): os._exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
        "for end in (tcp, local, hidden, udp): end.close()\n"
        f"{CLIENT}"
    )
    assert (seen.all.exit_code, seen.all.label, seen.all.why, seen.output) == (0, "proven", "", b"")


def test_where_nobody_serves_nothing_answers(python: Run) -> None:
    seen = python(
        "import socket\n"
        "for place in (('127.0.0.1', 1), ('127.0.0.1', 9)):\n"
        "    try: socket.create_connection(place)\n"
        "    except ConnectionRefusedError: pass\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))\n"
        "try: socket.socket(socket.AF_UNIX).connect('/run/nobody')\n"
        "except FileNotFoundError: pass"
    )
    assert (seen.all.exit_code, seen.all.label, seen.output) == (0, "proven", b"")


def test_a_service_that_was_there_before_is_impure(python: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "socket"))
        local.listen()
        port = server.getsockname()[1]
        tcp = python(f"import socket; socket.create_connection(('127.0.0.1', {port}))")
        unix = python(f"import socket; socket.socket(socket.AF_UNIX).connect({str(tmp_path / 'socket')!r})")
    assert (tcp.all.label, tcp.all.why) == ("impure", f"it connected to port {port} of this machine")
    assert (unix.all.label, unix.all.why) == ("impure", f"it connected to the socket {tmp_path / 'socket'}")


@pytest.mark.parametrize(
    "attempt",
    [
        "s.connect(('192.0.2.1', 9))",
        "s.sendto(b'', ('192.0.2.1', 9))",
        "s.sendmsg([b''], [], 0, ('192.0.2.1', 9))",
    ],
)
def test_whoever_speaks_to_elsewhere_is_impure_and_says_to_whom(python: Run, attempt: str) -> None:
    # from a socket bound to loopback the kernel sends nothing anywhere else
    seen = python(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))\n"
        f"try: {attempt}\nexcept OSError: pass"
    )
    assert (seen.all.label, seen.all.why) == ("impure", "it connected to 192.0.2.1 port 9")


def test_many_addresses_are_counted(python: Run) -> None:
    seen = python(
        "import socket\n"
        "for n in range(1, 6):\n"
        "    try: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect(('2001:db8::%d' % n, 9))\n"
        "    except OSError: pass"
    )
    named = ", ".join(f"2001:db8::{n} port 9" for n in range(1, 4))
    assert seen.all.why == f"it connected to {named} and 2 more"


def test_an_address_is_beyond_this_machine_unless_it_leads_back() -> None:
    def ipv6(address: str) -> bytes:
        return b"\x0a\x00\x00\x09" + bytes(4) + socket.inet_pton(socket.AF_INET6, address) + bytes(4)

    assert beyond(b"") is None
    assert beyond(b"\x00\x00") is None
    assert beyond(b"\x02\x00\x00\x09\x00\x00\x00\x00" + bytes(8)) is None
    assert beyond(ipv6("::ffff:127.0.0.1")) is None
    assert beyond(ipv6("::ffff:192.0.2.1")) == "192.0.2.1 port 9"
    assert beyond(b"\x28\x00" + bytes(14)) == "an address of family 40"


def test_a_ring_that_could_open_files_unseen_is_refused(python: Run) -> None:
    seen = python(
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.syscall(425, 8, ctypes.create_string_buffer(120)), ctypes.get_errno(),"
        " libc.syscall(470, 0), ctypes.get_errno())"
    )
    assert seen.output.split() == [b"-1", b"38", b"-1", b"38"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit and x32 calls are of x86")
def test_calls_by_32_bit_and_x32_numbers_are_refused(compiled: Callable[..., str], look: Run) -> None:
    program = compiled(
        """
        #include <stdio.h>
        #include <unistd.h>
        #include <errno.h>
        int main() {
            long result, x32 = syscall(0x40000000 + 39);
            int why = errno;
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
            printf("%ld %ld %d", result, x32, why);
            return 0;
        }
        """
    )
    assert look(program).output == b"-38 -1 38"


def test_a_setuid_program_is_named(tmp_path: Path, look: Run) -> None:
    program = tmp_path / "privileged"
    if os.geteuid() == 0:
        shutil.copy("/bin/true", program)
        os.chown(program, 65534, -1)
        program.chmod(0o4755)
    else:
        program = Path(shutil.which("su") or pytest.skip("needs a setuid program"))
    seen = look(str(program), "--version")
    assert seen.all.why == f"`{program}` is setuid and got no privileges, because it was observed"
    assert seen.all.label == "proven"


def test_a_32_bit_program_is_named(tmp_path: Path, look: Run) -> None:
    program = tmp_path / "old"
    program.write_bytes(b"\x7fELF\x01\x01\x01" + bytes(200))
    program.chmod(0o755)
    assert look(str(program)).all.why == f"`{program}` is a 32-bit program, which cannot run while observed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root directory")
def test_a_command_that_changes_its_root_is_only_partly_seen(python: Run) -> None:
    seen = python("import os; os.chroot('.')")
    assert seen.all.label == "partial"
    assert seen.all.why.endswith("changed its file system with mount or chroot")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")
def test_a_process_that_forbids_looking_makes_it_partial(python: Run) -> None:
    seen = python("import ctypes; ctypes.CDLL(None).prctl(4, 0); open('new', 'w')")
    assert seen.all.label == "partial"
    assert seen.all.why.endswith("does not let itself be observed")


INNER = """
import json, sys
from pathlib import Path
from drystone.pipeline.observer import observe
root = Path(sys.argv[1])
seen = observe(["sh", "-c", "cat kept; echo more >> kept; : > new; rm old; mkdir dir; exit 3"], cwd=root,
               env={"PATH": "/usr/bin:/bin"}, root=root, output=None)
names = [sorted(path.name for path in paths) for paths in (seen.writes, seen.removed, seen.reads)]
print(json.dumps([seen.exit_code, seen.label, seen.why, *names]))
"""


def test_inside_an_observed_command_the_workspace_is_compared_instead(workspace: Path, look: Run) -> None:
    for name in ("kept", "old", "same"):
        (workspace / name).write_text(name)
    (workspace / ".git").mkdir()
    seen = look(sys.executable, "-c", INNER, str(workspace), env=ENVIRONMENT)
    expected = (
        b'[3, "partial", "it ran unobserved: another observer is already watching it",'
        b' ["dir", "kept", "new"], ["old"], []]\n'
    )
    assert seen.output == expected
    assert seen.all.label == "proven"  # the outer one saw it all
    assert (seen.writes, seen.removed) == ({"kept", "new", "dir"}, {"old"})
    assert "kept" in seen.reads
