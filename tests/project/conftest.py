"""A project whose content is on a remote only, and a clone of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drystone.cli.main import main
from drystone.core.clock import ManualClock, SystemClock
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger
from drystone.objects.intake import store_path
from drystone.project import configuration
from drystone.project.project import Project
from drystone.project.remotes import Remote
from drystone.project.settings import Settings
from drystone.registry import aliases
from drystone.registry.versions import register
from drystone.workspace.lockfile import Lock, LockedPath, update

ROWS = 300_000


class Answer(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


Drystone = Callable[..., Answer]


def git(folder: Path, *words: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, env=environ)


def verb(folder: Path, *words: str) -> None:
    """Runs a verb that must succeed, before any test runs."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "drystone"), *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`project`, and `lab`, a folder that is its remote; data:out has two versions, model:m a champion."""
    base = tmp_path_factory.mktemp("pushed").resolve()
    project = base / "project"
    (project / "data" / "out" / "deep").mkdir(parents=True)
    (project / "models" / "m").mkdir(parents=True)
    rng = np.random.default_rng(7)
    table = pa.table({"id": np.arange(ROWS), "x": rng.random(ROWS), "y": rng.random(ROWS)})
    pq.write_table(table, project / "data" / "table.parquet", row_group_size=20_000, compression="none")
    (project / "data" / "out" / "x.txt").write_text("one\n")
    (project / "data" / "out" / "deep" / "t.csv").write_text("a,b\n1,2\n")
    (project / "data" / "out" / "run").write_text("#!/bin/sh\n")
    (project / "data" / "out" / "run").chmod(0o755)
    (project / "data" / "out" / "link").symlink_to("x.txt")
    (project / "models" / "m" / "weights").write_bytes(bytes(1000))
    git(project, "init", "-q", "-b", "main")
    verb(project, "remote", "add", "lab", str(base / "lab"))
    verb(project, "add", "data/table.parquet", "data/out", "models/m")
    _register(project, "data", "out", "data/out")
    _register(project, "model", "m", "models/m")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    git(project, "tag", "first")
    verb(project, "push")
    (project / "data" / "out" / "x.txt").write_text("two\n")
    verb(project, "add", "data/out")
    _register(project, "data", "out", "data/out")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "two")
    verb(project, "push")
    return base


def _register(project: Path, kind: str, name: str, path: str) -> None:
    clock = SystemClock()
    locked = Lock.read(project / "drystone.lock").paths[path]
    with Ledger.open(Layout(project), clock) as ledger:
        version = register(
            ledger,
            kind,
            name,
            object=locked.object,
            path=path,
            size=locked.size,
            run=None,
            clock=clock,  # type: ignore[arg-type]
        )
        if kind == "model":
            aliases.move(ledger, version, "champion", by="ada", clock=clock)


@pytest.fixture
def base(pushed: Path, tmp_path: Path) -> Path:
    """A copy of `pushed` for one test: the remote `lab`, and `clone`, which has nothing but git's files."""
    shutil.copytree(pushed / "lab", tmp_path / "lab")
    git(tmp_path, "clone", "-q", str(pushed / "project"), "clone")
    settings = tmp_path / "clone" / "drystone.toml"
    settings.write_text(f'[remotes.lab]\nurl = "{tmp_path / "lab"}"\n')
    return tmp_path.resolve()


@pytest.fixture
def clone(base: Path) -> Path:
    return base / "clone"


@pytest.fixture
def drystone(clone: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Drystone:
    """Runs a verb in the clone, or in the folder `at`."""

    def run(*words: str, at: Path = clone) -> Answer:
        monkeypatch.chdir(at)
        capfd.readouterr()
        code = main(words)
        return Answer(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of an S3 server with the bucket `bucket`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert server.poll() is None, "the S3 server ended"
            try:
                urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT")).close()
                break
            except (urllib.error.URLError, ConnectionError):
                continue
        yield url
    finally:
        server.terminate()
        server.wait()


class Copy(NamedTuple):
    """One copy of the project."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.layout.root

    def track(self, path: str, files: dict[str, bytes]) -> None:
        """Makes a folder hold exactly these files, and tracks it."""
        folder = self.root / path
        subprocess.run(["rm", "-rf", folder], check=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        entry = store_path(self.project.store, folder)
        layout = self.project.layout
        update(layout.lock, layout.guards, lambda lock: lock.changed(paths={path: LockedPath.of(entry)}))

    def commit(self, message: str = "change") -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def remote(self, name: str | None = None) -> Remote:
        return Remote(self.project, name)


@pytest.fixture
def copy(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[[str], Copy]]:
    """Makes copies of one project by `git clone`; all push to the folder `remote`."""
    made: list[Project] = []
    origin = tmp_path / "origin.git"
    (tmp_path / "remote").mkdir()

    def make(name: str) -> Copy:
        root = tmp_path / name
        if not origin.exists():
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", origin], check=True)
        subprocess.run(["git", "clone", "-q", origin, root], check=True, capture_output=True)
        subprocess.run(["git", "symbolic-ref", "HEAD", "refs/heads/main"], cwd=root, check=True)
        if "lab" not in configuration.remotes(root):
            configuration.add_remote(root, "lab", {"url": str(tmp_path / "remote")})
        settings = Settings.of({"USER": name, "HOME": str(tmp_path)})
        made.append(Project(root, settings, clock))
        return Copy(made[-1])

    yield make
    for project in made:
        project.close()
