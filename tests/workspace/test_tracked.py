from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import Conflict, Corrupt, NotFound, UsageError
from drystone.objects.hashing import hash_bytes
from drystone.workspace.checkout import checkout
from drystone.workspace.lockfile import Lock, LockedPath
from drystone.workspace.tracked import add
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


@pytest.fixture
def data(root: Path) -> Path:
    (root / "data" / "raw").mkdir(parents=True)
    (root / "data" / "raw" / "a.csv").write_bytes(b"1,2\n")
    (root / "data" / "b.csv").write_bytes(b"3,4\n")
    return root / "data"


def test_an_added_file_is_stored_locked_and_kept_out_of_git(
    workspace: Workspace, data: Path, sh: Run
) -> None:
    (added,) = add(workspace, [data / "b.csv"])
    assert (added.path, added.outcome, added.ignored) == ("data/b.csv", "added", True)
    assert added.locked == LockedPath(hash_bytes(b"3,4\n"), "file", 4)
    assert workspace.store.read(added.locked.object) == b"3,4\n"
    assert workspace.lock() == Lock({"data/b.csv": added.locked})
    assert sh("status", "--porcelain", "--untracked-files=all").splitlines() == [
        "?? .gitignore",
        "?? data/raw/a.csv",
        "?? drystone.lock",
    ]


def test_adding_again_tells_whether_it_changed(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    assert add(workspace, [data])[0].outcome == "unchanged"
    (data / "b.csv").write_bytes(b"5,6\n")
    (again,) = add(workspace, [data])
    assert (again.outcome, again.ignored) == ("changed", False)
    assert workspace.lock().paths["data"] == again.locked


def test_a_dry_run_says_the_same_and_writes_nothing(workspace: Workspace, data: Path, root: Path) -> None:
    before = sorted(path for path in root.rglob("*") if ".git" not in path.parts)
    told = add(workspace, [data], dry_run=True)
    assert sorted(path for path in root.rglob("*") if ".git" not in path.parts) == before
    assert add(workspace, [data]) == told


def test_other_lines_of_the_lock_stay(workspace: Workspace, data: Path, root: Path) -> None:
    (root / "drystone.lock").write_bytes(Lock({}, {"train": hash_bytes(b"trace")}).encode())
    add(workspace, [data / "b.csv"])
    assert workspace.lock().steps == {"train": hash_bytes(b"trace")}


@pytest.mark.parametrize(
    "path", ["../elsewhere", "..", ".", ".git/config", ".drystone", "drystone.lock", "/etc/hosts"]
)
def test_what_is_not_the_projects_own_is_refused(workspace: Workspace, root: Path, path: str) -> None:
    with pytest.raises(UsageError):
        add(workspace, [root / path])


def test_a_path_that_git_tracks_is_refused_with_the_way_out(
    workspace: Workspace, data: Path, sh: Run
) -> None:
    sh("add", "data/raw/a.csv")
    with pytest.raises(Conflict, match="git tracks `data/raw`") as caught:
        add(workspace, [data / "b.csv", data / "raw"])
    assert workspace.lock() == Lock()
    (hint,) = caught.value.hints
    command = hint.split("`")[1].split()
    sh(*command[1:])
    assert add(workspace, [data / "raw"])[0].outcome == "added"


def test_nothing_there_is_not_found(workspace: Workspace, root: Path) -> None:
    with pytest.raises(NotFound, match="there is no `nothing`"):
        add(workspace, [root / "nothing"])
    assert not (root / "drystone.lock").exists()


@pytest.mark.parametrize(("first", "second"), [("data", "data/raw"), ("data/raw", "data")])
def test_a_path_inside_another_is_refused(
    workspace: Workspace, root: Path, data: Path, first: str, second: str
) -> None:
    add(workspace, [root / first])
    with pytest.raises(Conflict, match="cannot both be tracked"):
        add(workspace, [root / second])
    assert list(workspace.lock().paths) == [first]


def test_two_paths_of_one_call_may_not_overlap_either(workspace: Workspace, root: Path, data: Path) -> None:
    with pytest.raises(Conflict) as caught:
        add(workspace, [data / "raw", data])
    assert caught.value.hints == ("add only the whole with `drystone add data`",)


def test_a_symbolic_link_is_refused_and_so_is_what_lies_behind_one(
    workspace: Workspace, root: Path, data: Path, tmp_path: Path
) -> None:
    (root / "link").symlink_to(data)
    with pytest.raises(UsageError, match="`link` is a symbolic link"):
        add(workspace, [root / "link"])
    with pytest.raises(UsageError, match="`link/raw` lies behind the symbolic link `link`"):
        add(workspace, [root / "link" / "raw"])


def test_the_same_project_by_another_road_is_the_same_path(
    workspace: Workspace, root: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "road").symlink_to(root)
    (added,) = add(workspace, [tmp_path / "road" / "data" / "b.csv", data / "raw" / ".." / "b.csv"])
    assert added.path == "data/b.csv"


def test_a_lock_that_cannot_be_understood_is_not_written_over(
    workspace: Workspace, root: Path, data: Path
) -> None:
    (root / "drystone.lock").write_text("nonsense\n")
    with pytest.raises(Corrupt):
        add(workspace, [data])
    assert (root / "drystone.lock").read_text() == "nonsense\n"


def test_odd_names_executables_links_and_empty_folders_are_tracked(workspace: Workspace, data: Path) -> None:
    odd = data / os.fsdecode(b"new\nline \xff")
    odd.mkdir()
    (odd / "tool").write_text("#!/bin/sh\n")
    (odd / "tool").chmod(0o755)
    (odd / "link").symlink_to("tool")
    (odd / "empty").mkdir()
    (added,) = add(workspace, [odd])
    assert workspace.lock().paths == {added.path: added.locked}
    assert workspace.entry(added.path) == added.locked.entry(added.path)


def test_what_is_read_and_written_is_told(workspace: Workspace, root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "small").write_bytes(b"s" * 1000)
    (root / "data" / "large").write_bytes(os.urandom(9 << 20))
    size = 1000 + (9 << 20)
    told: list[int] = []
    add(workspace, [root / "data"], dry_run=True, progress=told.append)
    assert sum(told) == size
    told.clear()
    add(workspace, [root / "data"], progress=told.append)
    assert (sum(told), len(told) > 2) == (size, True)  # a large file piece by piece
    shutil.rmtree(root / "data")
    told.clear()
    checkout(workspace, progress=told.append)
    assert (sum(told), len(told) > 2) == (size, True)


@pytest.mark.parametrize("before", [None, b"*.log", b"*.log\n"])
def test_an_add_that_fails_leaves_gitignore_as_it_was(
    workspace: Workspace, root: Path, before: bytes | None
) -> None:
    (root / "sub").mkdir()
    (root / "sub" / ".gitignore").write_text("*\n!f\n")
    (root / "sub" / "f").write_text("1\n")
    if before is not None:
        (root / ".gitignore").write_bytes(before)
    with pytest.raises(Conflict, match="`sub/f` cannot be kept out of git"):
        add(workspace, [root / "sub" / "f"])
    assert ((root / ".gitignore").read_bytes() if (root / ".gitignore").exists() else None) == before
    assert workspace.lock().paths == {}
    assert list(workspace.operations) == []


def test_an_add_whose_lock_cannot_be_written_leaves_gitignore_as_it_was(
    workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "f").write_text("1\n")
    real = Lock.encode

    def full(lock: Lock) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Lock, "encode", full)
    with pytest.raises(OSError, match="No space"):
        add(workspace, [root / "f"])
    monkeypatch.setattr(Lock, "encode", real)
    assert not (root / ".gitignore").exists()
    assert list(workspace.operations) == []


@pytest.mark.parametrize(
    "name", [".gitignore", "sub/.gitignore", ".gitattributes", "x/.gitkeep", "drystone.toml", "drystone.lock"]
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_git_and_drystone_read_is_not_tracked(
    workspace: Workspace, root: Path, name: str, dry_run: bool
) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("# drystone.lock 1\n")
    with pytest.raises(UsageError, match="cannot be tracked") as caught:
        add(workspace, [root / name], dry_run=dry_run)
    assert f"git add {name}" in caught.value.hints[0]
    assert (root / name).read_text() == "# drystone.lock 1\n"
    assert workspace.lock().paths == {}
    assert name == ".gitignore" or not (root / ".gitignore").exists()
