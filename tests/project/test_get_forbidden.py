"""`drystone get` in a project of which nothing may be written."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.project.conftest import git, verb  # type: ignore[import-not-found]

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP = 24


def _be_held() -> None:
    """Permissions hold whom they would not hold: root loses CAP_DAC_OVERRIDE (1) for what it starts."""
    if os.geteuid() == 0 and _LIBC.prctl(_PR_CAPBSET_DROP, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Place(NamedTuple):
    """A folder in which `project` is write-protected and `ok` is not."""

    folder: Path

    def get(self, *words: str, within: str = "project") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "drystone"), "get", *words],
            cwd=self.folder / within,
            preexec_fn=_be_held,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        project, ok = folder / "project", folder / "ok"
        (project / "data" / "t").mkdir(parents=True)
        ok.mkdir()
        (project / "data" / "big.bin").write_bytes(bytes(range(256)) * 8000)
        (project / "data" / "t" / "small").write_text("small")
        git(project, "init", "-q")
        verb(project, "remote", "add", "lab", "../lab")
        verb(project, "add", "data/big.bin", "data/t")
        verb(project, "push")
        git(project, "add", "-A")
        git(project, "commit", "-qm", "data")
        for path in [project, *project.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield Place(folder)
        for path in [project, *project.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)


@pytest.mark.parametrize("source", ["store", "remote"])
def test_what_may_be_read_is_put_where_may_be_written(place: Place, source: str) -> None:
    project = place.folder / "project"
    if source == "remote":
        (project / ".drystone").chmod(0o755)
        for path in (project / ".drystone" / "objects").rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        (project / ".drystone" / "objects").chmod(0o755)
        shutil.rmtree(project / ".drystone" / "objects")
        (project / ".drystone").chmod(0o555)
    for number, reference in enumerate(("data:big.bin", "data/big.bin")):
        ended = place.get(reference, "-o", f"../ok/{number}")
        assert ended.returncode == 0, ended.stderr
        assert (place.folder / "ok" / str(number)).read_bytes() == bytes(range(256)) * 8000
    assert sorted(path.name for path in (place.folder / "ok").iterdir()) == ["0", "1"]
    ended = place.get("t/small", "-o", "-", within="project/data")
    assert (ended.returncode, ended.stdout) == (0, "small"), ended.stderr


def test_its_own_place_cannot_be_written_and_the_error_says_which_folder(place: Place) -> None:
    (place.folder / "project" / "data" / "big.bin").chmod(0o644)
    ended = place.get("data/big.bin")
    assert ended.returncode == 3
    assert str(place.folder / "project" / ".drystone") in ended.stderr
    assert "-o PATH" in ended.stderr
