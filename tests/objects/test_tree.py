from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.core.errors import Conflict, Corrupt, NotFound, UsageError
from drystone.objects.entry import HEADER, Entry
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import identify_path, store_path
from drystone.objects.listing import Listing
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Memory, read_tree, walk

# a tree in the abstract: bytes a file, (bytes,) an executable, str a link, dict a directory
Node = Any
names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..", b".git"))
    .map(os.fsdecode)
)
leaves = st.binary(max_size=50) | st.tuples(st.binary(max_size=50)) | st.just("../out") | st.just("a\nb")
nodes = st.recursive(leaves, lambda below: st.dictionaries(names, below, max_size=4), max_leaves=12)


def build(path: Path, node: Node) -> None:
    if isinstance(node, dict):
        path.mkdir()
        for name, below in node.items():
            build(path / name, below)
    elif isinstance(node, str):
        path.symlink_to(node)
    else:
        path.write_bytes(node[0] if isinstance(node, tuple) else node)
        path.chmod(0o755 if isinstance(node, tuple) else 0o644)


def seen(path: Path) -> Node:
    if path.is_symlink():
        return os.fspath(path.readlink())
    if path.is_dir():
        return {child.name: seen(child) for child in path.iterdir()}
    data = path.read_bytes()
    return (data,) if path.stat().st_mode & stat.S_IXUSR else data


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("shared")


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(
        tmp_path / "data",
        {
            "a.csv": b"1,2\n",
            "run.sh": (b"#!/bin/sh\n",),
            "empty": {},
            "below": {"b": b"b", "link": "../a.csv"},
        },
    )
    return tmp_path / "data"


def test_a_folder_of_many_small_and_some_large_files_comes_back(store: ObjectStore, tmp_path: Path) -> None:
    many = {f"{number:03}": b"%d" % number for number in range(100)}
    build(tmp_path / "in", {"a": many, "large": os.urandom(3 << 20), "z": {**many, "100": b"more"}})
    entry = store_path(store, tmp_path / "in")
    assert len(list(store.packs)) == 1
    for name in store:
        store.verify(name)
    restore(store, entry, tmp_path / "out")
    assert seen(tmp_path / "out") == seen(tmp_path / "in")


def test_an_entry_tells_kind_size_and_executability(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    assert (entry.name, entry.kind, entry.size) == ("data", "tree", 4 + 10 + 1 + 8)
    below = {child.name: child for child in read_tree(store, entry.object)}
    assert below["a.csv"] == Entry("a.csv", "file", hash_bytes(b"1,2\n"), 4)
    assert below["run.sh"].executable
    assert below["empty"].object == hash_bytes(f"{HEADER}\n".encode())
    assert below["below"].kind == "tree"


def test_walk_lists_files_and_links_with_their_paths(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    found = [(path, child.kind) for path, child in walk(store, entry)]
    assert found == [("a.csv", "file"), ("below/b", "file"), ("below/link", "link"), ("run.sh", "file")]
    file = store_path(store, folder / "a.csv")
    assert list(walk(store, file)) == [("", file)]


def test_a_directory_can_be_identified_and_listed_without_storing(store: ObjectStore, folder: Path) -> None:
    trees = Memory()
    entry = identify_path(folder, trees=trees)
    assert list(store) == []
    assert list(walk(trees, entry)) == list(walk(store, store_path(store, folder)))
    with pytest.raises(NotFound):
        trees.read(hash_bytes(b"other"))


def test_the_name_of_a_tree_depends_only_on_what_is_in_it(store: ObjectStore, folder: Path) -> None:
    before = store_path(store, folder)
    os.utime(folder / "a.csv", (0, 0))
    folder = folder.rename(folder.with_name("other"))
    assert store_path(store, folder).object == before.object
    (folder / "a.csv").chmod(0o755)
    assert store_path(store, folder).object != before.object


class Remembered(dict[bytes, Listing]):
    """Knows folders for as long as it lives, at an hour at which all that a test wrote is settled."""

    def now(self) -> int:
        return time.time_ns() + 3600 * 10**9

    def recall(self, folder: bytes) -> Listing | None:
        return self.get(folder)

    def learn(self, folder: bytes, listing: Listing) -> None:
        self[folder] = listing


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are opened from now on, but for those of the store."""
    names: list[str] = []
    real = os.open

    def note(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if isinstance(path, bytes):
            names.append(os.fsdecode(os.path.basename(path)))  # noqa: PTH119
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", note)
    return names


@pytest.mark.parametrize("storing", [True, False])
def test_files_that_did_not_change_are_not_read_again(
    store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch, storing: bool
) -> None:
    known = Remembered()
    entry = store_path(store, folder, known=known)
    read = opened(monkeypatch)
    take = partial(store_path, store) if storing else identify_path
    assert take(folder, known=known) == entry
    assert read == []
    (folder / "below" / "b").write_bytes(b"B")
    assert take(folder, known=known) != entry
    assert read == ["b"]


def test_the_lists_of_unchanged_directories_can_be_had(store: ObjectStore, folder: Path) -> None:
    known, trees = Remembered(), Memory()
    entry = store_path(store, folder, known=known)
    assert identify_path(folder, known=known, trees=trees) == entry
    assert list(walk(trees, entry)) == list(walk(store, entry))


@settings(max_examples=40, deadline=None)
@given(before=nodes, after=nodes)
def test_what_is_known_never_changes_what_is_found(shared: Path, before: Node, after: Node) -> None:
    folder = Path(tempfile.mkdtemp(dir=shared))
    store, known = ObjectStore(shared / "objects"), Remembered()
    build(folder / "wanted", after)
    build(folder / "here", before)
    for _ in range(2):
        assert identify_path(folder / "here", known=known) == identify_path(folder / "here")
    restore(store, store_path(store, folder / "wanted"), folder / "here", known=known)
    assert identify_path(folder / "here", known=known) == identify_path(folder / "here")
    assert seen(folder / "here") == after
    shutil.rmtree(folder)


def test_what_the_store_lacks_is_put_even_if_its_name_is_known(
    store: ObjectStore, folder: Path, tmp_path: Path
) -> None:
    known = Remembered()
    entry = identify_path(folder, known=known)
    assert store_path(store, folder, known=known) == entry
    restore(store, entry, tmp_path / "out")
    single = folder / "a.csv"
    elsewhere = ObjectStore(tmp_path / "elsewhere" / "objects")
    assert elsewhere.read(store_path(elsewhere, single, known=known).object) == b"1,2\n"


def test_after_damage_adding_heals_though_nothing_changed(store: ObjectStore, folder: Path) -> None:
    known = Remembered()
    store_path(store, folder, known=known)
    home = store.loose.path(hash_bytes(b"1,2\n"))
    home.chmod(0o644)
    home.write_bytes(b"1,3\n")
    with pytest.raises(Corrupt):
        store.read(hash_bytes(b"1,2\n"))
    store_path(store, folder, known=known)
    assert store.read(hash_bytes(b"1,2\n")) == b"1,2\n"


def test_a_named_pipe_in_a_directory_is_refused(store: ObjectStore, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match="`pipe` is neither file, directory nor symbolic link"):
        store_path(store, folder)


def test_a_repository_inside_a_directory_is_refused(store: ObjectStore, folder: Path) -> None:
    (folder / "below" / ".git").mkdir()
    with pytest.raises(UsageError, match=r"\.git"):
        store_path(store, folder)


def test_what_is_not_there_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no `nothing`"):
        store_path(store, tmp_path / "nothing")


def test_a_file_that_vanishes_while_its_directory_is_stored_is_left_out(
    store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def vanish(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == os.fsencode(folder / "a.csv"):
            (folder / "a.csv").unlink()
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", vanish)
    entry = store_path(store, folder)
    assert [name for name, _ in walk(store, entry)] == ["below/b", "below/link", "run.sh"]


def test_a_directory_that_never_stands_still_is_a_conflict(
    store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def edit(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == os.fsencode(folder / "a.csv"):
            with (folder / "a.csv").open("ab") as file:
                file.write(b"more")
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", edit)
    with pytest.raises(Conflict, match="`data` changed while it was read"):
        store_path(store, folder)
    assert list(store) == []


def test_a_tree_is_stored_after_all_that_it_lists(tmp_path: Path, folder: Path) -> None:
    """So that whoever finds a tree, also after a crash, finds its files."""

    def check(step: str) -> None:
        if step == "renamed":
            trees = [name for name in store if store.read(name).startswith(HEADER.encode())]
            assert not trees or all(map(store.has, files))

    files = [hash_bytes(data) for data in (b"1,2\n", b"#!/bin/sh\n", b"b")]
    store = ObjectStore(tmp_path / "objects", failpoint=check)
    store_path(store, folder)


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
