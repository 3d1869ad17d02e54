"""Running a model tells nobody and leaves nothing behind in the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_onnx_runtime_makes_no_id_of_the_machine(tmp_path: Path) -> None:
    # `CI` silences it too, so it must not be set where this is to be seen.
    environ = {
        name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")
    }
    program = "import drystone.registry.onnx_model as onnx; onnx.onnxruntime.SessionOptions()"
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        env={**environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert list(tmp_path.rglob("*")) == []


def test_it_is_imported_in_no_other_place() -> None:
    source = Path(__file__).parents[2] / "src"
    importing = {
        path.name
        for path in source.rglob("*.py")
        if any(
            line.startswith(("import onnxruntime", "from onnxruntime"))
            for line in path.read_text().splitlines()
        )
    }
    assert importing == {"quiet.py"}
