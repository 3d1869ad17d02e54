"""Time as a value that can be handed in, so that tests own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time as integer nanoseconds since the Unix epoch, UTC."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns()


class ManualClock:
    """A clock that moves only when it is told to.

    Args:
        start: first answer, nanoseconds since the epoch.
    """

    def __init__(self, start: int = 1_700_000_000_000_000_000) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1e9)


def to_iso(nanoseconds: int) -> str:
    """RFC 3339 in UTC, cut to milliseconds, e.g. `2026-01-31T08:00:00.000Z`."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)  # whole numbers: a float would round up to tomorrow
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}Z"


def from_iso(text: str) -> int:
    """Nanoseconds since the epoch of an ISO 8601 time; one without a zone is UTC.

    Raises:
        ValueError: `text` is not an ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6) * 1000


def has_passed(file_time: int, now: int) -> bool:
    """Whether a file changed from `now` on must get a later time than `file_time`; both in nanoseconds.

    The longest tick of a Linux kernel is 10 ms. A whole second is the mark of a file system that keeps
    seconds, some of them only every other one.
    """
    tick = 2_000_000_000 if file_time % 1_000_000_000 == 0 else 20_000_000
    return file_time + tick < now
