"""`docs/how-to/work-in-a-team-with-git.md`, word by word: two clones, a remote, a host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Drystone = Callable[..., subprocess.CompletedProcess[str]]
Ended = subprocess.CompletedProcess[str]


def git(folder: Path, *words: str, fails: bool = False) -> Ended:
    ended = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert bool(ended.returncode) == fails, ended.stdout + ended.stderr
    return ended


class Clone:
    """A clone in which somebody works."""

    def __init__(self, folder: Path, drystone: Drystone) -> None:
        self.folder, self._drystone = folder, drystone

    def drystone(self, *words: str, code: int = 0) -> Ended:
        ended = self._drystone(*words, cwd=self.folder)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended

    def git(self, *words: str, fails: bool = False) -> Ended:
        return git(self.folder, *words, fails=fails)

    def commits(self, **files: str) -> None:
        """Changes files of the tracked directory, and adds and commits that."""
        for name, text in files.items():
            place = self.folder / "data" / "img" / name / f"{name}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.drystone("add", "data/img")
        self.git("add", "-A")
        self.git("commit", "-qm", " ".join(files))

    @property
    def present(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.folder / "data" / "img").rglob("*.txt")}


@pytest.fixture
def clones(tmp_path: Path, drystone: Drystone) -> tuple[Clone, Clone]:
    """Ada's and Bob's, with the driver installed, both with one tracked directory that a third pushed."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "host")
    git(tmp_path, "clone", "-q", "host", "first")
    first = Clone(tmp_path / "first", drystone)
    first.git("checkout", "-q", "-B", "main")
    first.drystone("remote", "add", "lab", "../lab")
    first.drystone("init", "--merge-driver")
    first.commits(old="old", shared="shared")
    first.drystone("push")
    first.git("push", "-q", "origin", "main")
    both = []
    for name in ("ada", "bob"):
        git(tmp_path, "clone", "-q", "host", name)
        clone = Clone(tmp_path / name, drystone)
        clone.drystone("init", "--merge-driver")
        clone.drystone("pull")
        both.append(clone)
    return both[0], both[1]


def diverge(ada: Clone, bob: Clone, mine: dict[str, str], other: dict[str, str]) -> None:
    bob.commits(**other)
    bob.drystone("push")
    bob.git("push", "-q")
    ada.commits(**mine)
    ada.drystone("push")


def test_what_two_clones_added_to_a_directory_merges(clones: tuple[Clone, Clone]) -> None:
    ada, bob = clones
    diverge(ada, bob, {"a": "ada"}, {"b": "bob"})
    told = ada.git("pull", "-q", "--no-rebase", "--no-edit").stderr
    assert "merged the directory `data/img`; `drystone pull` brings its files" in told
    ada.drystone("pull")
    assert ada.present == {"old.txt": "old", "shared.txt": "shared", "a.txt": "ada", "b.txt": "bob"}
    ada.drystone("push")
    ada.git("push", "-q")
    bob.git("pull", "-q", "--no-rebase")
    bob.drystone("pull")
    assert bob.present == ada.present


def test_without_the_remote_the_hint_leads_out(clones: tuple[Clone, Clone]) -> None:
    ada, bob = clones
    diverge(ada, bob, {"a": "ada"}, {"b": "bob"})
    lab = ada.folder.parent / "lab"
    lab.rename(lab.with_name(f"{lab.name}-away"))
    told = ada.git("pull", "-q", "--no-rebase", "--no-edit", fails=True)
    words = told.stdout + told.stderr
    assert "`data/img` was changed on both sides and cannot be merged here" in words
    assert "remote `lab`" in words
    assert "has all that merges" not in words
    assert "`drystone pull`, then merge again with `git checkout --merge drystone.lock`" in words
    ada.drystone("pull", code=6)
    lab.with_name(f"{lab.name}-away").rename(lab)
    told = ada.drystone("pull")
    assert "git checkout --merge drystone.lock" in told.stderr
    lab.rename(lab.with_name(f"{lab.name}-away"))  # all that merging needs is here now
    ada.git("checkout", "--merge", "drystone.lock")
    ada.git("add", "drystone.lock")
    ada.git("commit", "-qm", "merged")
    ada.drystone("checkout")
    assert set(ada.present) == {"old.txt", "shared.txt", "a.txt", "b.txt"}


def test_a_conflict_of_two_clones_is_resolved_to_either_side(clones: tuple[Clone, Clone]) -> None:
    ada, bob = clones
    diverge(ada, bob, {"a": "ada", "shared": "ada's"}, {"b": "bob", "shared": "bob's"})
    told = ada.git("pull", "-q", "--no-rebase", "--no-edit", fails=True)
    assert "CONFLICT in `data/img/shared/shared.txt`" in told.stderr
    assert "either line has all that merges" in told.stderr
    found = json.loads(ada.drystone("pull", "--json", "data/img").stdout)
    assert (found["restored"], found["conflicts"]) == ([], True)
    ada.drystone("git-merge", "--theirs", "data/img")
    ada.git("add", "drystone.lock")
    ada.git("commit", "-qm", "merged")
    ada.drystone("checkout")
    assert ada.present == {"old.txt": "old", "shared.txt": "bob's", "a.txt": "ada", "b.txt": "bob"}
    assert ada.drystone("pull", "data/none", code=4).stderr


def test_only_lists_are_fetched_to_merge(clones: tuple[Clone, Clone]) -> None:
    ada, bob = clones
    diverge(ada, bob, {"a": "ada"}, {"b": "bob"})
    ada.git("pull", "-q", "--no-rebase", "--no-edit")
    told = ada.drystone("checkout", code=4).stderr
    assert "data/img" in told
    assert "b.txt" not in ada.present
