"""Parameters that a request may carry beside its rows."""

from __future__ import annotations

from typing import Any

from drystone.core.clock import from_iso
from drystone.serving.refusal import Refused

#: How far ahead rows may happen. A request for a later date is a mistake in its unit or its year, and
#: would open a window of monitoring that nothing fills.
_AHEAD = 366 * 86_400 * 10**9


def event_time(parameters: dict[str, Any] | None, now: int) -> int | None:
    """When the rows of a request happen; None where it does not say. Times are nanoseconds since the epoch.

    Raises:
        Refused: `event_time` is no time, or lies before 1970 or more than a year ahead of `now`.
    """
    text = (parameters or {}).get("event_time")
    if text is None:
        return None
    try:
        time = from_iso(text) if isinstance(text, str) else -1
    except (ValueError, OverflowError):
        time = -1
    if not 0 <= time <= now + _AHEAD:
        raise Refused(
            400,
            "parameter `event_time` is not a time between 1970 and a year from now",
            field="event_time",
            hint='send it in ISO 8601, as in "2013-04-01T05:15:00Z"',
        )
    return time
