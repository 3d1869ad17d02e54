from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.objects.store import ObjectStore
from drystone.workspace.git import Git
from drystone.workspace.tracked import add
from drystone.workspace.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository, on the branch `main`, whose user is Ada and has configured nothing else."""
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "project"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=root, check=True)
    return root.resolve()


@pytest.fixture
def git(root: Path) -> Git:
    return Git(root)


@pytest.fixture
def workspace(root: Path, git: Git) -> Iterator[Workspace]:
    layout = Layout(root)
    with Workspace.open(layout, git, ObjectStore(layout.objects), SystemClock()) as workspace:
        yield workspace


@pytest.fixture
def data(root: Path, workspace: Workspace) -> Path:
    """Two tracked paths: a file and a folder."""
    (root / "data" / "raw").mkdir(parents=True)
    (root / "data" / "raw" / "a.csv").write_bytes(b"1,2\n")
    (root / "data" / "b.csv").write_bytes(b"3,4\n")
    add(workspace, [root / "data" / "raw", root / "data" / "b.csv"])
    return root / "data"


@pytest.fixture
def sh(root: Path) -> Callable[..., str]:
    """Runs a git command as the user would, and gives what it prints."""

    def run(*words: str, at: Path = root) -> str:
        done = subprocess.run(["git", *words], cwd=at, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode(errors="surrogateescape")

    return run
