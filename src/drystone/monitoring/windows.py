"""Calendar windows over event time, UTC."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from drystone.monitoring.columns import Array

WindowLength = Literal["month", "week", "day"]
LENGTHS: tuple[WindowLength, ...] = ("month", "week", "day")

_DAY = 86_400 * 10**9
#: The first of January 1970 was a Thursday; weeks begin on Monday.
_MONDAY = 3
#: The years that nanoseconds in 64 bits hold whole, with every window that touches them.
FIRST_YEAR, LAST_YEAR = 1678, 2261
_FIRST, _END = (int(np.datetime64(f"{year}", "ns").astype(np.int64)) for year in (FIRST_YEAR, LAST_YEAR + 1))


class Span(NamedTuple):
    """A window: `start <= event time < end`, nanoseconds since the epoch."""

    start: int
    end: int


def has_window(times: Array) -> Array:
    """Whether each time, nanoseconds since the epoch, lies in a year whose windows can be told."""
    return np.asarray((times >= _FIRST) & (times < _END))


def starts(times: Array, length: WindowLength) -> Array:
    """The beginning of the window that holds each time, nanoseconds since the epoch.

    Args:
        times: those that have a window, see `has_window`.
        length: of the windows.
    """
    if length == "month":
        months = times.astype("datetime64[ns]").astype("datetime64[M]")
        return months.astype("datetime64[ns]").astype(np.int64)
    days = times // _DAY
    if length == "week":
        days = days - (days + _MONDAY) % 7
    return days * _DAY


def span(start: int, length: WindowLength) -> Span:
    """The window that begins at `start`."""
    if length == "month":
        month = np.datetime64(start, "ns").astype("datetime64[M]") + 1
        return Span(start, int(month.astype("datetime64[ns]").astype(np.int64)))
    return Span(start, start + (7 if length == "week" else 1) * _DAY)


def name(start: int, length: WindowLength) -> str:
    """How people call the window: `2013-04`, `2013-W14` (ISO 8601) or `2013-04-05`."""
    day = np.datetime64(start, "ns").astype("datetime64[D]")
    if length == "week":
        year, week, _ = day.item().isocalendar()
        return f"{year}-W{week:02}"
    return str(day.astype("datetime64[M]") if length == "month" else day)
