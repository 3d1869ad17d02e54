"""What observation costs: `python bench/observer.py [INTERPRETER] [--pairs N]`.

Each pair runs one program twice through the same launcher, unobserved and observed, in alternating order.
Printed are the medians of both, the median of the pairs' differences, and that difference against plain.
The goal: at most 5 % on a program that imports pandas, pyarrow and scikit-learn.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from drystone.pipeline.observer import supervise
from drystone.pipeline.observer.keeper import Kept, Launch, start
from drystone.pipeline.observer.syscalls import here
from drystone.pipeline.territory import Territory
from drystone.tracking.environment import stood_for

PROGRAMS = {
    "nothing": "pass",
    "import pandas, pyarrow, sklearn": "import pandas, pyarrow, sklearn",
    "read 3000 files, write 200": (
        "import os\n"
        "for n in range(3000): open(f'files/{n}').close()\n"
        "os.makedirs('out', exist_ok=True)\n"
        "for n in range(200): open(f'out/{n}', 'w').close()"
    ),
}


def ignored(interpreter: str, workspace: Path) -> list[Path]:
    """What a step's observer ignores: the system's directories and the interpreter's own."""
    return Territory(workspace, stood_for(Path(interpreter))).unseen


def plain(command: list[str], workspace: Path) -> float:
    """Seconds of the command through the same processes, without the filter."""
    began = time.perf_counter()
    kept: Kept = start(Launch(command, str(workspace), os.environ, os.environ, False, False, None))
    kept.listener()
    kept.go()
    execution = supervise._Execution(
        kept, (None, None), None, None, lambda: signal.SIGTERM, grace=5.0, settle=1.0
    )
    execution.run(None, None)
    kept.close()
    assert kept.status == 0
    return time.perf_counter() - began


def observed(command: list[str], workspace: Path, interpreter: str) -> float:
    """Seconds of the command under observation."""
    ignore = ignored(interpreter, workspace)
    began = time.perf_counter()
    seen = supervise.observe(
        command, cwd=workspace, env=os.environ, root=workspace, output=None, ignore=ignore
    )
    took = time.perf_counter() - began
    assert (seen.exit_code, seen.label) == (0, "proven"), seen
    return took


def measure(name: str, program: str, interpreter: str, workspace: Path, pairs: int) -> None:
    """Run the pairs of one program and print its line."""
    command = [interpreter, "-c", program]
    rows = []
    for turn in range(pairs + 1):
        if turn % 2:
            without, with_ = plain(command, workspace), observed(command, workspace, interpreter)
        else:
            with_, without = observed(command, workspace, interpreter), plain(command, workspace)
        if turn:  # the first pair warms the caches
            rows.append((without, with_))
    base, seen = (statistics.median(column) for column in zip(*rows, strict=True))
    more = statistics.median(with_ - without for without, with_ in rows)
    best = min(without for without, _ in rows), min(with_ for _, with_ in rows)
    print(
        f"{name:34} plain {base * 1000:8.1f} ms   observed {seen * 1000:8.1f} ms"
        f"   difference {more * 1000:+7.1f} ms = {more / base:+6.1%}"
        f"   best {best[0] * 1000:.1f} / {best[1] * 1000:.1f} ms = {best[1] / best[0] - 1:+.1%}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interpreter", nargs="?", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=21)
    arguments = parser.parse_args()
    if here() is None:
        print("nothing to measure: this machine has no observer")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        workspace = Path(directory)
        (workspace / "files").mkdir()
        for number in range(3000):
            (workspace / "files" / str(number)).write_bytes(b"x")
        for name, program in PROGRAMS.items():
            measure(name, program, arguments.interpreter, workspace, arguments.pairs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
