from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.objects import batch as batch_module
from drystone.objects import packs as packs_module
from drystone.objects.hashing import SMALL, hash_bytes
from drystone.objects.listing import packed
from drystone.objects.store import ObjectStore

sizes = st.sampled_from([0, 1, 63, 64, 4096, SMALL, SMALL + 1, SMALL + 2])
contents = st.builds(lambda size, seed: bytes([seed]) * size, sizes, st.integers(0, 5))
actions = st.lists(
    st.tuples(st.sampled_from(["put", "last", "file"]), contents | st.binary(max_size=100)), max_size=40
)


@settings(max_examples=20, deadline=None)
@given(
    batches=st.lists(st.tuples(actions, st.booleans()), max_size=4), full=st.sampled_from([1000, 64 << 20])
)
def test_batches_are_a_dict(batches: list[tuple[list[tuple[str, bytes]], bool]], full: int) -> None:
    """Whatever is put, in whatever order, is there when the block has ended without an error."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "FULL", full)
        store, model, file = ObjectStore(Path(folder, "objects")), dict[str, bytes](), Path(folder, "file")
        for steps, fails in batches:
            put: dict[str, bytes] = {}
            try:
                with store.batch() as batch:
                    for how, data in steps:
                        put[hash_bytes(data)] = data
                        if how == "file":
                            file.write_bytes(data)
                            found = batch.put_file(os.fsencode(file), packed(file.lstat()) or b"")
                            assert found is not None
                            assert "b3:" + found[0].hex() == hash_bytes(data)
                        else:
                            batch.put(data, last=how == "last")
                    if fails:
                        raise KeyboardInterrupt
                model |= put
            except KeyboardInterrupt:
                assert list((store.root / "incoming").glob("*")) == []
            for reader in (store, ObjectStore(store.root)):
                for name, data in model.items():
                    assert reader.read(name) == data
                for name in reader:
                    reader.verify(name)
        assert list((store.root / "incoming").glob("*")) == [] if store.loose.incoming.exists() else True


def test_large_files_do_not_cost_the_small_ones(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(SMALL + 1))
    small = [b"stone %d" % number for number in range(100)]
    with store.batch() as batch:
        for content in small:
            batch.put(content)
        batch.put_file(os.fsencode(tmp_path / "large"), (tmp_path / "large").lstat())
    assert [store.read(hash_bytes(content)) for content in small] == small


def test_a_large_list_is_there_only_after_all_that_it_lists(tmp_path: Path) -> None:
    lists: list[bytes] = []

    def check(step: str) -> None:
        if step in ("renamed", "pack indexed"):
            other = ObjectStore(tmp_path / "objects")
            for listed, content in ((hash_bytes(large), small), (hash_bytes(last), [large])):
                if other.has(listed):
                    lists.append(content[0])
                    assert all(other.has(hash_bytes(data)) for data in content)

    small = [b"stone %d" % number for number in range(100)]
    large, last = b"a list " * SMALL, b"a short list of the long list"
    store = ObjectStore(tmp_path / "objects", failpoint=check)
    with store.batch() as batch:
        for content in small:
            batch.put(content)
        batch.put(large, last=True)
        batch.put(last, last=True)
    assert len(set(lists)) == 2


def test_what_does_not_shrink_is_stored_as_it_is_and_text_is_not(store: ObjectStore) -> None:
    noise = [os.urandom(4000) for _ in range(20)]
    text = [b"%d " % number * 1000 for number in range(20)]
    with store.batch() as batch:
        for data in text + noise:
            batch.put(data)
    (pack,) = store.packs
    assert pack.path.stat().st_size < len(b"".join(noise)) + 8000
    assert [store.read(hash_bytes(data)) for data in text + noise] == text + noise


def test_a_pack_is_closed_when_it_is_full(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "FULL", 10_000)
    data = [os.urandom(1000) for _ in range(100)]
    with store.batch() as batch:
        for content in data:
            batch.put(content)
    assert len(list(store.packs)) > 5
    assert [store.read(hash_bytes(content)) for content in data] == data


def test_a_failing_disk_leaves_nothing_behind(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    store.put_bytes(b"kept")
    monkeypatch.setattr(packs_module, "write_all", full)
    with pytest.raises(Exception, match="cannot be written"), store.batch() as batch:
        for number in range(100):
            batch.put(b"%d" % number)
    assert list((store.root / "incoming").iterdir()) == []
    assert list(store) == [hash_bytes(b"kept")]
