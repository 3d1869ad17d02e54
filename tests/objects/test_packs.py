from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from drystone.core.errors import Corrupt, NotFound, ProjectInvalid
from drystone.objects.hashing import hash_bytes
from drystone.objects.pack import Place, encode_index
from drystone.objects.store import ObjectStore

MANY = [b"stone %d" % number for number in range(20)]


def fill(store: ObjectStore, contents: list[bytes] = MANY) -> Path:
    """Stores them as one pack; gives its path."""
    before = {pack.path for pack in store.packs}
    with store.batch() as batch:
        for content in contents:
            batch.put(content)
    (path,) = {pack.path for pack in store.packs} - before or before
    return path


def change(path: Path, at: int, to: bytes) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(to)


def test_a_pack_that_comes_within_one_tick_of_the_clock_is_found(store: ObjectStore) -> None:
    fill(store)
    other = ObjectStore(store.root)
    assert other.has(hash_bytes(MANY[0]))
    then = store.packs.folder.stat()
    fill(store, [b"late %d" % number for number in range(20)])
    os.utime(store.packs.folder, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert other.read(hash_bytes(b"late 3")) == b"late 3"


def test_a_pack_stored_again_after_all_of_it_was_damaged_counts_again(store: ObjectStore) -> None:
    path = fill(store)
    other = ObjectStore(store.root)
    change(path, 16, bytes(path.stat().st_size - 16))
    for content in MANY:
        with pytest.raises(Corrupt):
            other.read(hash_bytes(content))
    assert fill(ObjectStore(store.root)) == path  # the same bytes under the same name
    for reader in (store, other, ObjectStore(store.root)):
        assert [reader.read(hash_bytes(content)) for content in MANY] == MANY


@pytest.mark.parametrize("known", [True, False])
def test_the_objects_of_a_lost_pack_are_not_found_and_can_be_stored_again(
    store: ObjectStore, known: bool
) -> None:
    path = fill(store)
    reader = store if known else ObjectStore(store.root)
    path.unlink()
    with pytest.raises(NotFound):
        reader.read(hash_bytes(MANY[0]))
    assert reader.put_bytes(MANY[0]) == hash_bytes(MANY[0])
    fill(reader)
    assert [reader.read(hash_bytes(content)) for content in MANY] == MANY


def test_a_reader_follows_objects_into_another_pack(store: ObjectStore) -> None:
    path = fill(store)
    reader = ObjectStore(store.root)
    assert reader.has(hash_bytes(MANY[3]))
    elsewhere = ObjectStore(store.root.parent / "elsewhere" / "objects")
    moved = fill(elsewhere, [*reversed(MANY)])
    for file in (moved, moved.with_suffix(".index")):
        shutil.copy(file, store.packs.folder)
    path.with_suffix(".index").unlink()
    path.unlink()
    assert reader.read(hash_bytes(MANY[3])) == MANY[3]


@pytest.mark.parametrize("how", [b"", b"drystone", b"x" * 2000])
def test_a_damaged_index_is_made_anew(store: ObjectStore, how: bytes) -> None:
    path = fill(store)
    index = path.with_suffix(".index")
    good = index.read_bytes()
    index.chmod(0o644)
    index.write_bytes(how)
    assert [ObjectStore(store.root).read(hash_bytes(content)) for content in MANY] == MANY
    assert index.read_bytes() == good
    assert store.quarantine.doubt() is not None
    assert not list((store.root / "packs").glob("*.tmp"))


def test_a_damaged_index_that_cannot_be_replaced_costs_no_object(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drystone.objects import packs

    path = fill(store)
    path.with_suffix(".index").chmod(0o644)
    path.with_suffix(".index").write_bytes(b"")

    def write(pack: Path, data: bytes, incoming: Path) -> None:
        raise OSError(30, "read-only file system")

    monkeypatch.setattr(packs, "write_index", write)
    assert [ObjectStore(store.root).read(hash_bytes(content)) for content in MANY] == MANY


@pytest.mark.parametrize("note", [b"\xff\xfe\n", b"not hex\n", b"ab" * 40, b"a" * 63 + b"\n"])
def test_a_damaged_note_of_damage_costs_no_object(store: ObjectStore, note: bytes) -> None:
    path = fill(store)
    path.with_suffix(".damaged").write_bytes(note)
    assert [ObjectStore(store.root).read(hash_bytes(content)) for content in MANY] == MANY


def test_damage_is_noted_once_for_all_processes(store: ObjectStore) -> None:
    path = fill(store)
    change(path, path.stat().st_size - 1, b"!")
    name = hash_bytes(MANY[-1])
    with pytest.raises(Corrupt):
        store.read(name)
    assert path.with_suffix(".damaged").read_text() == name.removeprefix("b3:") + "\n"
    assert not ObjectStore(store.root).has(name)
    assert [store.read(hash_bytes(content)) for content in MANY[:-1]] == MANY[:-1]


@pytest.mark.parametrize(
    "place",
    [Place(2**64 - 1, 7, 7, 0), Place(2**63 - 1, 7, 7, 0), Place(0, 7, 2**32 - 1, 0), Place(0, 7, 7, 2)],
)
def test_a_forged_index_is_damage_and_no_crash(store: ObjectStore, place: Place) -> None:
    path = fill(store)
    index = path.with_suffix(".index")
    index.chmod(0o644)
    forged = {bytes.fromhex(hash_bytes(content)[3:]): place for content in MANY}
    index.write_bytes(encode_index(bytes.fromhex(path.stem), forged.items()))
    with pytest.raises(Corrupt):
        ObjectStore(store.root).read(hash_bytes(MANY[0]))


def test_an_index_that_cannot_be_read_is_told(store: ObjectStore) -> None:
    path = fill(store)
    path.with_suffix(".index").unlink()
    path.with_suffix(".index").mkdir()
    with pytest.raises(ProjectInvalid, match="cannot be read"):
        ObjectStore(store.root).has(hash_bytes(MANY[0]))


def test_threads_may_read_while_packs_come(store: ObjectStore) -> None:
    fill(store)
    reader, errors = ObjectStore(store.root), []
    over = threading.Event()

    def read() -> None:
        try:
            while not over.is_set():
                for content in MANY:
                    assert reader.read(hash_bytes(content)) == content
                    reader.has("b3:" + "0" * 64)
        except Exception as error:  # noqa: BLE001  whatever it is, the test fails with it
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        fill(store, [b"%d %d" % (number, other) for other in range(20)])
    over.set()
    for thread in threads:
        thread.join()
    assert errors == []
