from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import NotFound
from drystone.workspace.diff import FileChange, compare, diff, locked_side
from drystone.workspace.tracked import add
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


@pytest.fixture
def data(root: Path, workspace: Workspace, sh: Run) -> Path:
    """Two commits of the folder `data/raw` and, only in the second, the file `data/late`."""
    raw = root / "data" / "raw"
    (raw / "same").mkdir(parents=True)
    (raw / "same" / "x").write_text("x")
    (raw / "a").write_text("a")
    (raw / "gone").write_text("gone")
    add(workspace, [raw])
    sh("add", ".")
    sh("commit", "-qm", "first")
    (raw / "a").write_text("aa")
    (raw / "gone").unlink()
    (raw / "new").write_text("new")
    (root / "data" / "late").write_text("late")
    add(workspace, [raw, root / "data" / "late"])
    sh("add", ".")
    sh("commit", "-qm", "second")
    return root / "data"


def brief(changes: list[FileChange]) -> list[tuple[str, str, int | None, int | None]]:
    return [
        (change.path, change.change, change.old and change.old.size, change.new and change.new.size)
        for change in changes
    ]


SECOND = [
    ("data/late", "added", None, 4),
    ("data/raw/a", "modified", 1, 2),
    ("data/raw/gone", "removed", 4, None),
    ("data/raw/new", "added", None, 3),
]


def test_two_revisions_differ_by_file_with_sizes(workspace: Workspace, data: Path) -> None:
    assert brief(diff(workspace, "HEAD~1", "HEAD")) == SECOND


def test_a_revision_and_the_work_tree_differ_by_file(workspace: Workspace, data: Path) -> None:
    assert brief(diff(workspace, "HEAD~1")) == SECOND


def test_the_lock_and_the_work_tree_differ_by_what_was_not_added(workspace: Workspace, data: Path) -> None:
    assert diff(workspace) == []
    (data / "raw" / "a").write_text("aaa")
    (data / "late").unlink()
    assert brief(diff(workspace)) == [("data/late", "removed", 4, None), ("data/raw/a", "modified", 2, 3)]


def test_paths_select(workspace: Workspace, data: Path) -> None:
    assert brief(diff(workspace, "HEAD~1", only=["data/raw/a"])) == SECOND[1:2]
    assert brief(diff(workspace, "HEAD~1", only=["data"])) == SECOND
    with pytest.raises(NotFound, match="`data/rav` is not tracked"):
        diff(workspace, "HEAD~1", only=["data/rav"])


def test_a_file_that_became_a_folder_is_removed_and_its_files_are_added(
    workspace: Workspace, data: Path
) -> None:
    (data / "late").unlink()
    (data / "late").mkdir()
    (data / "late" / "x").write_text("x")
    shutil.rmtree(data / "raw")
    (data / "raw").write_text("raw")
    assert brief(diff(workspace)) == [
        ("data/late", "removed", 4, None),
        ("data/late/x", "added", None, 1),
        ("data/raw", "added", None, 3),
        ("data/raw/a", "removed", 2, None),
        ("data/raw/new", "removed", 3, None),
        ("data/raw/same/x", "removed", 1, None),
    ]


def test_a_changed_bit_or_kind_is_a_modification(workspace: Workspace, data: Path) -> None:
    (data / "late").chmod(0o755)
    (data / "raw" / "a").unlink()
    (data / "raw" / "a").symlink_to("new")
    late, link = diff(workspace)
    assert late.new is not None
    assert late.new.executable
    assert link.new is not None
    assert (link.change, link.new.kind) == ("modified", "link")


def test_a_folder_whose_list_is_not_here_differs_as_a_whole_or_is_an_error(
    workspace: Workspace, data: Path
) -> None:
    first = workspace.lock("HEAD~1").paths["data/raw"]
    workspace.store.loose.path(first.object).unlink()
    old, new = locked_side(workspace, "HEAD~1"), locked_side(workspace, "HEAD")
    assert brief(compare(old, new, ["data/raw"], coarsely=True)) == [
        ("data/raw", "modified", first.size, 2 + 3 + 1)
    ]
    for only in ([], ["data"], ["data/raw"], ["data/raw/a"]):
        with pytest.raises(NotFound, match="`data/raw`"):
            diff(workspace, "HEAD~1", "HEAD", only=only)


def test_an_empty_folder_that_came_or_went_is_told(workspace: Workspace, data: Path) -> None:
    (data / "raw" / "empty").mkdir()
    assert brief(diff(workspace)) == [("data/raw/empty", "added", None, 0)]
