from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.core.clock import ManualClock
from drystone.core.errors import Conflict, Corrupt, NotFound, ProjectInvalid, UsageError
from drystone.objects import store as store_module
from drystone.objects.hashing import SMALL, hash_bytes
from drystone.objects.store import ObjectStore

SIZES = [0, 1, 4096, SMALL, SMALL + 1, 3 * SMALL + 7]
ABSENT = "b3:" + "0" * 64


def damage(store: ObjectStore, name: str, how: str) -> None:
    path = store.loose.path(name)
    data = bytearray(path.read_bytes())
    path.chmod(0o644)
    if how == "bit flip":
        data[len(data) // 2] ^= 1
    elif how == "truncated":
        del data[-1]
    else:
        data += b"x"
    path.write_bytes(data)
    path.chmod(0o444)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000))
def test_what_is_put_is_read(store: ObjectStore, data: bytes) -> None:
    name = store.put_bytes(data)
    assert name == hash_bytes(data)
    assert store.has(name)
    assert store.size(name) == len(data)
    assert store.read(name) == data
    with store.open(name) as file:
        assert file.read() == data


@pytest.mark.parametrize("size", SIZES)
def test_files_of_all_sizes_go_in_and_come_out(store: ObjectStore, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)
    name = store.put_file(tmp_path / "in")
    assert name == hash_bytes(data) == store.put_bytes(data)
    with store.open(name) as file:
        assert file.read() == data
    store.copy_to(name, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    assert list(store) == [name]


def test_an_object_is_a_read_only_file_whose_place_is_its_name(store: ObjectStore) -> None:
    name = store.put_bytes(b"stone")
    digits = name.removeprefix("b3:")
    path = store.root / digits[:2] / digits[2:]
    assert path.read_bytes() == b"stone"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_nothing_is_written_for_reading(store: ObjectStore) -> None:
    assert not store.has(ABSENT)
    with pytest.raises(NotFound, match="not in the local store"):
        store.read(ABSENT)
    with pytest.raises(NotFound):
        store.size(ABSENT)
    assert list(store) == []
    assert not store.root.exists()


@pytest.mark.parametrize("text", ["", "b3:", "b3:../../../etc/passwd", "B3:" + "0" * 64, "0" * 64])
def test_only_an_object_id_names_an_object(store: ObjectStore, text: str) -> None:
    with pytest.raises(NotFound, match="not an object id"):
        store.has(text)


def test_no_temporary_file_is_left(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2 * SMALL))
    name = store.put_file(tmp_path / "large")
    store.put_file(tmp_path / "large")
    store.copy_to(name, tmp_path / "out")
    assert list((store.root / "incoming").iterdir()) == []


@pytest.mark.parametrize("size", [100, 3 * SMALL])
@pytest.mark.parametrize("how", ["bit flip", "truncated", "longer"])
@pytest.mark.parametrize("way", ["read", "open", "copy_to", "verify"])
def test_a_damaged_object_is_never_served(tmp_path: Path, size: int, how: str, way: str) -> None:
    clock = ManualClock()
    store = ObjectStore(tmp_path / "objects", clock=clock)
    good = os.urandom(size)
    name = store.put_bytes(good)
    damage(store, name, how)
    out = tmp_path / "out"
    out.write_text("precious")
    with pytest.raises(Corrupt, match="damaged") as caught:
        store.copy_to(name, out) if way == "copy_to" else getattr(store, way)(name)
    assert name in caught.value.because[0]
    assert any("`drystone " in hint for hint in caught.value.hints)
    assert out.read_text() == "precious"
    assert not store.has(name)
    quarantined = store.quarantine.folder / f"{name.removeprefix('b3:')}.{clock.now()}"
    assert quarantined.read_bytes() != good
    assert caught.value.at == (str(quarantined),)
    assert store.put_bytes(good) == name  # and it can be stored again
    assert store.read(name) == good


@pytest.mark.parametrize("size", [100, 3 * SMALL])
@pytest.mark.parametrize("how", ["bit flip", "truncated", "longer"])
def test_putting_an_object_again_heals_it(store: ObjectStore, tmp_path: Path, size: int, how: str) -> None:
    (tmp_path / "file").write_bytes(os.urandom(size))
    name = store.put_file(tmp_path / "file")
    damage(store, name, how)
    assert store.put_file(tmp_path / "file") == name
    store.verify(name)
    assert len(list(store.quarantine.folder.iterdir())) == 1


def test_a_removed_object_is_not_found_and_can_be_put_again(store: ObjectStore) -> None:
    name = store.put_bytes(b"stone")
    store.loose.path(name).unlink()
    with pytest.raises(NotFound):
        store.read(name)
    store.put_bytes(b"stone")
    assert store.read(name) == b"stone"


def test_a_copy_shares_nothing_with_the_object(store: ObjectStore, tmp_path: Path) -> None:
    name = store.put_bytes(b"stone")
    store.copy_to(name, tmp_path / "out")
    with (tmp_path / "out").open("ab") as file:  # the user appends to the restored file
        file.write(b" and sand")
    assert store.read(name) == b"stone"


def test_a_copy_replaces_a_link_and_not_its_target(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "out").symlink_to("elsewhere")
    store.copy_to(store.put_bytes(b"stone"), tmp_path / "out")
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert not (tmp_path / "out").is_symlink()


def test_a_copy_has_the_permissions_of_any_new_file(store: ObjectStore, tmp_path: Path) -> None:
    name = store.put_bytes(b"#!/bin/sh\n")
    usual = os.umask(0o027)
    try:
        store.copy_to(name, tmp_path / "plain")
        store.copy_to(name, tmp_path / "tool", executable=True)
    finally:
        os.umask(usual)
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "tool").stat().st_mode) == 0o750


@pytest.mark.parametrize("size", [100, 2 * SMALL])
def test_a_file_edited_while_it_is_added_is_read_again(
    store: ObjectStore, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    real, edits = os.fstat, iter([b"first edit"])

    def edited_before_the_second_look(descriptor: int) -> os.stat_result:
        seen = real(descriptor)
        if seen.st_size == size and seen.st_ino == path.stat().st_ino:
            for edit in edits:
                path.write_bytes(edit)
                break
        return seen

    monkeypatch.setattr(os, "fstat", edited_before_the_second_look)
    name = store.put_file(path)
    assert store.read(name) == b"first edit"


def test_a_large_file_edited_after_it_was_copied_is_copied_again(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, edits = tmp_path / "file", [b"edited" * SMALL]
    path.write_bytes(bytes(2 * SMALL))
    real = store_module.copy_content

    def copy_content(source: int, target: int) -> None:
        real(source, target)
        if edits:
            path.write_bytes(edits.pop())

    monkeypatch.setattr(store_module, "copy_content", copy_content)
    assert store.put_file(path) == hash_bytes(b"edited" * SMALL)
    assert len(list(store)) == 1


def test_a_file_that_never_stands_still_is_refused(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b"line\n")
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises(Conflict, match="`log` changed while it was read"):
        store.put_file(path)
    assert list(store) == []


def test_a_named_pipe_is_refused_and_not_waited_for(store: ObjectStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        store.put_file(tmp_path / "pipe")


def test_many_writers_of_one_object_agree(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(2 * SMALL))
    names: list[str] = []
    stores = [ObjectStore(store.root) for _ in range(8)]
    threads = [
        threading.Thread(target=lambda one=one: names.append(one.put_file(tmp_path / "file")))
        for one in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1
    store.verify(names[0])


def test_a_disk_that_cannot_be_read_is_reported(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name = store.put_bytes(b"stone")

    def read(descriptor: int, count: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(ProjectInvalid, match="cannot be read") as caught:
        store.read(name)
    assert caught.value.because == ("input/output error",)


def test_a_store_whose_place_is_taken_says_so(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file")
    with pytest.raises(ProjectInvalid) as caught:
        ObjectStore(tmp_path / "objects").put_bytes(b"stone")
    assert caught.value.because == ("not a directory",)
