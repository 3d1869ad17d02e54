"""The real DVC, in a virtual environment that is made once per machine, and repositories by hand."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .world import Repository

Dvc = Callable[..., str]

VERSION = "3.67.1"
HOME = Path(__file__).parents[3] / ".venv-peers" / "dvc"


def _installed() -> str | None:
    """Makes the environment if it is not there; gives why that failed."""
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "dvc.guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # test processes may run side by side
        told = HOME / "drystone-version"
        if told.exists() and told.read_text() == VERSION:
            return None
        shutil.rmtree(HOME, ignore_errors=True)
        for words in (
            [sys.executable, "-m", "venv", str(HOME)],
            [str(HOME / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", f"dvc=={VERSION}"],
        ):
            done = subprocess.run(words, capture_output=True, text=True)
            if done.returncode != 0:
                shutil.rmtree(HOME, ignore_errors=True)
                return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        told.write_text(VERSION)
    return None


@pytest.fixture(scope="session")
def real_dvc() -> Path:
    """The program `dvc`."""
    why = _installed()
    if why is not None:
        if os.environ.get("DRYSTONE_TEST_DVC") == "required":
            pytest.fail(f"DVC {VERSION} cannot be installed: {why}")
        pytest.skip(f"DVC {VERSION} cannot be installed: {why}")
    return HOME / "bin" / "dvc"


@pytest.fixture(scope="session")
def dvc(real_dvc: Path, tmp_path_factory: pytest.TempPathFactory) -> Dvc:
    """Runs DVC in a folder and gives what it printed; it keeps its state to this session."""
    own = tmp_path_factory.mktemp("dvc-own")

    def call(*words: str, at: Path) -> str:
        environ = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(own / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
        }
        done = subprocess.run(
            [str(real_dvc), *words], cwd=at, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")
