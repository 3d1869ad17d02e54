from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from drystone.core.errors import Conflict, Corrupt, NotFound, UsageError
from drystone.core.parallel import processors
from drystone.objects.entry import HEADER, Entry
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import _SHARE, identify_path, store_path
from drystone.objects.listing import UNKNOWN
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Memory, read_tree, walk

from .apart import storing
from .trees import Node, Remembered, build, nodes, opened, seen


def test_an_entry_tells_kind_size_and_executability(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    assert (entry.name, entry.kind, entry.size) == ("data", "tree", 4 + 10 + 1 + 8)
    below = {child.name: child for child in read_tree(store, entry.object)}
    assert below["a.csv"] == Entry("a.csv", "file", hash_bytes(b"1,2\n"), 4)
    assert below["run.sh"].executable
    assert below["empty"].object == hash_bytes(f"{HEADER}\n".encode())
    assert below["below"].kind == "tree"


def test_the_name_of_a_tree_depends_only_on_what_is_in_it(store: ObjectStore, folder: Path) -> None:
    before = store_path(store, folder)
    os.utime(folder / "a.csv", (0, 0))
    folder = folder.rename(folder.with_name("other"))
    assert store_path(store, folder).object == before.object
    (folder / "a.csv").chmod(0o755)
    assert store_path(store, folder).object != before.object


def test_a_file_changed_in_the_tick_in_which_it_is_looked_at_is_not_remembered(
    store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Remembered()
    then = (folder / "a.csv").stat().st_ctime_ns
    monkeypatch.setattr(known, "now", lambda: then)
    store_path(store, folder, known=known)
    listing = known.recall(os.fsencode(folder))
    assert listing is not None
    assert listing.known()[b"a.csv"][1] == listing.tree == UNKNOWN
    monkeypatch.undo()
    store_path(store, folder, known=known)
    listing = known.recall(os.fsencode(folder))
    assert listing is not None
    assert UNKNOWN not in (listing.known()[b"a.csv"][1], listing.tree)


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


def test_a_list_is_stored_again_if_the_store_is_in_doubt(store: ObjectStore, folder: Path) -> None:
    """A lost file of a folder whose list is here: only then is each file looked at."""
    known = Remembered()
    store_path(store, folder, known=known)
    store.loose.path(hash_bytes(b"1,2\n")).unlink()
    store_path(store, folder, known=known)
    assert not store.has(hash_bytes(b"1,2\n"))
    store.quarantine.raise_doubt()
    store_path(store, folder, known=known)
    assert store.read(hash_bytes(b"1,2\n")) == b"1,2\n"


def test_a_folder_that_changes_before_its_list_is_asked_for_is_a_conflict(folder: Path) -> None:
    known, trees = Remembered(), Memory()
    identify_path(folder, known=known)
    entry = identify_path(folder, known=known, trees=trees)
    (folder / "a.csv").write_bytes(b"3,4\n")
    identify_path(folder, known=known)  # somebody else learns of the change
    with pytest.raises(Conflict, match="changed while it was read"):
        trees.read(entry.object)


def test_what_was_found_is_relied_on_while_the_process_lives(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    assert entry.object in ObjectStore(store.root).sharing.living().objects


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """So many files that several processes store them; each content is in both halves."""
    folders: dict[str, Node] = {
        f"{folder:02}": {f"{n}": b"stone %d %d" % (folder % 9, n) for n in range(250)} for folder in range(18)
    }
    build(tmp_path / "many", folders)
    return tmp_path / "many"


def test_many_files_are_stored_by_several_processes_and_what_both_have_once(
    store: ObjectStore, many: Path
) -> None:
    expected = identify_path(many)
    assert storing(store, many).done().out == expected.object
    packs = list(store.packs)
    assert len(packs) == min(processors(), 18 // _SHARE)
    unique = 9 * 250 + 9 + 1
    # both take the same contents in the same order here, so now and then one is stored twice
    assert unique == len(set(store)) <= sum(len(pack.index) for pack in packs) < 1.25 * unique
    for name in store:
        store.verify(name)


@pytest.mark.skipif(processors() < 2, reason="needs two processors")
@pytest.mark.parametrize("dies", ["helper", "first"])
def test_a_killed_process_leaves_no_list_of_what_is_not_there(
    store: ObjectStore, many: Path, dies: str
) -> None:
    expected = identify_path(many)
    killed = storing(store, many, dies).done()
    assert killed.code != 0
    if dies == "helper":
        assert "a process that did part of the work ended before it was done" in killed.err
    for name in store:
        if store.read(name).startswith(HEADER.encode()):
            for _, file in walk(store, Entry("", "tree", name, 0)):
                assert store.has(file.object)
    assert storing(store, many).done().out == expected.object
    for _, file in walk(store, expected):
        store.verify(file.object)
    assert list(store.loose.incoming.iterdir()) == []


def test_several_processes_find_what_changed_among_what_is_known(store: ObjectStore, many: Path) -> None:
    for folder in range(10):
        build(many / f"{folder:02}" / "deeper", {"link": "../0", "f": b"%d" % folder, "empty": {}})
    for change in (
        lambda: None,
        lambda: None,
        lambda: (many / "11" / "7").write_bytes(b"another"),
        lambda: (many / "03" / "deeper" / "f").write_bytes(b"another"),
        lambda: (many / "17" / "249").unlink(),
        lambda: (many / "17").rename(many / "04" / "moved"),
    ):
        change()
        assert storing(store, many).done().out == identify_path(many).object
