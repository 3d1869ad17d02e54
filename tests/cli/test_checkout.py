"""What `drystone checkout` advises where it cannot restore: each hint is followed here, and leads out."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Drystone = Callable[..., subprocess.CompletedProcess[str]]
Git = Callable[..., str]


@pytest.fixture
def project(repository: Path, git: Git, drystone: Drystone) -> Path:
    """A tracked folder with a large and a small file, committed."""
    (repository / "data" / "t").mkdir(parents=True)
    (repository / "data" / "t" / "large").write_bytes(bytes(range(256)) * 8000)
    (repository / "data" / "t" / "small").write_text("small")
    assert drystone("add", "data/t").returncode == 0
    git("add", "-A")
    git("commit", "-qm", "data")
    return repository


@pytest.fixture
def pushed(project: Path, git: Git, drystone: Drystone, tmp_path: Path) -> Path:
    """The same with a remote that has all of it."""
    lab = tmp_path.parent / f"{tmp_path.name}-lab"
    assert drystone("remote", "add", "lab", str(lab)).returncode == 0
    git("add", "-A")
    git("commit", "-qm", "remote")
    assert drystone("push").returncode == 0
    return project


def damage(root: Path) -> None:
    (large,) = [
        p for p in (root / ".drystone" / "objects").rglob("*") if p.is_file() and p.stat().st_size > 1e6
    ]
    large.chmod(0o644)
    with large.open("r+b") as file:
        file.seek(1000)
        file.write(b"damaged")
    for path in (root / "data" / "t").iterdir():
        path.unlink()


def hints(ended: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^hint: .*`(.*)`", ended.stderr, re.MULTILINE)


def test_what_is_damaged_here_is_pulled_from_the_remote(pushed: Path, drystone: Drystone) -> None:
    damage(pushed)
    for _ in range(2):  # it is in quarantine then, and so lacking
        ended = drystone("checkout")
        assert ended.returncode in (3, 4)
        assert "`data/t` cannot be checked out" in ended.stderr
        assert hints(ended) == ["drystone pull data/t"]
    assert drystone(*shlex.split(hints(ended)[0])[1:]).returncode == 0
    assert (pushed / "data" / "t" / "large").stat().st_size == 256 * 8000


def test_one_pull_is_enough_where_something_is_damaged_here(pushed: Path, drystone: Drystone) -> None:
    damage(pushed)
    (small,) = [p for p in (pushed / ".drystone" / "objects").glob("??/*") if p.read_bytes() == b"small"]
    small.chmod(0o644)
    small.write_bytes(b"SMALL")
    ended = drystone("pull")
    assert ended.returncode == 0, ended.stderr
    told = re.findall("damaged here, in quarantine now and fetched again for `data/t`: (.*)", ended.stderr)
    assert len(told[0].split(", ")) == 2
    assert (pushed / "data" / "t" / "large").stat().st_size == 256 * 8000
    assert drystone("status").returncode == 0
    assert len([*(pushed / ".drystone" / "quarantine").iterdir()]) == 2
    damage(pushed)
    ended = drystone("pull", "--json")
    assert [one["path"] for one in json.loads(ended.stdout)["healed"]] == ["data/t"]


def test_what_no_remote_has_whole_stays_an_error(pushed: Path, drystone: Drystone, tmp_path: Path) -> None:
    damage(pushed)
    shutil.rmtree(tmp_path.parent / f"{tmp_path.name}-lab" / "packs")
    ended = drystone("pull")
    assert ended.returncode == 3
    assert "`data/t` cannot be checked out: object" in ended.stderr
    assert drystone("pull").returncode == 6  # from now on it is lacking here


def test_without_a_remote_whoever_has_a_copy_adds_it(project: Path, drystone: Drystone) -> None:
    damage(project)
    ended = drystone("checkout")
    assert "`data/t` cannot be checked out" in ended.stderr
    assert hints(ended) == ["drystone remote add NAME URL", "drystone add data/t"]
    assert "drystone run" not in ended.stderr


def test_a_fresh_clone_is_told_to_pull(pushed: Path, git: Git, drystone: Drystone, tmp_path: Path) -> None:
    clone = tmp_path.parent / f"{tmp_path.name}-clone"
    git("clone", "-q", ".", str(clone))
    ended = drystone("checkout", cwd=clone)
    assert (ended.returncode, hints(ended)) == (4, ["drystone pull data/t"])
    (pushed / "data" / "t" / "small").write_text("smaller")
    for words in (("add", "data/t"), ("push",)):
        assert drystone(*words).returncode == 0
    git("commit", "-qam", "smaller")
    git("-C", str(clone), "pull", "-q")
    ended = drystone("checkout", "--git", "HEAD~1", cwd=clone)
    assert (ended.returncode, hints(ended)) == (4, ["drystone pull --git 'HEAD~1' data/t"])
    assert drystone(*shlex.split(hints(ended)[0])[1:], cwd=clone).returncode == 0
    assert drystone("checkout", "--git", "HEAD~1", cwd=clone).returncode == 0
    assert (clone / "data" / "t" / "small").read_text() == "small"
    shutil.rmtree(clone / "data" / "t")
    assert drystone("init", "--hooks", cwd=clone).returncode == 0
    told = subprocess.run(
        ["git", "checkout", "-q", "-b", "other", "HEAD~3"], cwd=clone, capture_output=True, text=True
    )
    told = subprocess.run(["git", "checkout", "-q", "main"], cwd=clone, capture_output=True, text=True)
    assert hints(told) == ["drystone pull data/t"]


def test_what_a_step_made_is_made_again(repository: Path, drystone: Drystone) -> None:
    (repository / "steps").mkdir()
    (repository / "steps" / "make.sh").write_text("mkdir -p data\nhead -c 2000000 /dev/zero > data/zeros\n")
    assert drystone("run").returncode == 0
    (large,) = [
        p for p in (repository / ".drystone" / "objects").rglob("*") if p.is_file() and p.stat().st_size > 1e6
    ]
    large.unlink()
    (repository / "data" / "zeros").unlink()
    ended = drystone("checkout")
    assert ended.returncode == 4
    assert hints(ended)[0] == "drystone run make"
    assert drystone(*shlex.split(hints(ended)[0])[1:]).returncode == 0
    assert (repository / "data" / "zeros").stat().st_size == 2_000_000


def test_a_linked_work_tree_is_told_how_to_share_the_store(
    project: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    tree = tmp_path.parent / f"{tmp_path.name}-tree"
    git("worktree", "add", "-q", "-b", "second", str(tree))
    ended = drystone("checkout", cwd=tree)
    assert ended.returncode == 4
    first = hints(ended)[0]
    assert first.startswith("ln -s ")
    subprocess.run(first, shell=True, cwd=tree, check=True)
    assert drystone("checkout", cwd=tree).returncode == 0
    assert (tree / "data" / "t" / "small").read_text() == "small"
    assert drystone("gc", "--yes").returncode == 0
    assert drystone("fsck", cwd=tree).returncode == 0
