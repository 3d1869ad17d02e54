"""Invoking the command line as a user does, as a subprocess, and in-process where that is enough."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.saying import Said  # type: ignore[import-not-found]
from tests.saying import said as run

Drystone = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def drystone(tmp_path: Path) -> Drystone:
    """Runs the installed command in `tmp_path`."""

    def call(*words: str, cwd: Path = tmp_path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "drystone"), *words],
            cwd=cwd,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return call


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., Said]:
    """Runs a verb in this process."""
    return partial(run, tmp_path)
