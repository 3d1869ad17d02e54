"""Journals lose nothing that was whole, whatever cuts, flips or kills."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import Conflict, Corrupt
from drystone.ledger.journal import HEADER, JournalWriter, frame, is_being_written, read_frames

payloads = st.lists(st.binary(max_size=40), max_size=8)


def _write(path: Path, records: list[bytes]) -> None:
    writer = JournalWriter(path)
    writer.append(records)
    writer.close()


def _read(path: Path) -> list[bytes]:
    return [payload for _, payload in read_frames(path).payloads]


@given(payloads, payloads)
def test_what_was_appended_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, first: list[bytes], second: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    _write(path, first)
    _write(path, second)
    assert _read(path) == first + second


@given(payloads, st.data())
def test_a_journal_cut_anywhere_keeps_every_whole_record(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    _write(path, records)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = _read(path)
    ends = [len(HEADER)]
    for record in records:
        ends.append(ends[-1] + len(frame(record)))
    assert kept == records[: sum(end <= cut for end in ends[1:])]
    _write(path, [b"next"])
    assert _read(path) == [*kept, b"next"]


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=2, max_size=6), st.data())
def test_a_flipped_bit_in_a_record_costs_that_record_only(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    _write(path, records)
    victim = data.draw(st.integers(0, len(records) - 2))
    offset = len(HEADER) + sum(len(frame(record)) for record in records[:victim]) + 8
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 1
    path.write_bytes(bytes(damaged))
    frames = read_frames(path)
    assert [payload for _, payload in frames.payloads] == records[:victim] + records[victim + 1 :]
    assert frames.damaged == [offset - 8]


def test_a_damaged_length_costs_that_record_only_and_nothing_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    first, second, third = (b"\x81\xa1n" + bytes([number]) for number in range(3))  # maps, as facts are
    _write(path, [first, second, third])
    damaged = bytearray(path.read_bytes())
    at = len(HEADER) + len(frame(first))
    damaged[at + 3] ^= 0x40  # the top byte of the second length
    path.write_bytes(bytes(damaged))
    assert _read(path) == [first, third]
    assert read_frames(path).damaged == [at]
    _write(path, [b"fourth"])
    assert _read(path) == [first, third, b"fourth"]


def test_what_is_cut_off_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    _write(path, [b"first"])
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes() + frame(b"torn")[:-1])
    _write(path, [b"second"])
    assert _read(path) == [b"first", b"second"]
    assert (tmp_path / f"a.journal.torn-{whole}").read_bytes() == frame(b"torn")[:-1]


@given(st.binary(max_size=200))
def test_garbage_is_never_taken_for_records(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    path.write_bytes(garbage)
    if HEADER.startswith(garbage[: len(HEADER)]) or garbage.startswith(HEADER):
        read_frames(path)
    else:
        with pytest.raises(Corrupt, match="not a journal"):
            read_frames(path)


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    writer = JournalWriter(path)
    assert is_being_written(path)
    with pytest.raises(Conflict):
        JournalWriter(path)
    writer.close()
    assert not is_being_written(path)
    JournalWriter(path).close()


def test_a_killed_writer_leaves_its_records_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    script = (
        "import sys, pathlib, os, signal\n"
        "from drystone.ledger.journal import JournalWriter\n"
        "w = JournalWriter(pathlib.Path(sys.argv[1]))\n"
        "w.append([b'kept'])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not is_being_written(path)
    assert _read(path) == [b"kept"]


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            writer = JournalWriter(path)
            writer.append([b"first"])
            size = path.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
            try:
                writer.append([b"x" * 100])
            except OSError:
                writer.append([b"fits"])
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _read(path) == [b"first", b"fits"]
