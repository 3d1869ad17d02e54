from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import Corrupt
from drystone.workspace.status import TrackedState, status
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


def states(workspace: Workspace) -> dict[str, str]:
    return {item.path: item.state for item in status(workspace).tracked}


def test_untouched_paths_are_clean(workspace: Workspace, data: Path) -> None:
    found = status(workspace)
    assert found.clean
    assert found.unknown == ()
    assert states(workspace) == {"data/b.csv": "clean", "data/raw": "clean"}
    assert all(item.stored for item in found.tracked)


def test_changes_and_losses_are_told_apart_by_file(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").unlink()
    (data / "raw" / "a.csv").write_bytes(b"9,2\n")
    (data / "raw" / "new.csv").write_bytes(b"")
    found = status(workspace)
    assert not found.clean
    assert states(workspace) == {"data/b.csv": "missing", "data/raw": "modified"}
    changes = [(change.path, change.change) for change in found.tracked[1].changes]
    assert changes == [("data/raw/a.csv", "modified"), ("data/raw/new.csv", "added")]


def test_an_edit_of_equal_size_with_its_mtime_set_back_is_seen(workspace: Workspace, data: Path) -> None:
    path = data / "b.csv"
    status(workspace)
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the kernel's clock has ticked
        path.write_bytes(b"4,3\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert states(workspace)["data/b.csv"] == "modified"


@pytest.mark.parametrize("change", ["executable", "to a folder", "to a link"])
def test_a_change_of_kind_is_a_change(workspace: Workspace, data: Path, change: str) -> None:
    path = data / "b.csv"
    if change == "executable":
        path.chmod(0o755)
    else:
        path.unlink()
        path.mkdir() if change == "to a folder" else path.symlink_to("raw/a.csv")
    assert states(workspace)["data/b.csv"] == "modified"


def test_files_of_data_and_models_that_nobody_tracks_are_listed(
    workspace: Workspace, data: Path, root: Path, sh: Run
) -> None:
    for name in (
        "data/x",
        "data/deep/er/y",
        "models/m/model.onnx",
        "elsewhere/z",
        "data/small.csv",
        "data/git/in",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "data" / "git" / "out").write_text("")
    (root / "data" / "empty").mkdir()
    (root / "data" / ".gitkeep").write_text("")
    sh("add", "data/small.csv", "data/git/in")
    assert status(workspace).unknown == ("data/deep/", "data/git/out", "data/x", "models/m/")


def test_a_locked_object_that_is_not_here_is_told(workspace: Workspace, data: Path) -> None:
    workspace.store.loose.path(workspace.lock().paths["data/b.csv"].object).unlink()
    (item, _) = status(workspace).tracked
    assert (item.state, item.stored) == ("clean", False)


def test_a_folder_whose_list_is_not_here_is_modified_as_a_whole(workspace: Workspace, data: Path) -> None:
    workspace.store.loose.path(workspace.lock().paths["data/raw"].object).unlink()
    (data / "raw" / "new").write_text("")
    item: TrackedState = status(workspace).tracked[1]
    assert [(change.path, change.change) for change in item.changes] == [("data/raw", "modified")]


def test_a_project_without_anything_has_an_empty_status(workspace: Workspace, root: Path) -> None:
    found = status(workspace)
    assert (found.tracked, found.unknown, found.clean) == ((), (), True)
    assert found.git.commit is None
    assert [path.name for path in root.iterdir()] == [".git"]  # and asking wrote nothing


def test_a_corrupt_lock_is_reported(workspace: Workspace, root: Path) -> None:
    (root / "drystone.lock").write_text("# drystone.lock 1\nnonsense\n")
    with pytest.raises(Corrupt) as caught:
        status(workspace)
    assert caught.value.at == ("drystone.lock:2",)
