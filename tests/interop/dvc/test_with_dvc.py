"""The real DVC, both ways."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.objects.restore import restore
from drystone.workspace.git import Git
from drystone.workspace.status import status
from drystone.workspace.tracked import add
from drystone.workspace.workspace import Workspace

from .conftest import VERSION
from .world import Repository, exported, md5

Dvc = Callable[..., str]
# making DVC's environment may take minutes, once
pytestmark = pytest.mark.timeout(900)

CLEAN = "Data and pipelines are up to date.\n"
NAMES = [
    "123",
    "yes",
    "null",
    "1e5",
    "2020-01-01",
    "a b#c: d.txt",
    "- x",
    "é ü.csv",
    "g[1]*?.t",
    "😀.x",
    "=",
    "~",
]


@pytest.fixture(scope="session")
def made_by_dvc(dvc: Dvc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository made by DVC itself: a pipeline that ran, and names that YAML minds."""
    home = tmp_path_factory.mktemp("made-by-dvc")
    root = home / "theirs"
    root.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=root, check=True)
    dvc("init", "-q", at=root)
    dvc("remote", "add", "-q", "-d", "lab", "../lab", at=root)
    (root / "data" / "sub").mkdir(parents=True)
    (root / "data" / "x.csv").write_bytes(b"1,2\r\n")
    (root / "data" / "sub" / "é.csv").write_bytes(b"")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    for name in NAMES:
        (root / name).write_text(name)
    dvc("add", "-q", "data", "run.sh", at=root)
    dvc("add", "-q", "--", *NAMES, at=root)
    (root / "dvc.yaml").write_text(
        "stages:\n  each:\n    matrix: {size: [s, m]}\n"
        "    cmd: echo ${item.size} > out-${item.size}.txt && echo {} > m-${item.size}.json\n"
        "    deps: [data]\n    outs: ['out-${item.size}.txt']\n"
        "    metrics: [{'m-${item.size}.json': {cache: false}}]\n"
    )
    dvc("repro", "-q", at=root)
    dvc("push", "-q", at=root)
    return home


@pytest.fixture
def theirs(made_by_dvc: Path, tmp_path: Path) -> Repository:
    """A copy of it, committed."""
    shutil.copytree(made_by_dvc, tmp_path, dirs_exist_ok=True)
    made = Repository.there(tmp_path / "theirs")
    made.commit("all of it")
    return made


def test_dvc_is_there_where_it_is_required(real_dvc: Path) -> None:
    ended = subprocess.run([real_dvc, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == VERSION


def test_from_dvc_nothing_is_lost(theirs: Repository, dvc: Dvc, tmp_path: Path) -> None:
    imported = theirs.take()
    assert imported.failure is None
    outcomes = {item.path: item.outcome for item in imported.paths}
    outs = {"data", "run.sh", "out-s.txt", "out-m.txt", *NAMES}
    assert outcomes == {**dict.fromkeys(outs, "added"), "m-s.json": "git", "m-m.json": "git"}
    with Workspace.open(
        Layout(theirs.root), Git(theirs.root), theirs.workspace().store, SystemClock()
    ) as workspace:
        assert {tracked.state for tracked in status(workspace).tracked} == {"clean"}
        for path, locked in workspace.lock().paths.items():
            restore(workspace.store, locked.entry(path), tmp_path / "restored" / path)
    for path in outs - {"data"}:
        assert (tmp_path / "restored" / path).read_bytes() == (theirs.root / path).read_bytes()
    assert (tmp_path / "restored/data/sub/é.csv").read_bytes() == b""
    assert dvc("status", at=theirs.root) == CLEAN


def test_from_dvcs_remote_when_the_cache_is_gone(theirs: Repository) -> None:
    shutil.rmtree(theirs.cache)
    for path in ("data", "run.sh"):
        shutil.rmtree(theirs.root / path, ignore_errors=True)
    imported = theirs.take()
    assert imported.failure is None
    assert imported.fetched > 0
    assert theirs.content("data") == {"sub/é.csv": b"", "x.csv": b"1,2\r\n"}
    assert theirs.lock().paths["run.sh"].executable


def test_there_and_back_the_files_of_dvc_are_the_same_bytes(
    theirs: Repository, dvc: Dvc, tmp_path: Path
) -> None:
    assert theirs.take().failure is None
    target = tmp_path / "back"
    done = exported(theirs.root, target)
    assert done.lost == ()
    for path in ("data", "run.sh", *NAMES):
        assert (target / f"{path}.dvc").read_bytes() == (theirs.root / f"{path}.dvc").read_bytes()
    assert dvc("status", at=target) == CLEAN
    in_place = exported(theirs.root, theirs.root)
    assert {item.outcome for item in in_place.paths} == {"unchanged"}
    assert dvc("status", at=theirs.root) == CLEAN


def test_a_clone_of_an_export_pulls_from_its_remote(dvc: Dvc, tmp_path: Path) -> None:
    ours = Repository(tmp_path / "ours")
    shutil.rmtree(ours.root / ".dvc")
    folder = ours.root / "data"
    (folder / "sub").mkdir(parents=True)
    (ours.root / "none").mkdir()
    (folder / "x").write_bytes(b"x\r\n")
    (folder / "sub" / "y").write_bytes(b"y" * 3_000_000)
    (folder / "link").symlink_to("sub/y")
    (folder / "empty").mkdir()
    (ours.root / "deep").mkdir()
    (ours.root / "deep" / "model.bin").write_bytes(b"m")
    (ours.root / "deep" / "model.bin").chmod(0o755)
    add(ours.workspace(), [folder, ours.root / "none", ours.root / "deep" / "model.bin"])
    target, remote = Repository(tmp_path / "out"), tmp_path / "remote"
    shutil.rmtree(target.root / ".dvc")
    done = exported(ours.root, target.root, remote=remote)
    assert {item.what for item in done.lost} == {"link copied", "empty directory"}
    assert dvc("status", at=target.root) == CLEAN
    target.commit()
    assert target.git("ls-files", "data", "none", "deep/model.bin") == ""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", target.root, clone], check=True)
    dvc("pull", at=clone)
    assert dvc("status", at=clone) == CLEAN
    assert (clone / "data" / "link").read_bytes() == b"y" * 3_000_000
    assert (clone / "deep" / "model.bin").stat().st_mode & 0o100
    assert (clone / "none").is_dir()
    assert "are in sync" in dvc("status", "-c", at=clone)


def test_in_place_dvc_finds_everything_as_it_is(dvc: Dvc, tmp_path: Path) -> None:
    ours = Repository(tmp_path / "ours")
    shutil.rmtree(ours.root / ".dvc")
    (ours.root / "data").mkdir()
    (ours.root / "data" / "x").write_bytes(b"x")
    (ours.root / "data" / "link").symlink_to("x")
    add(ours.workspace(), [ours.root / "data"])
    exported(ours.root, ours.root)
    assert dvc("status", at=ours.root) == CLEAN
    assert (ours.root / "data" / "link").is_symlink()
    dvc("pull", at=ours.root)
    assert dvc("status", at=ours.root) == CLEAN


def test_our_idea_of_dvc_2_is_dvcs(repository: Repository, dvc: Dvc) -> None:
    """The repositories that other tests make by hand are what DVC takes them for."""
    name = md5(b"a\nb\n")
    repository.put(b"a\r\nb\r\n", name=name, legacy=True)
    repository.describe("t.txt", name, hash_line=False)
    repository.describe("d", repository.put_list({"t.txt": name}, legacy=True), hash_line=False)
    repository.track_folder("new", {"x": b"1"})
    repository.commit()
    dvc("checkout", "-q", at=repository.root)
    assert dvc("status", at=repository.root) == CLEAN
    assert (repository.root / "d" / "t.txt").read_bytes() == b"a\r\nb\r\n"
    assert repository.take().failure is None
    assert repository.content("d") == {"t.txt": b"a\r\nb\r\n"}
