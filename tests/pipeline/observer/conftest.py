"""A workspace to run commands in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.pipeline.observer import observe

from .seen import Run, Seen

SYSTEM = [
    Path(path) for path in ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/var", sys.prefix)
]
SYSTEM += [Path(sys.base_prefix), Path(sys.base_exec_prefix)]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path.resolve() / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def look(workspace: Path) -> Run:
    """Run a command in the workspace, observed."""

    def look(*command: str, **options: object) -> Seen:
        chunks: list[bytes] = []
        settings = {
            "cwd": workspace,
            "env": ENVIRONMENT,
            "root": workspace,
            "ignore": SYSTEM,
            "output": chunks.append,
        }
        observation = observe([str(word) for word in command], **(settings | options))  # type: ignore[arg-type]
        return Seen(observation, b"".join(chunks), workspace)

    return look


@pytest.fixture
def shell(look: Run) -> Run:
    return lambda script, **options: look("sh", "-c", script, **options)


@pytest.fixture
def python(look: Run) -> Run:
    """Run Python source, without site-packages, so that it starts fast."""
    return lambda source, **options: look(sys.executable, "-I", "-S", "-c", source, **options)


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., str]:
    """A program from C source."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")

    def compiled(source: str, *flags: str) -> str:
        code, program = tmp_path / "program.c", tmp_path / "program"
        code.write_text(source)
        subprocess.run(
            ["gcc", "-w", *flags, "-o", program, code, "-lpthread"], check=True, capture_output=True
        )
        return str(program)

    return compiled
