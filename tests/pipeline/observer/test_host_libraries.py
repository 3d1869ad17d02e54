"""What the observer's own process has loaded does not disturb the commands it starts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv


def test_a_process_whose_libraries_mend_themselves_at_forks_can_observe(
    workspace: Path, shell: Callable[..., Any]
) -> None:
    # Writing CSV makes Arrow keep a pipe, which it renews in every forked child.
    pyarrow.csv.write_csv(pa.table({"a": [1]}), io.BytesIO())
    (workspace / "a").write_text("x")
    seen = shell("cat a > b")
    assert (seen.all.exit_code, seen.all.label) == (0, "proven")


def test_a_command_gets_none_of_the_observers_files(workspace: Path, shell: Callable[..., Any]) -> None:
    with (workspace / "held").open("w") as held:
        seen = shell(f"test ! -e /proc/self/fd/{held.fileno()}")
    assert seen.all.exit_code == 0
