"""Verbs that only want the lists of directories leave none in the store without what it lists."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.objects.closed import broken_promises
from tests.objects.trees import Remembered
from tests.project.conftest import Copy

from drystone.core.errors import NotFound
from drystone.core.ids import digest_of
from drystone.objects.entry import Entry, encode
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import identify_path, store_path
from drystone.objects.lists import lay_apart, lies_apart
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.restore import restore
from drystone.objects.tree import read_tree
from drystone.project import collecting, remote_gc
from drystone.project.contents import find
from drystone.project.origin import here
from drystone.project.upkeep import check, mend
from drystone.workspace.lockfile import Lock
from drystone.workspace.lockmerge import merge_locks

FILES = {"a": b"one\n" * 100, "below/b": b"two\n" * 50, "below/deep/c": b"three\n"}


@pytest.fixture
def ada(copy: Callable[[str], Copy]) -> Copy:
    """Has pushed FILES."""
    ada = copy("ada")
    ada.track("data", FILES)
    ada.remote().push()
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    return ada


@pytest.fixture
def bob(ada: Copy, copy: Callable[[str], Copy]) -> Copy:
    """A clone with an empty store."""
    return copy("bob")


def adds_it_whole(bob: Copy) -> None:
    """The folder that is tracked, remembered from before, is stored with all below it."""
    folder = bob.root / "mine"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    known = Remembered()
    entry = identify_path(folder, known=known)
    assert entry.object == bob.project.lock().paths["data"].object
    assert store_path(bob.project.store, folder, known=known) == entry
    restore(bob.project.store, entry, bob.root / "again")


def test_collecting_on_a_remote(bob: Copy) -> None:
    remote_gc.collect(bob.remote(), grace=timedelta(0), dry_run=False)
    assert broken_promises(bob.project.store) == []
    adds_it_whole(bob)


def test_a_pull_of_which_the_remote_lacks_something(bob: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = bob.remote()
    lost = lost_on(FILES["below/b"], monkeypatch)
    assert set(remote.pull().missing.values()) == {"data/below/b"}
    assert broken_promises(bob.project.store) == []
    adds_it_whole(bob)
    assert bob.project.store.has(lost)


def lost_on(data: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """From now on no remote has an object; its id."""
    name, find = hash_bytes(data), Catalogue.find
    monkeypatch.setattr(Catalogue, "find", lambda self, it: None if it == digest_of(name) else find(self, it))
    return name


def test_a_get_of_a_folder_that_nobody_stored(bob: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = here(bob.project)
    lost_on(FILES["below/b"], monkeypatch)
    with pytest.raises(NotFound):
        origin.sources.fetch(find(origin, "data").entry)
    assert broken_promises(bob.project.store) == []
    entry = Entry("all", "tree", origin.sources.keep(encode([find(origin, "data").entry])), 0)
    with pytest.raises(NotFound):
        origin.sources.fetch(entry)
    assert broken_promises(bob.project.store) == []
    monkeypatch.undo()
    origin.sources.fetch(entry)
    assert bob.project.store.has(entry.object)
    assert broken_promises(bob.project.store) == []


def test_a_merge_without_the_files_that_is_pushed_pulled_and_kept(
    ada: Copy, bob: Copy, copy: Callable[[str], Copy]
) -> None:
    base = ada.project.layout.lock.read_bytes()
    ada.track("data", {**FILES, "of ada": b"ada\n"})
    ada.remote().push()
    ours = ada.project.layout.lock.read_bytes()
    ada.track("data", {**FILES, "of another": b"another\n"})
    ada.remote().push()
    theirs = ada.project.layout.lock.read_bytes()
    store = bob.project.store
    merged = merge_locks(store, base, ours, theirs, here(bob.project).sources)
    assert not merged.conflicts
    assert broken_promises(store) == []
    bob.project.layout.lock.write_bytes(merged.data)
    tree = Lock.parse(merged.data).paths["data"].object
    assert lies_apart(store, tree)
    assert not store.has(tree)
    collecting.collect(bob.project, 0, dry_run=False)
    assert {child.name for child in read_tree(store, tree)} == {"a", "below", "of ada", "of another"}
    bob.remote().push()  # the files are there
    eve = copy("eve")
    eve.project.layout.lock.write_bytes(merged.data)
    assert eve.remote().pull().missing == {}
    assert eve.project.store.has(tree)
    assert bob.remote().pull().missing == {}
    assert store.has(tree)
    assert not lies_apart(store, tree)
    assert broken_promises(store) == []


class Lab:
    """A remote of a copy, for repairs."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def fetch(self, ids: list[str]) -> frozenset[str]:
        return self._copy.remote().fetch(ids)


def test_a_repair_from_a_remote_that_lacks_something(bob: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(bob.root / "data")
    lost = lost_on(FILES["below/b"], monkeypatch)
    report = mend(bob.project, check(bob.project), [Lab(bob)])  # type: ignore[list-item]
    assert lost in {one.object for one in report.lost}
    assert broken_promises(bob.project.store) == []
    (apart, *_) = sorted(bob.project.store.loose.apart.iterdir())
    apart.chmod(0o644)
    apart.write_bytes(b"damaged")
    assert any(fault.file == f"lists/{apart.name}" for fault in check(bob.project).faults)
    monkeypatch.undo()
    assert mend(bob.project, check(bob.project), [Lab(bob)]).whole  # type: ignore[list-item]
    assert broken_promises(bob.project.store) == []
    assert [*bob.project.store.loose.apart.iterdir()] == []


def test_what_lies_apart_and_nobody_needs_is_collected(bob: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        lost_on(FILES["below/b"], patched)
        bob.remote().pull()
    store = bob.project.store
    needed = {path.name for path in store.loose.apart.iterdir()}
    assert len(needed) == 2
    data = encode([Entry("a", "file", hash_bytes(b"nowhere"), 7)])
    lay_apart(store, hash_bytes(data), data)
    for path in store.loose.apart.iterdir():
        os.utime(path, (0, 0))
    collecting.collect(bob.project, 0, dry_run=False)
    assert {path.name for path in store.loose.apart.iterdir()} == needed
