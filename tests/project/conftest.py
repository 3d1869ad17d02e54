"""Several copies of one project that share a remote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from drystone.core.clock import ManualClock
from drystone.objects.intake import store_path
from drystone.project import configuration
from drystone.project.project import Project
from drystone.project.remotes import Remote
from drystone.project.settings import Settings
from drystone.workspace.lockfile import LockedPath, update


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
