"""What an export promises: DVC's own files, nothing overwritten, and every loss told."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.objects.trees import build  # type: ignore[import-not-found]

from drystone.core.errors import Conflict, NotFound
from drystone.interop.dvc.frame import with_remote
from drystone.objects.entry import Entry
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree
from drystone.workspace.tracked import add

from .world import Repository, exported, md5

names = st.text("ab.é Ü", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
leaves = st.binary(max_size=20) | st.tuples(st.binary(max_size=20)) | st.sampled_from(["a", "../b", "/x"])
nodes: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda below: st.dictionaries(names, below, max_size=4), max_leaves=10
)
folders = st.dictionaries(names, nodes, max_size=4)


def plain(store: ObjectStore, entry: Entry) -> dict[str, str]:
    """Every regular file of a directory by its content: what DVC can keep without loss."""
    found = {}
    for child in read_tree(store, entry.object):
        if child.kind == "tree":
            below = plain(store, child)
            found |= {f"{child.name}/{name}": content for name, content in below.items()}
        elif child.kind == "file":
            found[child.name] = child.object
    return found


@settings(max_examples=25)
@given(folders, st.booleans())
def test_to_dvc_and_back_gives_the_same_ids_but_for_what_is_told(
    data: dict[str, Any], executable: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ours = Repository(Path(name) / "ours")
        shutil.rmtree(ours.root / ".dvc")
        build(ours.root / "data", data)
        build(ours.root / "one.bin", (b"1",) if executable else b"1")
        add(ours.workspace(), [ours.root / "data", ours.root / "one.bin"])
        target = Path(name) / "theirs"
        theirs = Repository(target)
        shutil.rmtree(target / ".dvc")
        done = exported(ours.root, target)
        assert theirs.take().failure is None
        assert theirs.lock().paths["one.bin"] == ours.lock().paths["one.bin"]
        before, after = (side.lock().paths["data"] for side in (ours, theirs))
        store, other = ours.workspace().store, theirs.workspace().store
        kept = plain(other, after.entry("data"))
        copied = {item.path.removeprefix("data/") for item in done.lost if item.what == "link copied"}
        assert {path: name for path, name in kept.items() if path not in copied} == plain(
            store, before.entry("data")
        )
        assert copied <= set(kept)
        assert (after.object == before.object) == (not done.lost)


@pytest.fixture
def ours(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "ours")
    shutil.rmtree(made.root / ".dvc")
    (made.root / "data" / "sub").mkdir(parents=True)
    (made.root / "data" / "x.csv").write_bytes(b"1,2\n")
    (made.root / "data" / "sub" / "y.csv").write_bytes(b"3\n")
    (made.root / "model.bin").write_bytes(b"model")
    (made.root / "model.bin").chmod(0o755)
    add(made.workspace(), [made.root / "data", made.root / "model.bin"])
    return made


def test_every_loss_is_told(ours: Repository) -> None:
    data = ours.root / "data"
    (data / "empty").mkdir()
    (data / "x.csv").chmod(0o755)
    (data / "inside").symlink_to("sub/y.csv")
    (data / "folder").symlink_to("sub")
    (data / "outside").symlink_to("/etc/passwd")
    (data / "loop").symlink_to("loop")
    (data / ".dvc").mkdir()
    (data / ".dvc" / "config").write_text("")
    add(ours.workspace(), [data])
    done = exported(ours.root, ours.root.parent / "out", dry_run=True)
    assert {item.path: item.what for item in done.lost} == {
        "data/empty": "empty directory",
        "data/x.csv": "executable",
        "data/inside": "link copied",
        "data/folder": "link left out",
        "data/outside": "link left out",
        "data/loop": "link left out",
        "data/.dvc/config": "name left out",
    }
    assert not (ours.root.parent / "out").exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_names_that_are_not_utf_8_are_left_out_and_told(ours: Repository, dry_run: bool) -> None:
    data = ours.root / "odd"
    (data / os.fsdecode(b"sub\xff") / "empty").mkdir(parents=True)
    (data / os.fsdecode(b"sub\xff") / "x").write_bytes(b"1")
    (data / os.fsdecode(b"bad\xff")).write_bytes(b"2")
    (data / "good").write_bytes(b"3")
    alone = ours.root / os.fsdecode(b"alone\xff")
    alone.write_bytes(b"4")
    add(ours.workspace(), [data, alone])
    target = ours.root.parent / "out"
    done = exported(ours.root, target, dry_run=dry_run)
    lost = {item.path: item.what for item in done.lost}
    assert sorted(lost.values()) == ["name left out"] * 4
    assert sum("sub" in path for path in lost) == 2
    if not dry_run:
        described = (target / "odd.dvc").read_text()
        assert "nfiles: 1" in described
        assert [path.name for path in (target / "odd").rglob("*")] == ["good"]
        for path in (target / ".dvc" / "cache").rglob("*.dir"):
            assert "\\ud" not in path.read_text()


def test_the_files_are_dvcs_to_the_byte(ours: Repository, tmp_path: Path) -> None:
    target, remote = tmp_path / "out", tmp_path / "remote"
    done = exported(ours.root, target, remote=remote)
    listing = (
        f'[{{"md5": "{md5(b"3" + chr(10).encode())}", "relpath": "sub/y.csv"}}, '
        f'{{"md5": "{md5(b"1,2" + chr(10).encode())}", "relpath": "x.csv"}}]'
    ).encode()
    name = md5(listing)
    assert (target / "data.dvc").read_text() == (
        f"outs:\n- md5: {name}.dir\n  size: 6\n  nfiles: 2\n  hash: md5\n  path: data\n"
    )
    assert (target / "model.bin.dvc").read_text() == (
        f"outs:\n- md5: {md5(b'model')}\n  size: 5\n  isexec: true\n  hash: md5\n  path: model.bin\n"
    )
    for folder in (target / ".dvc" / "cache", remote):
        place = folder / "files/md5" / name[:2] / f"{name[2:]}.dir"
        assert place.read_bytes() == listing
        assert place.stat().st_mode & 0o777 == 0o444
    assert done.objects == 8
    assert (target / ".dvc" / "config").read_text() == (
        "[core]\n    remote = drystone\n    no_scm = True\n['remote \"drystone\"']\n    url = ../../remote\n"
    )
    assert (target / ".gitignore").read_text() == "/data\n/model.bin\n"
    assert os.access(target / "model.bin", os.X_OK)
    assert exported(ours.root, target, remote=remote).objects == 0


def test_a_damaged_object_of_dvcs_is_made_whole(ours: Repository, tmp_path: Path) -> None:
    exported(ours.root, tmp_path / "out")
    digits = md5(b"model")
    place = tmp_path / "out" / ".dvc/cache/files/md5" / digits[:2] / digits[2:]
    place.chmod(0o644)
    place.write_bytes(b"broken")
    assert exported(ours.root, tmp_path / "out").replaced == (str(place),)
    assert place.read_bytes() == b"model"


def test_what_stands_in_the_way_is_never_overwritten(ours: Repository, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for path, data in {"model.bin": b"mine", "data/other": b"x", "data.dvc": b"outs: []\n"}.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
        with pytest.raises(Conflict):
            exported(ours.root, target)
        assert (target / path).read_bytes() == data
        assert not (target / ".dvc").exists()
        shutil.rmtree(target)
    target.mkdir()
    (target / "data").symlink_to(tmp_path)
    with pytest.raises(Conflict, match="symbolic link"):
        exported(ours.root, target)


def test_dvcs_own_word_about_a_pipeline_is_not_contradicted(ours: Repository, tmp_path: Path) -> None:
    theirs = Repository(tmp_path / "theirs")
    lock = (
        "schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n    - {path: model.bin, hash: md5, md5: %s}\n"
    )
    (theirs.root / "dvc.lock").write_text(lock % md5(b"other"))
    with pytest.raises(Conflict, match="is something else"):
        exported(ours.root, theirs.root)
    (theirs.root / "dvc.lock").write_text(lock % md5(b"model"))
    done = exported(ours.root, theirs.root)
    assert {item.path: item.outcome for item in done.paths} == {"data": "written", "model.bin": "unchanged"}
    assert not (theirs.root / "model.bin.dvc").exists()


def test_in_place_only_dvcs_files_are_added(ours: Repository) -> None:
    before = (ours.root / ".gitignore").read_text()
    done = exported(ours.root, ours.root)
    assert [item.outcome for item in done.paths] == ["written", "written"]
    assert (ours.root / ".gitignore").read_text() == before
    assert "/.drystone\n" in (ours.root / ".dvcignore").read_text()
    (ours.root / "model.bin").write_bytes(b"newer")
    add(ours.workspace(), [ours.root / "model.bin"])
    again = exported(ours.root, ours.root)
    assert {item.path: item.outcome for item in again.paths} == {"data": "unchanged", "model.bin": "written"}
    assert md5(b"newer") in (ours.root / "model.bin.dvc").read_text()


def test_without_anything_tracked_there_is_nothing_to_export(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing is tracked"):
        exported(repository.root, tmp_path / "out")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[core]\n    remote = drystone\n['remote \"drystone\"']\n    url = U\n"),
        (
            "[core]\n    autostage = true\n",
            "[core]\n    remote = drystone\n    autostage = true\n['remote \"drystone\"']\n    url = U\n",
        ),
        (
            "[core]\n    remote = a\n['remote \"a\"']\n    url = x\n",
            "[core]\n    remote = a\n['remote \"a\"']\n    url = x\n['remote \"drystone\"']\n    url = U\n",
        ),
        (
            "[core]\n    remote = drystone\n['remote \"drystone\"']\n    url = old\n    jobs = 2\n",
            "[core]\n    remote = drystone\n['remote \"drystone\"']\n    url = U\n    jobs = 2\n",
        ),
    ],
)
def test_the_remote_is_added_to_what_is_configured(before: str, after: str) -> None:
    assert with_remote(before, "U") == after


def test_what_is_read_and_what_is_written_is_told(repository: Repository, tmp_path: Path) -> None:
    shutil.rmtree(repository.root / ".dvc")
    data = repository.root / "data"
    data.mkdir()
    (data / "a").write_bytes(b"1" * 100)
    (data / "b").write_bytes(b"2" * 2000)
    add(repository.workspace(), [data])
    told: list[int] = []
    exported(repository.root, tmp_path / "out", progress=told.append)
    assert sum(told) == 2 * 2100
    told.clear()
    exported(repository.root, tmp_path / "out", progress=told.append)
    assert told == []
