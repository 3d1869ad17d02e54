"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from drystone.core.clock import ManualClock
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger

hypothesis_settings.register_profile("here", deadline=None, max_examples=60, derandomize=True)
hypothesis_settings.load_profile("here")

_SERVICES = {
    "DRYSTONE_TEST_POSTGRES": "PostgreSQL",
    "DRYSTONE_TEST_REDIS": "Redis",
}


@pytest.fixture(autouse=True)
def _own_git_and_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Tests see no configuration of whoever runs them."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "DRYSTONE_")) and not name.startswith("DRYSTONE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Ledger:
    opened = Ledger.open(Layout(tmp_path), clock)
    yield opened  # type: ignore[misc]
    opened.close()


Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in `tmp_path` and gives what it printed."""

    def call(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    return call


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """An empty git repository with one commit."""
    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return tmp_path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which parts were not tested for want of a server."""
    unnamed = {variable: name for variable, name in _SERVICES.items() if not os.environ.get(variable)}
    if unnamed:
        terminalreporter.write_line(
            f"not tested here: {' and '.join(unnamed.values())}; name one in {' and '.join(unnamed)}"
            " (`.ci/run` does)"
        )
    if shutil.which("chromium") is None:
        terminalreporter.write_line(
            "not tested here: the pages in a browser; install Chromium (`.ci/run` does)"
        )
    if not (Path(__file__).parent.parent / ".venv-peers" / "dvc" / "bin" / "dvc").exists():
        terminalreporter.write_line(
            "not tested here: import from and export to the real DVC; it could not be installed, or its"
            " tests were not among these (`.ci/run` requires them)"
        )
