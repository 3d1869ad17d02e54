"""The hot path of tracking: a metric point costs one or two microseconds and no system call.

Calls gather in memory as they come, become columns, and go to the journal: when there are enough of them, and
otherwise a fifth of a second later at most, by a thread that exists only while points wait. What a killed
process loses is that fifth of a second.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import time_ns
from typing import Any, SupportsFloat, SupportsIndex

from drystone.core.errors import UsageError
from drystone.ledger.facts import Points

#: Calls that gather before they are written at once.
_BATCH = 4096
#: When it was made, its step, its values.
_Call = tuple[int, int | None, dict[str, Any]]
#: Seconds after which waiting points are written anyway.
_DELAY = 0.2


class MetricBuffer:
    """Gathers points of one run.

    Args:
        run: the run's id.
        write: takes the facts that are due; called from the logging thread or from a helper thread,
            never from both at once.
    """

    def __init__(self, run: str, write: Callable[[list[Points]], None]) -> None:
        self._run = run
        self._write = write
        # Both ends of a deque may be used by several threads at once, so who logs needs no lock.
        self._waiting: deque[_Call] = deque()
        self._next_step: dict[str, int] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def log(self, values: dict[str, Any], step: int | None) -> None:
        """Add one point per metric.

        Args:
            values: numbers by metric; anything with `__float__` is one, text is not. The dict is
                the buffer's from here on.
            step: a whole number; None counts up from 0 for each metric.

        Raises:
            UsageError: a value is no number, or the step no whole number; nothing was added.
        """
        now = time_ns()
        for key, value in values.items():
            if type(value) is not float:
                values[key] = _number(key, value)
        if step is not None and (type(step) is not int or not -(2**63) <= step < 2**63):
            step = _whole(step)
        waiting = self._waiting
        waiting.append((now, step, values))
        if len(waiting) >= _BATCH:
            self.flush()
        elif self._timer is None:
            self._start_timer()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None  # before the points are taken: whoever adds one later sees to a new one
            if self._waiting:
                self._flush()

    def _flush(self) -> None:
        calls = [self._waiting.popleft() for _ in range(len(self._waiting))]
        next_step = self._next_step.copy()
        try:
            self._write(list(_columns(self._run, calls, next_step)))
        except BaseException:
            self._waiting.extendleft(reversed(calls))  # what could not be written waits on
            raise
        self._next_step = next_step

    def _flush_later(self) -> None:
        # A disk that is full now may not be in a moment; who logs next, or the end, is told.
        with contextlib.suppress(OSError):
            self.flush()

    def _start_timer(self) -> None:
        with self._lock:
            if self._timer is None:
                timer = threading.Timer(_DELAY, self._flush_later)
                timer.daemon = True
                self._timer = timer
                timer.start()


def _columns(run: str, calls: list[_Call], next_step: dict[str, int]) -> Iterable[Points]:
    """The points of some calls, metric by metric.

    Args:
        run: the run's id.
        calls: in the order in which they were made.
        next_step: where each metric counts on; brought up to date.
    """
    series: dict[str, Points] = {}
    for now, step, values in calls:
        for key, value in values.items():
            points = series.get(key)
            if points is None:
                points = series[key] = Points(run, key, [], [], [])
            at = next_step.get(key, 0) if step is None else step
            next_step[key] = at + 1
            points.steps.append(at)
            points.times.append(now)
            points.values.append(value)
    return series.values()


def _number(key: str, value: object) -> float:
    if isinstance(value, SupportsFloat) and not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"metric `{key}` must be a number", because=str(error)) from None
    raise UsageError(f"metric `{key}` must be a number, not {type(value).__name__}")


def _whole(step: object) -> int:
    if not isinstance(step, SupportsIndex):
        raise UsageError(f"a step must be a whole number, not {type(step).__name__}")
    whole = step.__index__()
    if not -(2**63) <= whole < 2**63:
        raise UsageError("a step must fit into 64 bits")
    return whole
