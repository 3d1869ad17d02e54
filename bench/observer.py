"""What observation costs: `python bench/observer.py [INTERPRETER] [--pairs N]`.

Each pair runs one program twice through the same launcher, unobserved and observed, in alternating order.
Printed are, by the wall clock and by CPU time, the medians of both, the median of the pairs' differences, and
that difference against plain. CPU time is that of the program and of the observer together: on a busy machine
it says more than the clock, which also tells of everybody else. The goal: at most 5 % of CPU on a program
that imports pandas, pyarrow and scikit-learn.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from drystone.pipeline.observer import supervise
from drystone.pipeline.observer.interpreters import STARTUP
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


class Cost(NamedTuple):
    """Seconds of one execution: by the clock, and of all processes' CPU time."""

    wall: float
    cpu: float


def costs() -> Cost:
    """Both clocks now: CPU time of this process and of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.perf_counter(), time.process_time() + used.ru_utime + used.ru_stime)


def since(began: Cost) -> Cost:
    """What it has cost since."""
    now = costs()
    return Cost(now.wall - began.wall, now.cpu - began.cpu)


def plain(command: list[str], workspace: Path) -> Cost:
    """The command through the same processes, without the filter."""
    began = costs()
    kept: Kept = start(Launch(command, str(workspace), os.environ, os.environ, False, False, None))
    kept.listener()
    kept.go()
    execution = supervise._Execution(
        kept, (None, None), None, None, lambda: signal.SIGTERM, grace=5.0, settle=1.0
    )
    execution.run(None, None)
    kept.close()
    assert kept.status == 0
    return since(began)


def observed(command: list[str], workspace: Path, interpreter: str) -> Cost:
    """The command under observation."""
    ignore = ignored(interpreter, workspace)
    began = costs()
    seen = supervise.observe(
        command, cwd=workspace, env=os.environ, root=workspace, output=None, ignore=ignore
    )
    took = since(began)
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
    print(name)
    for clock, column in (("wall", 0), ("CPU", 1)):
        pairs_of = [(without[column], with_[column]) for without, with_ in rows]
        base, seen = (statistics.median(side) for side in zip(*pairs_of, strict=True))
        more = statistics.median(with_ - without for without, with_ in pairs_of)
        print(
            f"  {clock:5} plain {base * 1000:8.1f} ms   observed {seen * 1000:8.1f} ms"
            f"   difference {more * 1000:+7.1f} ms = {more / base:+6.1%}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interpreter", nargs="?", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=21)
    arguments = parser.parse_args()
    if here() is None:
        print("nothing to measure: this machine has no observer")
        return 0
    # as pip leaves an installed package
    subprocess.run([arguments.interpreter, "-m", "compileall", "-q", str(STARTUP)], check=True)
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
