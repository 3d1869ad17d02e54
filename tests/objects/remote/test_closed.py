"""A list of a directory comes into the store after all that it lists, wherever a pull ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from tests.objects.closed import broken_promises
from tests.objects.remote.world import content, folder_of, pull, push
from tests.objects.trees import Remembered, build, nodes

from drystone.core.errors import RemoteUnavailable
from drystone.core.ids import digest_of
from drystone.objects.entry import Entry
from drystone.objects.intake import identify_path, store_path
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree

FILES = {
    **{f"{number}": b"%d\n" % number for number in range(20)},
    "below/a": b"one\n",
    "below/deep/b": b"two\n",
    "large": bytes(range(256)) * 8192,
}


class Killed(BaseException):
    """Stands for the end of a process: nothing after it is done."""


def ends(fetch: Callable[[ObjectStore], object], root: Path) -> Iterator[ObjectStore]:
    """The stores that are left where a process ends at each step of its writes."""
    for last in itertools.count(1):
        steps = itertools.count(1)

        def step(_name: str, last: int = last, steps: Iterator[int] = steps) -> None:
            if next(steps) == last:
                raise Killed

        store = ObjectStore(root / str(last) / "objects", failpoint=step)
        try:
            fetch(store)
        except Killed:
            yield ObjectStore(store.root)
        else:
            assert last > 10
            return


@pytest.fixture
def root(store: ObjectStore, tmp_path: Path) -> Entry:
    return folder_of(store, tmp_path / "data", FILES)


@pytest.fixture
def bucket(store: ObjectStore, root: Entry) -> Bucket:
    bucket = Bucket(MemoryStore(), "lab", "memory://")
    push(store, bucket, root)
    return bucket


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """From now on the remote has not these objects."""
    find = Catalogue.find
    lost = set(map(digest_of, names))
    monkeypatch.setattr(Catalogue, "find", lambda self, it: None if it in lost else find(self, it))


def test_a_pull_that_ends_anywhere_leaves_no_list_without_what_it_lists(
    bucket: Bucket, store: ObjectStore, root: Entry, tmp_path: Path
) -> None:
    for left in ends(lambda other: pull(other, bucket, root), tmp_path / "ends"):
        assert broken_promises(left) == []
        assert not pull(left, bucket, root).lacking
        assert content(left, root) == content(store, root)
        assert broken_promises(left) == []


def test_a_pull_that_is_cut_off_leaves_no_list_without_what_it_lists(
    bucket: Bucket, other: ObjectStore, root: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_range = bucket.get_range
    for allowed in itertools.count():
        left = itertools.count(allowed, -1)

        def cut(key: str, start: int, end: int, left: Iterator[int] = left) -> bytes | None:
            if not next(left):
                raise RemoteUnavailable("the cable was cut")
            return get_range(key, start, end)

        monkeypatch.setattr(bucket, "get_range", cut)
        try:
            pull(other, bucket, root)
        except RemoteUnavailable:
            assert broken_promises(other) == []
        else:
            break
    assert allowed > 2
    assert broken_promises(other) == []


def test_what_was_pulled_in_part_is_stored_whole_by_whoever_has_it(
    bucket: Bucket,
    store: ObjectStore,
    other: ObjectStore,
    root: Entry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Remembered()
    assert identify_path(tmp_path / "data", known=known) == root
    lost = next(child.object for child in read_tree(store, root.object) if child.name == "7")
    with monkeypatch.context() as patched:
        without(patched, lost)
        assert pull(other, bucket, root).lacking == {lost}
    assert broken_promises(other) == []
    assert store_path(other, tmp_path / "data", known=known) == root
    assert broken_promises(other) == []
    restore(other, root, tmp_path / "again")
    assert not push_fails(other, root)


def push_fails(store: ObjectStore, root: Entry) -> bool:
    elsewhere = Bucket(MemoryStore(), "other", "memory://")
    push(store, elsewhere, root)
    fresh = ObjectStore(store.root.parent / "fresh" / "objects")
    return bool(pull(fresh, elsewhere, root).lacking)


def test_lists_of_which_something_lacks_can_be_read_and_are_not_there(
    bucket: Bucket, store: ObjectStore, other: ObjectStore, root: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = {child.name: child.object for child in read_tree(store, root.object)}
    (deep,) = (child for child in read_tree(store, below["below"]) if child.name == "deep")
    (lost,) = read_tree(store, deep.object)
    with monkeypatch.context() as patched:
        without(patched, lost.object)
        assert pull(other, bucket, root).missing == {lost.object}
    for name in (root.object, below["below"], deep.object):
        assert not other.has(name)
        assert name not in other
        assert read_tree(other, name) == read_tree(store, name)
    assert other.has(below["7"])
    assert not pull(other, bucket, root).lacking
    assert other.has(root.object)
    assert broken_promises(other) == []
    assert [*other.loose.apart.glob("*")] == []


def test_a_damaged_list_that_lies_apart_is_not_used(
    bucket: Bucket, store: ObjectStore, other: ObjectStore, root: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = next(child.object for child in read_tree(store, root.object) if child.name == "7")
    with monkeypatch.context() as patched:
        without(patched, lost)
        pull(other, bucket, root)
    (apart,) = other.loose.apart.glob("*")
    apart.chmod(0o644)
    apart.write_bytes(apart.read_bytes().replace(b"7", b"8"))
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == content(store, root)
    assert [*other.loose.apart.glob("*")] == []


@given(node=nodes, number=st.integers(0, 100))
@settings(max_examples=15)
def test_a_list_that_is_there_promises_all_below_it(
    tmp_path_factory: pytest.TempPathFactory, node: object, number: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    build(folder / "data", {"it": node})
    store, other = (ObjectStore(folder / name / "objects") for name in ("store", "other"))
    root = store_path(store, folder / "data")
    bucket = Bucket(MemoryStore(), "lab", "memory://")
    push(store, bucket, root)
    names = sorted(store)
    lost = names[number % len(names)]
    with pytest.MonkeyPatch.context() as patched:
        without(patched, lost)
        assert pull(other, bucket, root).lacking == {lost}
    assert broken_promises(other) == []
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == content(store, root)
    assert broken_promises(other) == []
