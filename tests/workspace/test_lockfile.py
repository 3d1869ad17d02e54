from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import Conflict, Corrupt, ProjectInvalid
from drystone.objects.hashing import hash_bytes
from drystone.workspace.lockfile import HEADER, Lock, LockedPath, is_safe_path, overlapping, update, write

Run = Callable[..., str]

ID = hash_bytes(b"stone")
OTHER = hash_bytes(b"other stone")

ids = st.binary(min_size=32, max_size=32).map(lambda raw: "b3:" + raw.hex())
names = st.binary(min_size=1, max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
paths = st.lists(names, min_size=1, max_size=3).map("/".join).filter(is_safe_path)
locked = st.one_of(
    st.builds(LockedPath, ids, st.sampled_from(["file", "tree", "link"]), st.integers(0, 10**19 - 1)),
    st.builds(LockedPath, ids, st.just("file"), st.integers(0, 10**12), st.just(True)),
)
locks = st.builds(
    Lock,
    paths=st.dictionaries(paths, locked, max_size=6).filter(lambda some: overlapping(some) is None),
    steps=st.dictionaries(names, ids, max_size=4),
)


def of(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


@given(locks)
def test_a_lock_is_read_as_it_was_written(lock: Lock) -> None:
    assert Lock.parse(lock.encode()) == lock


@given(st.binary(max_size=300))
def test_garbage_is_refused_by_name_and_line(data: bytes) -> None:
    with pytest.raises(Corrupt) as caught:
        Lock.parse(data)
    assert caught.value.at[0].startswith("drystone.lock:")


@given(locks, st.data())
def test_a_damaged_lock_is_refused_or_another_lock(lock: Lock, data: st.DataObject) -> None:
    raw = bytearray(lock.encode())
    raw[data.draw(st.integers(len(HEADER), len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Lock.parse(bytes(raw))
    except Corrupt:
        return
    assert Lock.parse(found.encode()) == found


def test_the_bytes_are_as_documented() -> None:
    lock = Lock(
        {
            "models/late arrival": LockedPath(OTHER, "tree", 12),
            "data/flights.parquet": LockedPath(ID, "file", 123456),
            "data/tool.sh": LockedPath(ID, "file", 9, executable=True),
        },
        {"train": ID},
    )
    assert lock.encode().decode() == (
        "# drystone.lock 1\n"
        "\n"
        f"path data/flights.parquet {ID} file 123456\n"
        "\n"
        f"path data/tool.sh {ID} exec 9\n"
        "\n"
        f"path models/late%20arrival {OTHER} tree 12\n"
        "\n"
        f"step train {ID}\n"
    )
    assert Lock().encode() == b"# drystone.lock 1\n"


BAD = {
    "unknown word": "file a b",
    "too few words": f"path data/x {ID} file",
    "too many words": f"path data/x {ID} file 5 6",
    "bad object": "path data/x b3:12 file 5",
    "bad kind": f"path data/x {ID} pipe 5",
    "bad size": f"path data/x {ID} file -5",
    "outside": f"path ../x {ID} file 5",
    "absolute": f"path /etc/passwd {ID} file 5",
    "not normal": f"path data//x {ID} file 5",
    "the root": f"path . {ID} tree 5",
    "git's own": f"path .git/hooks/post-checkout {ID} exec 5",
    "git's own in capitals": f"path data/.Git {ID} tree 5",
    "our own": f"path .drystone/objects {ID} tree 5",
    "NUL": f"path a%00b {ID} file 5",
    "bad escape": f"path a%zz {ID} file 5",
    "needless escape": f"path %61 {ID} file 5",
    "trace missing": "step train",
    "step without name": f"step  {ID}",
    "carriage return": f"path data/x {ID} file 5\r",
    "comment": "# a comment",
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(Corrupt, match="cannot be understood") as caught:
        Lock.parse(of("", f"path data/a {ID} file 5", "", line))
    assert caught.value.at == ("drystone.lock:5",)
    assert caught.value.because
    assert "git checkout" in caught.value.hints[0]


@pytest.mark.parametrize("line", [f"path data/a {ID} file 5", f"step train {OTHER}"])
def test_a_double_entry_is_refused_at_its_second_line(line: str) -> None:
    with pytest.raises(Corrupt) as caught:
        Lock.parse(of(line, "", line.replace(ID, OTHER)))
    assert caught.value.at == ("drystone.lock:4",)
    assert "a second line" in caught.value.because[0]


def test_a_path_inside_another_is_refused() -> None:
    with pytest.raises(Corrupt) as caught:
        Lock.parse(of(f"path data/a/b {ID} file 5", f"path data/a {ID} tree 5"))
    assert caught.value.at == ("drystone.lock:2",)
    assert caught.value.because == ("`data/a/b` lies inside `data/a`",)
    with pytest.raises(Conflict, match="`data/a/b` cannot be tracked"):
        Lock({path: LockedPath(ID, "tree", 5) for path in ("data/a", "data/a/b", "data/ab")}).encode()


def test_a_lock_of_a_newer_format_asks_for_an_update() -> None:
    with pytest.raises(ProjectInvalid, match="format 2,") as caught:
        Lock.parse(b"# drystone.lock 2\nwhatever\n")
    assert "pip install --upgrade drystone" in caught.value.hints[0]


@pytest.mark.parametrize("data", [b"", b"\n", b"path\n", b"# drystone.lock 1"])
def test_a_file_without_its_header_or_its_end_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Lock.parse(data)


class TestWithGit:
    def branches(self, root: Path, sh: Run, base: Lock, ours: Lock, theirs: Lock) -> int:
        """The exit code of merging two branches that changed the lock."""
        write(root / "drystone.lock", base)
        sh("add", ".")
        sh("commit", "-qm", "base")
        sh("checkout", "-qb", "theirs")
        write(root / "drystone.lock", theirs)
        sh("commit", "-qam", "theirs")
        sh("checkout", "-q", "main")
        write(root / "drystone.lock", ours)
        sh("commit", "-qam", "ours")
        return subprocess.run(["git", "merge", "-q", "theirs"], cwd=root, capture_output=True).returncode

    base = Lock({}, dict.fromkeys("abcd", ID))

    def test_changes_of_neighbours_merge(self, root: Path, sh: Run) -> None:
        ours, theirs = self.base.changed(steps={"b": OTHER}), self.base.changed(steps={"c": OTHER})
        assert self.branches(root, sh, self.base, ours, theirs) == 0
        assert Lock.read(root / "drystone.lock").steps == {"a": ID, "b": OTHER, "c": OTHER, "d": ID}

    def test_an_addition_merges_with_a_change_two_lines_on(self, root: Path, sh: Run) -> None:
        ours, theirs = self.base.changed(steps={"a1": ID}), self.base.changed(steps={"c": OTHER})
        assert self.branches(root, sh, self.base, ours, theirs) == 0
        assert Lock.read(root / "drystone.lock").steps == {"a": ID, "a1": ID, "b": ID, "c": OTHER, "d": ID}

    def test_a_conflict_is_called_a_conflict(self, root: Path, sh: Run) -> None:
        ours, theirs = self.base.changed(steps={"b": OTHER}), self.base.changed(steps={"b": hash_bytes(b"")})
        assert self.branches(root, sh, self.base, ours, theirs) == 1
        with pytest.raises(Corrupt, match="unresolved merge conflicts") as caught:
            Lock.read(root / "drystone.lock")
        assert caught.value.at == ("drystone.lock:5",)
        sh("checkout", "--ours", "drystone.lock")  # as the hint says
        assert Lock.read(root / "drystone.lock") == ours


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert Lock.read(tmp_path / "drystone.lock") == Lock()


def test_an_unreadable_lock_is_reported(tmp_path: Path) -> None:
    (tmp_path / "drystone.lock").mkdir()
    with pytest.raises(ProjectInvalid, match=r"`drystone\.lock` is a folder"):
        Lock.read(tmp_path / "drystone.lock")


def test_writing_what_is_there_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "drystone.lock"
    write(path, Lock({}, {"a": ID}))
    before = path.stat()
    write(path, Lock({}, {"a": ID}))
    assert path.stat() == before
    assert list(tmp_path.iterdir()) == [path]


def test_updates_by_many_are_all_kept(tmp_path: Path) -> None:
    path, guards = tmp_path / "drystone.lock", tmp_path / ".drystone" / "guards"
    threads = [
        threading.Thread(
            target=lambda step=f"step{number}": update(
                path, guards, lambda old: old.changed(steps={step: ID})
            )
        )
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Lock.read(path).steps) == 12
    assert sorted(child.name for child in tmp_path.iterdir()) == [".drystone", "drystone.lock"]


def test_a_change_sets_and_removes(tmp_path: Path) -> None:
    one = LockedPath(ID, "file", 5)
    lock = Lock({"data/a": one, "data/b": one}, {"s": ID})
    assert lock.changed(paths={"data/a": None, "data/c": one}, steps={"s": None}) == Lock(
        {"data/b": one, "data/c": one}
    )
