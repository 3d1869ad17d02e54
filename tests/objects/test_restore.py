from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from drystone.core.errors import Corrupt, NotFound, UsageError
from drystone.objects.entry import HEADER, Entry
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import identify_path, store_path
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore

from .apart import restoring
from .trees import Node, build, nodes, seen


@settings(max_examples=30, deadline=None)
@given(node=nodes)
def test_any_tree_comes_back_as_it_was(shared: Path, node: Node) -> None:
    folder = Path(tempfile.mkdtemp(dir=shared))
    store = ObjectStore(shared / "objects")
    build(folder / "in", node)
    entry = store_path(store, folder / "in")
    assert identify_path(folder / "in") == entry
    restore(store, entry, folder / "out")
    assert seen(folder / "out") == node
    shutil.rmtree(folder)


@settings(max_examples=30, deadline=None)
@given(before=nodes, after=nodes)
def test_any_tree_turns_into_any_other(shared: Path, before: Node, after: Node) -> None:
    folder = Path(tempfile.mkdtemp(dir=shared))
    store = ObjectStore(shared / "objects")
    build(folder / "wanted", after)
    build(folder / "here", before)
    restore(store, store_path(store, folder / "wanted"), folder / "here")
    assert seen(folder / "here") == after
    shutil.rmtree(folder)


def test_restore_touches_only_what_differs(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    (folder / "a.csv").write_bytes(b"2,1\n")  # of the same size
    (folder / "surplus").write_bytes(b"")
    before = {path: path.lstat() for path in folder.rglob("*")}
    restore(store, entry, folder)
    assert store_path(store, folder) == entry
    touched = {
        path.name
        for path, status in before.items()
        if not os.path.lexists(path) or path.lstat().st_ctime_ns != status.st_ctime_ns
    }
    assert touched == {"a.csv", "surplus"}


def test_restore_sets_and_clears_the_executable_bit_without_copying(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    inode = (folder / "run.sh").stat().st_ino
    (folder / "run.sh").chmod(0o640)
    (folder / "a.csv").chmod(0o755)
    restore(store, entry, folder)
    assert stat.S_IMODE((folder / "run.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "a.csv").stat().st_mode) == 0o644
    assert (folder / "run.sh").stat().st_ino == inode


@pytest.mark.parametrize("at", ["data", "data/below", "data/below/b"])
def test_restore_never_follows_a_link_out_of_the_destination(
    store: ObjectStore, folder: Path, tmp_path: Path, at: str
) -> None:
    entry = store_path(store, folder)
    outside = tmp_path / "outside"
    build(outside, {"b": b"precious", "a.csv": b"precious", "keep": b"precious"})
    place = tmp_path / at
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(outside / "b" if at.endswith("b") else outside)
    restore(store, entry, folder)
    assert seen(outside) == {"b": b"precious", "a.csv": b"precious", "keep": b"precious"}
    assert store_path(store, folder).object == entry.object


def test_nothing_is_touched_when_an_object_is_missing(
    store: ObjectStore, folder: Path, tmp_path: Path
) -> None:
    entry = store_path(store, folder)
    store.loose.path(hash_bytes(b"b")).unlink()
    build(tmp_path / "here", {"mine": b"mine"})
    with pytest.raises(NotFound, match="1 of its objects") as caught:
        restore(store, entry, tmp_path / "here")
    assert caught.value.at == (str(tmp_path / "here" / "below/b"),)
    assert seen(tmp_path / "here") == {"mine": b"mine"}


def test_a_damaged_object_is_not_restored(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    entry = store_path(store, folder)
    home = store.loose.path(hash_bytes(b"1,2\n"))
    home.chmod(0o644)
    home.write_bytes(b"1,3\n")
    with pytest.raises(Corrupt):
        restore(store, entry, tmp_path / "out")
    assert not (tmp_path / "out" / "a.csv").exists()


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "..", ".git"])
def test_a_hostile_tree_is_not_restored(store: ObjectStore, tmp_path: Path, name: str) -> None:
    stone = store.put_bytes(b"stone")
    tree = store.put_bytes(f"{HEADER}\nfile {stone} 5 {name}\n".encode())
    with pytest.raises(Corrupt, match="not a directory's list"):
        restore(store, Entry("data", "tree", tree, 5), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_object_is_not_mistaken_for_a_tree(store: ObjectStore, tmp_path: Path) -> None:
    stone = store.put_bytes(b"stone")
    with pytest.raises(Corrupt):
        restore(store, Entry("data", "tree", stone, 5), tmp_path / "out")


def test_a_directory_of_absurd_depth_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    tmp_path.joinpath("data", *["d"] * 250).mkdir(parents=True)
    with pytest.raises(UsageError, match="more than 250 folders"):
        store_path(store, tmp_path / "data")
    store_path(store, tmp_path / "data" / "d")
    tree = store.put_bytes(f"{HEADER}\n".encode())
    for _ in range(250):
        tree = store.put_bytes(f"{HEADER}\ntree {tree} 0 d\n".encode())
    with pytest.raises(UsageError, match="more than 250 folders"):
        restore(store, Entry("data", "tree", tree, 0), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def many(store: ObjectStore, tmp_path: Path) -> tuple[Node, Entry]:
    """So many small files that several processes write them, some of them compressed."""
    folders = {
        f"{folder}": {f"{n}": b"stone %d %d " % (folder, n) * 9 for n in range(500)} for folder in range(10)
    }
    build(tmp_path / "in", folders)
    return folders, store_path(store, tmp_path / "in")


def test_many_files_are_restored_by_several_processes_from_packs(
    store: ObjectStore, tmp_path: Path, many: tuple[Node, Entry]
) -> None:
    contents, entry = many
    assert restoring(store, entry, tmp_path / "new").done().code == 0
    assert seen(tmp_path / "new") == contents
    for folder in (tmp_path / "new").iterdir():  # and into folders that are there
        for number in range(0, 500, 2):
            (folder / f"{number}").write_bytes(b"another")
            (folder / f"{number + 1}").unlink()
    assert restoring(store, entry, tmp_path / "new").done().code == 0
    assert seen(tmp_path / "new") == contents
    assert list(store.loose.incoming.iterdir()) == []


def test_a_new_folder_is_there_whole_or_not_at_all(
    store: ObjectStore, tmp_path: Path, many: tuple[Node, Entry]
) -> None:
    contents, entry = many
    process = restoring(store, entry, tmp_path / "new")
    while not any(store.loose.incoming.rglob("3/400")):  # it is in the middle of it
        assert process.poll() is None
    process.kill()
    assert process.done().code < 0
    assert not (tmp_path / "new").exists()
    assert restoring(store, entry, tmp_path / "new").done().code == 0
    assert seen(tmp_path / "new") == contents


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_where_one_disk_is_mounted_twice_files_are_copied(
    store: ObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Both have one device number, and nothing can be renamed from one to the other."""
    entry = store_path(store, folder)
    other = tmp_path / "other"
    other.mkdir()
    if subprocess.run(["mount", "--bind", other, other], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        restore(store, entry, other / "new")
        assert seen(other / "new") == seen(folder)
        (other / "new" / "a.csv").write_bytes(b"another")
        restore(store, entry, other / "new")
        assert seen(other / "new") == seen(folder)
    finally:
        subprocess.run(["umount", "--lazy", other], check=True)
