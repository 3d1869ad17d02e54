"""The filter, run by a small interpreter of its language, for both architectures."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from drystone.pipeline.observer.seccomp import HANDING_OVER, program
from drystone.pipeline.observer.syscalls import LAST, LISTING, MACHINES, UNSEEN, Machine

ALLOW, ASK, NOSYS = 0x7FFF0000, 0x7FC00000, 0x00050000 | 38
I386, ARM, X32 = 0x40000003, 0x40000028, 0x40000000

machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def answer(machine: Machine, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter returns for a call: classic BPF over `struct seccomp_data`."""
    padded = (*arguments, *(7,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, machine.audit if audit is None else audit, 0, *padded)
    accumulator, position, instructions = 0, 0, program(machine)
    while True:
        code, true, false, constant = instructions[position]
        position += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif code == 0x15:
            position += true if accumulator == constant else false
        elif code == 0x25:
            position += true if accumulator > constant else false
        else:
            assert code == 0x06
            return constant


@machines
def test_the_calls_of_the_table_and_no_others_ask(machine: Machine) -> None:
    asked = {number for number in range(LAST + 1) if answer(machine, number) == ASK}
    assert asked == set(machine.calls)


@machines
def test_what_is_unknown_is_refused_and_never_let_through(machine: Machine) -> None:
    for number in (425, LAST + 1, 600, X32, X32 + 2, X32 + 257, 2**32 - 1):
        assert answer(machine, number) == NOSYS
    for audit in {I386, ARM, *(other.audit for other in MACHINES.values())} - {machine.audit}:
        assert {answer(machine, number, audit=audit) for number in (0, 2, 5, 56, 257)} == {NOSYS}


@machines
def test_five_calls_ask_not_in_every_form(machine: Machine) -> None:
    sendto, sendmsg, newfstatat, openat = (
        machine.numbers[name] for name in ("sendto", "sendmsg", "newfstatat", "openat")
    )
    assert answer(machine, sendto, 1, 2, 3, 4, 0, 0) == ALLOW
    assert answer(machine, sendto, 1, 2, 3, 4, 0x7F00, 16) == ASK
    assert answer(machine, sendto, 1, 2, 3, 4, 0x7F << 32, 16) == ASK
    assert answer(machine, newfstatat, 3, 0x7F00, 0x7F80, 0x1000) == ALLOW
    assert answer(machine, newfstatat, 3, 0x7F00, 0x7F80, 0x1100) == ASK
    assert answer(machine, newfstatat, 3, 0x7F00, 0x7F80, 0) == ASK
    assert answer(machine, sendmsg, 3, 0x7F00, HANDING_OVER) == ALLOW
    assert answer(machine, sendmsg, 3, 0x7F00, 0x4000) == ASK
    for number in (newfstatat, openat):
        assert answer(machine, number, UNSEEN & (2**64 - 1), 0x7F00, 0, 0) == ALLOW
        assert answer(machine, number, -100 & (2**64 - 1), 0x7F00, 0, 0) == ASK
    getdents = machine.numbers["getdents64"]
    assert answer(machine, getdents, 3, 0x7F00, LISTING) == ALLOW
    assert {answer(machine, getdents, 3, 0x7F00, size) for size in (1024, 32768, 2**20)} == {ASK}


HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_are_those_of_the_kernel_headers(name: str) -> None:
    header = Path(HEADERS[name])
    if not header.exists():
        pytest.skip("needs the kernel's headers")
    numbers = MACHINES[name].numbers
    text = header.read_text()
    known = {word: int(value) for word, value in re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    if "fstatat" in known:
        known["newfstatat"] = known["fstatat"]  # the generic table spells the 64-bit name elsewhere
    assert {word: known.get(word, number) for word, number in numbers.items()} == numbers
    assert len(numbers.keys() & known.keys()) >= len(numbers) - 1  # a header may be older than fchmodat2
