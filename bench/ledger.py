"""One question to the ledger of a project with many runs: nothing new, one new journal, and a rebuild.

What is paid when nothing is new must not grow with the number of runs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from drystone.core.clock import SystemClock
from drystone.core.ids import new_id
from drystone.core.layout import Layout
from drystone.ledger import facts, runs
from drystone.ledger.ledger import Ledger

RUNS = [int(number) for number in sys.argv[1:]] or [500, 5_000]
GOAL_MS = 5.0
HOUR = 3_600_000_000_000


class Later:
    """An hour later: the journals have lain still since."""

    def now(self) -> int:
        return SystemClock().now() + HOUR


def record(ledger: Ledger, time_ns: int) -> None:
    """One short run with a parameter and a metric."""
    run = new_id(time_ns)
    journal = ledger.journal(run)
    journal.append(
        facts.RunStarted(run, "command", "train", time_ns),
        facts.Params(run, {"rate": 0.1}),
        facts.Points(run, "loss", [0], [time_ns], [0.5]),
        facts.RunFinished(run, "succeeded", time_ns + 1, 0),
    )
    journal.close()


def milliseconds(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """The median of seven."""
    took = []
    for _ in range(7):
        before()
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def measure(count: int) -> float:
    """Print a line; the milliseconds of a question when nothing is new."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(Layout(Path(folder)), file_clock=Later()) as ledger,
    ):
        now = SystemClock().now()
        for number in range(count):
            record(ledger, now - number)
        began = time.perf_counter()
        ledger.rebuild()
        rebuilt = 1000 * (time.perf_counter() - began)
        ask = lambda: runs.recent(ledger, limit=20)  # noqa: E731
        unchanged = milliseconds(ask)
        one_new = milliseconds(ask, before=lambda: record(ledger, SystemClock().now()))
    print(
        f"{count:>8,}{unchanged:>14.2f} ms{one_new:>14.2f} ms{rebuilt:>14.0f} ms{rebuilt / unchanged:>14,.0f}"
    )
    return unchanged


def main() -> int:
    print(f"{'runs':>8}{'nothing new':>17}{'one new run':>17}{'rebuild':>17}{'ratio':>14}")
    slowest = max(map(measure, RUNS))
    print(f"goal: at most {GOAL_MS:g} ms where nothing is new")
    return 0 if slowest <= GOAL_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
