"""Three-way merges of directories and of the lock, against what one would do by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import Corrupt, NotFound
from drystone.objects.entry import Entry, encode
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk
from drystone.workspace.lockfile import HEADER, Lock, LockedPath
from drystone.workspace.lockmerge import LockMerge, merge_locks
from drystone.workspace.markers import take
from drystone.workspace.merge import Clash, merge_entries

Files = dict[str, tuple[str, bool]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return ObjectStore(tmp_path_factory.mktemp("store") / "objects")


def tree(store: ObjectStore, files: Files, name: str = "data") -> Entry:
    """The directory that holds these files (content and executable bit by path), and no empty ones."""
    below: dict[str, Files] = {}
    entries: list[Entry] = []
    for path, (content, executable) in files.items():
        first, slash, rest = path.partition("/")
        if slash:
            below.setdefault(first, {})[rest] = (content, executable)
        else:
            data = content.encode()
            entries.append(Entry(first, "file", store.put_bytes(data), len(data), executable))
    entries += [tree(store, some, first) for first, some in below.items()]
    return Entry(name, "tree", store.put_bytes(encode(entries)), sum(entry.size for entry in entries))


def files(store: ObjectStore, entry: Entry | None) -> Files:
    if entry is None:
        return {}
    return {path: (store.read(file.object).decode(), file.executable) for path, file in walk(store, entry)}


def locked(entry: Entry) -> LockedPath:
    return LockedPath.of(entry)


def lock(**paths: LockedPath) -> bytes:
    return Lock({name.replace("__", "/"): value for name, value in paths.items()}).encode()


def file(store: ObjectStore, content: str) -> LockedPath:
    return LockedPath(store.put_bytes(content.encode()), "file", len(content))


# directories

_PATHS = ("a", "b", "d/a", "d/b", "d/e/a", "f")
_states = st.dictionaries(
    st.sampled_from(_PATHS), st.tuples(st.sampled_from(["1", "2", "3"]), st.booleans()), max_size=6
)


def pick(base: Any, ours: Any, theirs: Any) -> tuple[Any, Any]:
    """What three-way merge means for one value."""
    if ours == theirs or base == theirs:
        return ours, ours
    return (theirs, theirs) if base == ours else (ours, theirs)


@given(base=_states, ours=_states, theirs=_states)
def test_a_merge_of_directories_is_the_merge_of_their_files_one_by_one(
    store: ObjectStore, base: Files, ours: Files, theirs: Files
) -> None:
    clashes: list[Clash] = []
    merged = merge_entries(store, "data", tree(store, base), tree(store, ours), tree(store, theirs), clashes)
    wanted: tuple[Files, Files] = ({}, {})
    clashing = set()
    for path in _PATHS:
        sides = base.get(path), ours.get(path), theirs.get(path)
        found = pick(*sides)
        if found[0] != found[1] and None not in sides:
            content, executable = (pick(*(side[part] for side in sides)) for part in (0, 1))  # type: ignore[index]
            if content[0] == content[1]:
                found = ((content[0], executable[0]),) * 2
        if found[0] != found[1]:
            clashing.add(f"data/{path}")
        for side, value in zip(wanted, found, strict=True):
            if value is not None:
                side[path] = value
    assert (files(store, merged.ours), files(store, merged.theirs)) == wanted
    assert {clash.path for clash in clashes} == clashing
    assert (merged.ours == merged.theirs) == (not clashing)


@given(base=_states, ours=_states, theirs=_states)
def test_a_merge_does_not_depend_on_who_is_called_ours(
    store: ObjectStore, base: Files, ours: Files, theirs: Files
) -> None:
    one, other, here = (tree(store, side) for side in (ours, theirs, base))
    merged = merge_entries(store, "data", here, one, other, [])
    turned = merge_entries(store, "data", here, other, one, [])
    assert (merged.ours, merged.theirs) == (turned.theirs, turned.ours) or merged == turned


def test_empty_directories_and_deleted_ones_are_told_apart(store: ObjectStore) -> None:
    empty = Entry("e", "tree", store.put_bytes(encode([])), 0)

    def holding(*entries: Entry) -> Entry:
        return Entry("data", "tree", store.put_bytes(encode(entries)), sum(each.size for each in entries))

    x, y = (Entry(name, "file", store.put_bytes(b"1"), 1) for name in "xy")
    both = merge_entries(store, "data", holding(), holding(empty), holding(x), [])
    assert both.ours == both.theirs == holding(empty, x)
    gone = merge_entries(store, "data", holding(empty, x), holding(x), holding(empty), [])
    assert gone.ours == gone.theirs == holding()
    inner = Entry("e", "tree", holding(x, y).object, 2)
    left = merge_entries(store, "data", holding(inner), holding(y), holding(inner, y), [])
    assert left.ours == holding(y)


def test_a_directory_deleted_here_and_changed_there_keeps_only_what_changed(store: ObjectStore) -> None:
    clashes: list[Clash] = []
    base = tree(store, {"d/a": ("1", False), "d/b": ("1", False)})
    merged = merge_entries(
        store, "data", base, tree(store, {}), tree(store, {"d/a": ("2", False), "d/b": ("1", False)}), clashes
    )
    assert [clash.path for clash in clashes] == ["data/d/a"]
    assert files(store, merged.ours) == {}
    assert files(store, merged.theirs) == {"d/a": ("2", False)}


def test_a_file_on_one_side_and_a_directory_on_the_other_clash(store: ObjectStore) -> None:
    clashes: list[Clash] = []
    base = tree(store, {"a": ("1", False)})
    ours, theirs = tree(store, {"a": ("2", False)}), tree(store, {"a/b": ("1", False)})
    merged = merge_entries(store, "data", base, ours, theirs, clashes)
    assert [clash.path for clash in clashes] == ["data/a"]
    assert (merged.ours, merged.theirs) == (ours, theirs)


def test_only_directories_that_both_sides_changed_are_read(store: ObjectStore) -> None:
    absent = Entry("never", "tree", "b3:" + "1" * 64, 5)

    def holding(*entries: Entry) -> Entry:
        return Entry("data", "tree", store.put_bytes(encode(entries)), sum(each.size for each in entries))

    x, y = (Entry(name, "file", "b3:" + "2" * 64, 1) for name in "xy")
    merged = merge_entries(store, "data", holding(absent), holding(absent, x), holding(absent, y), [])
    assert merged.ours == holding(absent, x, y)


# the lock


def test_changes_of_different_paths_and_steps_merge(store: ObjectStore) -> None:
    a, b, c = (file(store, content) for content in "abc")
    traces = ["b3:" + digit * 64 for digit in "123"]
    base = Lock({"x": a, "y": a, "gone": a}, {"one": traces[0], "two": traces[0]})
    ours = base.changed(paths={"x": b, "new": c}, steps={"one": traces[1]})
    theirs = base.changed(paths={"y": b, "gone": None}, steps={"two": traces[2], "three": traces[0]})
    merged = merge_locks(store, *(each.encode() for each in (base, ours, theirs)))
    assert (merged.conflicts, merged.dropped) == ((), ())
    assert (
        merged.data
        == Lock({"x": b, "y": b, "new": c}, {"one": traces[1], "two": traces[2], "three": traces[0]}).encode()
    )


def test_a_file_changed_on_both_sides_stands_alone_between_markers(store: ObjectStore) -> None:
    a, b, c = (file(store, content) for content in "abc")
    merged = merge_locks(store, lock(x=a, y=a), lock(x=b, y=a), lock(x=c, y=b))
    assert merged.conflicts == ("x",)
    assert merged.data.decode() == (
        f"{HEADER}\n\n"
        f"<<<<<<< ours\npath x {b.object} file 1\n=======\npath x {c.object} file 1\n>>>>>>> theirs\n\n"
        f"path y {b.object} file 1\n"
    )
    with pytest.raises(Corrupt, match="unresolved merge conflicts"):
        Lock.parse(merged.data)
    for side, value in (("ours", b), ("theirs", c)):
        resolved, names = take(merged.data, side)  # type: ignore[arg-type]
        assert names == ("x",)
        assert Lock.parse(resolved) == Lock({"x": value, "y": b})
        assert resolved == Lock({"x": value, "y": b}).encode()


def test_each_side_of_a_conflict_in_a_directory_has_all_that_merges(store: ObjectStore) -> None:
    old = dict.fromkeys(("same", "both", "mine", "other"), ("1", False))
    base, ours, theirs = (
        locked(tree(store, {**old, **change}))
        for change in (
            {},
            {"both": ("2", False), "mine": ("2", False)},
            {"both": ("3", False), "other": ("3", False)},
        )
    )
    merged = merge_locks(store, lock(d=base), lock(d=ours), lock(d=theirs))
    assert [clash.path for clash in merged.clashes] == ["d/both"]
    for side, content in (("ours", "2"), ("theirs", "3")):
        resolved = Lock.parse(take(merged.data, side)[0])  # type: ignore[arg-type]
        assert files(store, resolved.paths["d"].entry("d")) == {
            "same": ("1", False),
            "both": (content, False),
            "mine": ("2", False),
            "other": ("3", False),
        }


def test_deleted_here_and_changed_there_is_a_conflict(store: ObjectStore) -> None:
    a, b = (file(store, content) for content in "ab")
    merged = merge_locks(store, lock(x=a), lock(), lock(x=b))
    assert merged.conflicts == ("x",)
    assert Lock.parse(take(merged.data, "ours")[0]) == Lock()
    assert Lock.parse(take(merged.data, "theirs")[0]) == Lock({"x": b})


def test_a_path_inside_another_is_one_conflict_of_all_of_them(store: ObjectStore) -> None:
    a, b = (file(store, content) for content in "ab")
    merged = merge_locks(store, lock(z=a), lock(z=a, d=b), lock(z=b, d__x=a, d__y=a))
    assert sorted(merged.conflicts) == ["d", "d/x", "d/y"]
    assert Lock.parse(take(merged.data, "ours")[0]) == Lock({"z": b, "d": b})
    assert Lock.parse(take(merged.data, "theirs", ["d/x"])[0]) == Lock({"z": b, "d/x": a, "d/y": a})


def test_a_directory_whose_list_is_not_here_is_a_conflict_with_the_way_out(store: ObjectStore) -> None:
    here = locked(tree(store, {"a": ("1", False)}))
    absent = LockedPath("b3:" + "e" * 64, "tree", 9)
    base = locked(tree(store, {}))
    merged = merge_locks(store, lock(d=base, x=here), lock(d=here, x=here), lock(d=absent))
    assert merged.conflicts == ("d",)
    (problem,) = merged.problems
    assert isinstance(problem, NotFound)
    assert "drystone pull" in problem.hints[0]
    assert Lock.parse(take(merged.data, "theirs")[0]) == Lock({"d": absent})


def _trace(store: ObjectStore, *writes: str) -> str:
    return store.put_bytes(json.dumps({"format": 1, "writes": {path: {} for path in writes}}).encode())


def test_a_step_run_differently_on_both_sides_loses_its_line_and_its_outputs_do_not_clash(
    store: ObjectStore,
) -> None:
    a, b, c = (file(store, content) for content in "abc")
    traces = [_trace(store, "models/m", *more) for more in ((), ("x",), ("y",))]
    base, ours, theirs = (
        Lock({"models/m": value}, {"train": trace, "other": traces[0]}).encode()
        for value, trace in zip((a, b, c), traces, strict=True)
    )
    merged = merge_locks(store, base, ours, theirs)
    assert (merged.dropped, merged.remade, merged.conflicts) == (("train",), ("models/m",), ())
    assert Lock.parse(merged.data) == Lock({"models/m": b}, {"other": traces[0]})


def test_outputs_of_a_step_whose_traces_are_not_here_clash_like_anything(store: ObjectStore) -> None:
    a, b, c = (file(store, content) for content in "abc")
    here, absent = _trace(store, "models/m"), "b3:" + "d" * 64
    merged = merge_locks(
        store,
        Lock({"models/m": a}, {"train": "b3:" + "0" * 64}).encode(),
        Lock({"models/m": b}, {"train": here}).encode(),
        Lock({"models/m": c}, {"train": absent}).encode(),
    )
    assert (merged.dropped, merged.remade, merged.conflicts) == (("train",), (), ("models/m",))


def test_what_was_in_conflict_in_the_ancestor_merges_only_where_both_agree(store: ObjectStore) -> None:
    a, b, c = (file(store, content) for content in "abc")
    ancestor = merge_locks(store, lock(x=a, y=a), lock(x=b, y=b), lock(x=c, y=c)).data

    def merge(ours: bytes, theirs: bytes) -> LockMerge:
        return merge_locks(store, ancestor, ours, theirs)

    assert merge(lock(x=c, y=c), lock(x=b, y=c)).conflicts == ("x",)
    assert merge(lock(x=c), lock(x=c, y=c)).conflicts == ("y",)
    assert Lock.parse(merge(lock(x=c, y=b), lock(x=c, y=b)).data) == Lock({"x": c, "y": b})


_locks = st.dictionaries(st.sampled_from(["a", "b", "c", "c/d", "c/e"]), st.sampled_from("12"), max_size=4)


@given(states=st.lists(_locks, min_size=3, max_size=3))
def test_whatever_is_merged_either_side_is_a_lock_and_an_unchanged_side_gives_the_other(
    store: ObjectStore, states: list[dict[str, str]]
) -> None:
    locks = []
    for state in states:
        if "c" in state:
            state = {path: value for path, value in state.items() if not path.startswith("c/")}
        locks.append(Lock({path: file(store, value) for path, value in state.items()}))
    base, ours, theirs = (each.encode() for each in locks)
    merged = merge_locks(store, base, ours, theirs)
    for side in ("ours", "theirs"):
        Lock.parse(take(merged.data, side)[0])  # type: ignore[arg-type]
    assert merge_locks(store, base, base, theirs).data == theirs
    assert merge_locks(store, base, ours, base).data == ours
    assert merge_locks(store, base, ours, ours).data == ours


@pytest.mark.parametrize(
    "text",
    [
        "=======\n",
        "<<<<<<< ours\n",
        "<<<<<<< a\n<<<<<<< b\n",
        ">>>>>>> theirs\n",
        "<<<<<<<\n>>>>>>>\n",
        "\udcff",
    ],
)
def test_markers_in_no_order_are_refused(text: str) -> None:
    with pytest.raises(Corrupt):
        take(f"{HEADER}\n{text}".encode("utf-8", "surrogateescape"), "ours")


def test_the_form_of_conflicts_with_the_ancestor_between_is_read_too(store: ObjectStore) -> None:
    lines = [f"path x {file(store, content).object} file 1" for content in "abc"]
    text = "{}\n\n<<<<<<< HEAD\n{}\n||||||| merged\n{}\n=======\n{}\n>>>>>>> topic\n".format(HEADER, *lines)
    assert Lock.parse(take(text.encode(), "theirs")[0]) == Lock({"x": file(store, "c")})


def test_bytes_that_are_no_lock_are_refused(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(Corrupt):
        merge_locks(store, b"", b"rubbish\n", Lock().encode())
