from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.objects.atomic import copy_content
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore

_BLOCK = 4096
extents = st.lists(
    st.tuples(st.integers(0, 40 * _BLOCK), st.binary(min_size=1, max_size=3 * _BLOCK)), max_size=4
)


@settings(max_examples=50, deadline=None)
@given(extents=extents, size=st.integers(0, 50 * _BLOCK))
def test_a_copy_has_the_same_bytes_wherever_the_holes_are(
    extents: list[tuple[int, bytes]], size: int
) -> None:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        os.ftruncate(source.fileno(), size)
        for start, data in extents:
            os.pwrite(source.fileno(), data, start)
        copy_content(source.fileno(), target.fileno())
        whole = os.fstat(source.fileno()).st_size
        assert os.fstat(target.fileno()).st_size == whole
        assert os.pread(target.fileno(), whole, 0) == os.pread(source.fileno(), whole, 0)


def test_holes_take_no_room_in_the_store_nor_when_they_come_back(store: ObjectStore, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(64 << 20)
        os.pwrite(file.fileno(), b"in the middle", 32 << 20)
    if (tmp_path / "sparse").stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system has no holes")
    entry = store_path(store, tmp_path / "sparse")
    restore(store, entry, tmp_path / "back")
    for path in (store.loose.path(entry.object), tmp_path / "back"):
        assert path.stat().st_size == 64 << 20
        assert path.stat().st_blocks * 512 < 1 << 20
    with (tmp_path / "back").open("rb") as file:
        assert os.pread(file.fileno(), 13, 32 << 20) == b"in the middle"
