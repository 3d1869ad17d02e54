"""`drystone --version` against `python3 -c pass`: wall and CPU, medians of paired runs.

The goals are 80 ms wall, and three times the CPU of the bare interpreter.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

RUNS = 25
WALL_MS, CPU_RATIO = 80.0, 3.0


def once(command: list[str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of one run."""
    began = time.perf_counter()
    pid = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, _, usage = os.wait4(pid, 0)
    return 1000 * (time.perf_counter() - began), 1000 * (usage.ru_utime + usage.ru_stime)


def main() -> int:
    ours = [str(Path(sys.executable).parent / "drystone"), "--version"]
    bare = [sys.executable, "-c", "pass"]
    pairs = [(once(ours), once(bare)) for _ in range(RUNS + 2)][2:]
    wall, cpu = (statistics.median(pair[0][i] for pair in pairs) for i in (0, 1))
    bare_wall, bare_cpu = (statistics.median(pair[1][i] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(pair[0][1] / pair[1][1] for pair in pairs)
    print(f"{'':28}{'wall':>10}{'CPU':>10}")
    print(f"{'drystone --version':28}{wall:>7.1f} ms{cpu:>7.1f} ms")
    print(f"{'python3 -c pass':28}{bare_wall:>7.1f} ms{bare_cpu:>7.1f} ms")
    print(f"CPU ratio {ratio:.2f} (goal <= {CPU_RATIO}), wall {wall:.1f} ms (goal <= {WALL_MS})")
    return 0 if wall <= WALL_MS and ratio <= CPU_RATIO else 1


if __name__ == "__main__":
    raise SystemExit(main())
