from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.objects.listing import (
    DIGEST,
    EXECUTABLE,
    FILE,
    FOLDER,
    LINK,
    STAMP,
    is_settled,
    listing_of,
    packed,
    stamp,
    unpacked,
    unsettled,
)

names = st.binary(min_size=1, max_size=10).filter(lambda name: b"\0" not in name and b"/" not in name)
tables = st.dictionaries(
    names,
    st.tuples(st.binary(min_size=STAMP, max_size=STAMP), st.binary(min_size=DIGEST, max_size=DIGEST)),
    max_size=20,
)


@given(tables, st.lists(names, max_size=10))
def test_a_listing_answers_like_a_dict(table: dict[bytes, tuple[bytes, bytes]], others: list[bytes]) -> None:
    listing = listing_of(table)
    assert listing.split() == sorted(table)
    assert listing.known() == table
    for name in [*table, *others]:
        assert listing.find(name) == table.get(name)
    assert listing.find(b"") is None


def test_a_stamp_tells_kind_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"stone")
    (tmp_path / "tool").write_bytes(b"")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    kinds = {"file": FILE, "tool": EXECUTABLE, "link": LINK, "folder": FOLDER}
    for name, kind in kinds.items():
        found = packed((tmp_path / name).lstat())
        assert found is not None
        assert (len(found), found[-1]) == (STAMP, kind)
    status = (tmp_path / "file").lstat()
    assert unpacked(packed(status) or b"") == stamp(status)
    assert packed((tmp_path / "pipe").lstat()) is None
    assert packed((tmp_path / "folder").lstat()) == bytes(40) + bytes([FOLDER])


@pytest.mark.parametrize(
    ("ctime", "looked_at", "settled"),
    [
        (1_000_000_001, 1_020_000_001, False),
        (1_000_000_001, 1_020_000_002, True),
        (1_000_000_000, 3_000_000_000, False),  # whole seconds: perhaps a file system that has no others
        (1_000_000_000, 3_000_000_001, True),
        (5_000_000_001, 1_000_000_001, False),  # from the future
    ],
)
def test_a_file_is_settled_when_its_times_are_past(ctime: int, looked_at: int, settled: bool) -> None:
    assert is_settled((1, 2, 3, 1, ctime), looked_at) is settled


times = st.integers(min_value=0, max_value=9_000_000_000) | st.sampled_from([1_000_000_000, 3_000_000_000])


@given(st.lists(st.tuples(times, times), max_size=8), times)
def test_of_a_whole_folder_the_same_files_are_unsettled_as_one_by_one(
    files: list[tuple[int, int]], looked_at: int
) -> None:
    stamps = b"".join(struct.pack("<QQQqqB", 1, 2, 3, mtime, ctime, FILE) for mtime, ctime in files)
    one_by_one = [
        place
        for place, (mtime, ctime) in enumerate(files)
        if not is_settled((1, 2, 3, mtime, ctime), looked_at)
    ]
    assert unsettled(stamps, looked_at) == one_by_one
