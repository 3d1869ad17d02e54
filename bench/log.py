"""`ds.log` in a loop: points per second, by the wall clock and by the CPU time of the process.

The goal is 300,000 points/s. Everything counts: gathering, encoding, writing, and the last flush. On a busy
machine the wall clock tells how busy it is; the CPU time is what an idle core would have needed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

GOAL = 300_000
POINTS = 600_000
RUNS = 5
PROGRAM = f"""
import time, drystone as ds
ds.log(loss=0.0, step=0)
wall, cpu = time.perf_counter(), time.process_time()
for step in range(1, {POINTS}):
    ds.log(loss=0.5, step=step)
from drystone import api
api._session().metrics.flush()
print([{POINTS} / (time.perf_counter() - wall), {POINTS} / (time.process_time() - cpu)])
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        rates = []
        for _ in range(RUNS):
            ended = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
            )
            rates.append(json.loads(ended.stdout))
    wall, cpu = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"{'':28}{'points/s wall':>15}{'points/s CPU':>15}{'goal':>10}{'CPU / goal':>12}")
    print(f"{'ds.log(loss=..., step=...)':28}{wall:>15,.0f}{cpu:>15,.0f}{GOAL:>10,}{cpu / GOAL:>12.2f}")
    return 0 if cpu >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
