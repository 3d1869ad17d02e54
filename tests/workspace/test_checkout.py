from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import Conflict, Corrupt, NotFound, UsageError
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import store_path
from drystone.workspace.checkout import Saved, checkout
from drystone.workspace.lockfile import Lock, LockedPath, write
from drystone.workspace.operations import Change
from drystone.workspace.recording import recorded
from drystone.workspace.status import status
from drystone.workspace.tracked import add
from drystone.workspace.undo import undo
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


@pytest.fixture
def data(root: Path, workspace: Workspace, sh: Run) -> Path:
    """Two commits: `data/raw` and `data/b.csv` were `old`, then `new`; `data/late` is in the second only."""
    (root / "data" / "raw").mkdir(parents=True)
    for version in ("old", "new"):
        (root / "data" / "raw" / "a.csv").write_text(version)
        (root / "data" / "b.csv").write_text(version)
        paths = [root / "data" / "raw", root / "data" / "b.csv"]
        if version == "new":
            (root / "data" / "late").write_text(version)
            paths.append(root / "data" / "late")
        add(workspace, paths)
        sh("add", ".")
        sh("commit", "-qm", version)
    return root / "data"


def test_missing_files_come_back(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").unlink()
    (data / "raw" / "a.csv").unlink()
    done = checkout(workspace)
    assert done.restored == ("data/b.csv", "data/raw")
    assert done.unchanged == ("data/late",)
    assert status(workspace).clean
    assert (data / "b.csv").read_text() == "new"


def test_a_second_checkout_has_nothing_to_do(workspace: Workspace, data: Path) -> None:
    assert checkout(workspace).restored == ()


def test_files_of_a_revision_come_back_and_the_lock_stays(workspace: Workspace, data: Path, sh: Run) -> None:
    done = checkout(workspace, revision="HEAD~1")
    assert done.restored == ("data/b.csv", "data/raw")
    assert (data / "b.csv").read_text() == (data / "raw" / "a.csv").read_text() == "old"
    assert (data / "late").read_text() == "new"
    assert sh("status", "--porcelain") == ""
    checkout(workspace)
    assert (data / "b.csv").read_text() == "new"


def test_a_path_or_folder_selects(workspace: Workspace, data: Path, root: Path) -> None:
    assert checkout(workspace, [data / "b.csv"], revision="HEAD~1").restored == ("data/b.csv",)
    assert (data / "raw" / "a.csv").read_text() == "new"
    assert checkout(workspace, [data], revision="HEAD~1").restored == ("data/raw",)
    assert checkout(workspace, [root]).restored == ("data/b.csv", "data/raw")


@pytest.mark.parametrize("edited", ["data/b.csv", "data/raw/a.csv", "data/raw/more"])
def test_unsaved_content_is_never_overwritten(
    workspace: Workspace, data: Path, root: Path, edited: str
) -> None:
    (root / edited).write_text("precious")
    (data / "late").unlink()
    with pytest.raises(Conflict, match=f"`{edited}` has changes that only the work tree holds") as caught:
        checkout(workspace)
    assert (root / edited).read_text() == "precious"
    assert not (data / "late").exists()  # all or nothing
    assert "drystone add" in caught.value.hints[0]
    assert "--force" in caught.value.hints[1]


def test_by_force_unsaved_content_is_stored_before_it_is_replaced(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").write_text("precious")
    (data / "raw" / "more").write_text("precious too")
    done = checkout(workspace, force=True)
    assert done.saved == (
        Saved("data/b.csv", hash_bytes(b"precious")),
        Saved("data/raw/more", hash_bytes(b"precious too")),
    )
    assert [workspace.store.read(item.object) for item in done.saved] == [b"precious", b"precious too"]
    assert (data / "b.csv").read_text() == "new"
    assert not (data / "raw" / "more").exists()


def test_content_that_the_store_holds_is_replaced_without_force(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").write_text("old")
    assert checkout(workspace).saved == ()
    assert (data / "b.csv").read_text() == "new"


def test_a_dry_run_says_the_same_and_touches_nothing(workspace: Workspace, data: Path) -> None:
    (data / "b.csv").write_text("precious")
    told = checkout(workspace, force=True, dry_run=True)
    assert (data / "b.csv").read_text() == "precious"
    assert not workspace.store.has(hash_bytes(b"precious"))
    assert checkout(workspace, force=True) == told


def test_a_path_that_is_not_tracked_is_not_found(workspace: Workspace, data: Path) -> None:
    with pytest.raises(NotFound, match="`data/lat` is not tracked") as caught:
        checkout(workspace, [data / "lat"])
    assert caught.value.hints[0] == "a tracked path has a similar name: `data/late`"
    with pytest.raises(NotFound, match="part of the tracked path `data/raw`"):
        checkout(workspace, [data / "raw" / "a.csv"])


def test_a_revision_without_lock_is_not_found(workspace: Workspace, data: Path, sh: Run) -> None:
    sh("checkout", "-q", "--orphan", "empty")
    sh("rm", "-rqf", "--cached", ".")
    sh("commit", "-q", "--allow-empty", "-m", "empty")
    with pytest.raises(NotFound, match=r"no `drystone\.lock` at git revision `HEAD`"):
        checkout(workspace, revision="HEAD")
    with pytest.raises(NotFound, match="no git revision named `nope`"):
        checkout(workspace, revision="nope")


def test_nothing_is_touched_when_an_object_is_not_here(workspace: Workspace, data: Path) -> None:
    workspace.store.loose.path(hash_bytes(b"new")).unlink()
    for path in (data / "b.csv", data / "late"):
        path.unlink()
    with pytest.raises(NotFound, match=r"`data/b\.csv` cannot be checked out"):
        checkout(workspace)
    assert not (data / "late").exists()


def test_a_damaged_object_is_not_checked_out(workspace: Workspace, data: Path) -> None:
    home = workspace.store.loose.path(hash_bytes(b"new"))
    home.chmod(0o644)
    home.write_bytes(b"nEw")
    (data / "b.csv").unlink()
    with pytest.raises(Corrupt):
        checkout(workspace, [data / "b.csv"])
    assert not (data / "b.csv").exists()


def test_a_folder_that_became_a_link_is_not_written_through(
    workspace: Workspace, root: Path, tmp_path: Path
) -> None:
    """As a hostile clone could have it: the lock says `data/keys`, and `data` leads elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keys").write_text("precious")
    (root / "data").symlink_to(outside)
    stone = workspace.store.put_bytes(b"stone")
    write(root / "drystone.lock", Lock({"data/keys": LockedPath(stone, "file", 5)}))
    with pytest.raises(UsageError, match="behind the symbolic link `data`"):
        checkout(workspace, force=True)
    assert (outside / "keys").read_text() == "precious"


def test_of_two_at_once_the_second_waits_so_that_they_do_not_mix(
    workspace: Workspace, root: Path, sh: Run
) -> None:
    for text in ("one", "two"):
        (root / "data").mkdir(exist_ok=True)
        for name in range(20):
            (root / "data" / str(name)).write_text(text)
        add(workspace, [root / "data"])
        sh("add", "drystone.lock")
        sh("commit", "-qm", text)
    others: list[subprocess.Popen[bytes]] = []

    def begin_another(_size: int) -> None:
        if not others:
            words = [str(Path(sys.executable).parent / "drystone"), "checkout", "data"]
            others.append(subprocess.Popen(words, cwd=root, stdout=subprocess.DEVNULL))
            with pytest.raises(subprocess.TimeoutExpired):
                others[0].wait(2)

    checkout(workspace, revision="HEAD~1", progress=begin_another)
    assert others[0].wait() == 0
    assert {path.read_text() for path in (root / "data").iterdir()} == {"two"}


@pytest.mark.parametrize("way", ["checkout", "undo"])
def test_what_the_store_lost_of_what_is_replaced_is_stored_again_first(
    workspace: Workspace, root: Path, sh: Run, way: str
) -> None:
    """Though the list of its folder is there, and the folder is as it was when it was added."""
    (root / "data").mkdir()
    for text in ("one", "two"):
        (root / "data" / "x").write_text(text)
        add(workspace, [root / "data"])
        sh("add", "drystone.lock")
        sh("commit", "-qm", text)
    time.sleep(0.1)  # until nobody doubts that times tell of a change
    add(workspace, [root / "data"])
    lost = hash_bytes(b"two")
    workspace.store.loose.path(lost).unlink()
    assert workspace.entry("data") == store_path(workspace.store, root / "data", known=workspace.stat_index)
    assert not workspace.store.has(lost)  # as for whoever only adds
    if way == "checkout":
        done = checkout(workspace, revision="HEAD~1", force=True)
        assert done.saved == (Saved("data/x", lost),)
    else:
        with recorded(workspace, "checkout", files=[Change("data", None, workspace.lock().paths["data"])]):
            pass
        undo(workspace, workspace.operations.choose(None))
        assert not (root / "data").exists()
    assert workspace.store.read(lost) == b"two"


@pytest.mark.parametrize("path", ["data", "alone"])
@pytest.mark.parametrize("there", [True, False])
def test_a_wrong_size_in_the_lock_is_told_with_its_line(
    workspace: Workspace, root: Path, path: str, there: bool
) -> None:
    (root / "data").mkdir()
    (root / "data" / "x").write_text("one")
    (root / "data" / "link").symlink_to("x")
    (root / "alone").write_text("one")
    add(workspace, [root / "data", root / "alone"])
    lock = root / "drystone.lock"
    good = lock.read_text()
    line = next(line for line in good.splitlines() if line.startswith(f"path {path} "))
    wrong = f"{line}9"
    lock.write_text(good.replace(line, wrong))
    if not there:
        (root / "alone").unlink()
        shutil.rmtree(root / "data")
    with pytest.raises(Corrupt, match=f"gives `{path}` another size than it has") as caught:
        checkout(workspace)
    assert wrong in caught.value.at[0]
    assert (root / "alone").exists() is there
    lock.write_text(good)
    checkout(workspace)
    assert (root / "data" / "x").read_text() == "one"
