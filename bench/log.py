"""`ds.log` in a loop: points per second, against MLflow-free baselines of the same machine.

The goal is 300,000 points/s. Everything counts: gathering, encoding, writing, and the last flush.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

GOAL = 300_000
POINTS = 600_000
PROGRAM = f"""
import time, drystone as ds
ds.log(loss=0.0, step=0)
begin = time.perf_counter()
for step in range(1, {POINTS}):
    ds.log(loss=0.5, step=step)
from drystone import api
api._session().metrics.flush()
print({POINTS} / (time.perf_counter() - begin))
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        rates = []
        for _ in range(3):
            ended = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
            )
            rates.append(float(ended.stdout))
    rate = statistics.median(rates)
    print(f"ds.log(loss=..., step=...)  {rate:12,.0f} points/s   goal {GOAL:,}   ratio {rate / GOAL:.2f}")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
