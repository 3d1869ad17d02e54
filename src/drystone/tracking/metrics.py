"""The hot path of tracking: a metric point costs about a microsecond and no system call.

Points gather in memory and go to the journal in columns: when there are enough of them, and
otherwise a fifth of a second later at most, by a thread that exists only while points wait. What a killed
process loses is that fifth of a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

from drystone.core.errors import UsageError
from drystone.ledger.facts import Points

#: Calls that gather before they are written at once.
_BATCH = 4096
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
        self._waiting: list[tuple[int | None, int, Mapping[str, Any]]] = []
        self._next_step: dict[str, int] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def log(self, values: Mapping[str, Any], step: int | None) -> None:
        """Add one point per metric.

        Args:
            values: numbers by metric; anything with `__float__` is one, text is not.
            step: a whole number; None counts up from 0 for each metric.

        Raises:
            UsageError: a value is no number, or the step no whole number.
        """
        for key, value in values.items():
            if type(value) is not float and type(value) is not int and not _is_number(value):
                raise UsageError(f"metric `{key}` must be a number, not {type(value).__name__}")
        if step is not None and type(step) is not int and not hasattr(step, "__index__"):
            raise UsageError(f"a step must be a whole number, not {type(step).__name__}")
        now = time.time_ns()
        with self._lock:
            self._waiting.append((step, now, values))
            if len(self._waiting) >= _BATCH:
                self._flush()
            elif self._timer is None:
                self._start_timer()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._write(self._columns(waiting))

    def _start_timer(self) -> None:
        timer = threading.Timer(_DELAY, self.flush)
        timer.daemon = True
        self._timer = timer
        timer.start()

    def _columns(self, waiting: list[tuple[int | None, int, Mapping[str, Any]]]) -> list[Points]:
        series: dict[str, Points] = {}
        next_step = self._next_step
        for step, now, values in waiting:
            for key, value in values.items():
                points = series.get(key)
                if points is None:
                    points = series[key] = Points(self._run, key, [], [], [])
                at = next_step.get(key, 0) if step is None else int(step)
                next_step[key] = at + 1
                points.steps.append(at)
                points.times.append(now)
                points.values.append(float(value))
        return list(series.values())


def _is_number(value: object) -> bool:
    return isinstance(value, SupportsFloat) and not isinstance(value, str | bytes)
