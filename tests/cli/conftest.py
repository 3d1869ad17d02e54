"""Invoking the command line as a user does, as a subprocess, and in-process where that is enough."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

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


class Said(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., Said]:
    """Runs a verb in this process."""
    from drystone.cli import parse
    from drystone.cli.context import Context
    from drystone.core.errors import DrystoneError

    def call(*words: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        context = Context(
            cwd=tmp_path, environ=dict(os.environ), stdout=out, stderr=err, json="--json" in words
        )
        try:
            code = parse.dispatch(words, context)
        except DrystoneError as error:
            context.error(error)
            code = error.exit
        finally:
            context.close()
        return Said(code, out.getvalue(), err.getvalue())

    return call
