"""What is untracked is as if it had never been added, but for the content in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import NotFound, UsageError
from drystone.workspace.undo import undo
from drystone.workspace.untracking import untrack
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


@pytest.fixture
def data(data: Path) -> Path:
    """As elsewhere, where the user ignores something, too."""
    ignored = data.parent / ".gitignore"
    ignored.write_text(f"*.tmp\n{ignored.read_text()}")
    return data


def test_the_line_and_the_ignore_entry_go_and_the_file_stays(
    workspace: Workspace, data: Path, sh: Run
) -> None:
    before = workspace.lock()
    (gone,) = untrack(workspace, [data / "b.csv"])
    assert (gone.path, gone.locked, gone.exposed) == ("data/b.csv", before.paths["data/b.csv"], True)
    assert list(workspace.lock().paths) == ["data/raw"]
    assert (data.parent / ".gitignore").read_text() == "*.tmp\n/data/raw\n"
    assert (data / "b.csv").read_bytes() == b"3,4\n"
    assert workspace.store.has(gone.locked.object)
    assert "?? data/b.csv" in sh("status", "--porcelain", "--untracked-files=all")


def test_what_somebody_else_ignores_stays_ignored(workspace: Workspace, data: Path) -> None:
    (data.parent / ".gitignore").write_text("data/\n")
    (gone,) = untrack(workspace, [data / "b.csv"])
    assert not gone.exposed
    assert (data.parent / ".gitignore").read_text() == "data/\n"


def test_undo_takes_it_back_and_undoing_that_does_it_again(workspace: Workspace, data: Path) -> None:
    lock, ignore = (data.parent / "drystone.lock").read_bytes(), (data.parent / ".gitignore").read_text()
    untrack(workspace, [data / "b.csv"])
    undo(workspace, workspace.operations.choose(None))
    assert (data.parent / "drystone.lock").read_bytes() == lock
    assert sorted((data.parent / ".gitignore").read_text().split()) == sorted(ignore.split())
    undo(workspace, list(workspace.operations)[-1])
    assert list(workspace.lock().paths) == ["data/raw"]


def test_a_folder_of_tracked_paths_goes_as_a_whole(workspace: Workspace, data: Path) -> None:
    assert [gone.path for gone in untrack(workspace, [data])] == ["data/b.csv", "data/raw"]
    assert workspace.lock().paths == {}


def test_what_is_gone_from_the_work_tree_is_untracked_too(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").unlink()
    assert [gone.path for gone in untrack(workspace, [data / "b.csv"])] == ["data/b.csv"]


def test_a_dry_run_writes_nothing(workspace: Workspace, data: Path) -> None:
    before = {path: path.read_bytes() for path in data.parent.rglob("*") if path.is_file()}
    assert [gone.exposed for gone in untrack(workspace, [data], dry_run=True)] == [True, True]
    assert {path: path.read_bytes() for path in data.parent.rglob("*") if path.is_file()} == before


def test_what_is_not_tracked_is_refused_with_a_way_out(workspace: Workspace, data: Path, sh: Run) -> None:
    (data.parent / "code.py").write_text("1\n")
    sh("add", "code.py")
    before = workspace.lock()
    for name, message, hint in (
        ("data/raw/a.csv", "`data/raw/a.csv` is part of the tracked path `data/raw`", "untrack data/raw`"),
        ("data/c.csv", "`data/c.csv` is not tracked", "similar name: `data/b.csv`"),
        ("code.py", "`code.py` is not tracked", "git rm -r --cached -- code.py"),
    ):
        with pytest.raises(NotFound) as refused:
            untrack(workspace, [data / "b.csv", data.parent / name])
        assert refused.value.message == message
        assert any(hint in given for given in refused.value.hints)
    with pytest.raises(UsageError):
        untrack(workspace, [data.parent.parent / "elsewhere"])
    assert workspace.lock() == before
