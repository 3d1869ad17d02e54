"""Parameters that a request may carry beside its rows."""

from __future__ import annotations

from typing import Any

from drystone.core.clock import from_iso
from drystone.serving.refusal import Refused

#: The range of nanoseconds since the epoch in 64 bits, from the epoch on.
_LATEST = 2**63 - 1


def event_time(parameters: dict[str, Any] | None) -> int | None:
    """When the rows of a request happen, nanoseconds since the epoch; None where it does not say.

    Raises:
        Refused: `event_time` is no time, or lies before 1970 or after 2262.
    """
    text = (parameters or {}).get("event_time")
    if text is None:
        return None
    try:
        time = from_iso(text) if isinstance(text, str) else -1
    except (ValueError, OverflowError):
        time = -1
    if not 0 <= time <= _LATEST:
        raise Refused(
            400,
            "parameter `event_time` is not a time between 1970 and 2262",
            field="event_time",
            hint='send it in ISO 8601, as in "2013-04-01T05:15:00Z"',
        )
    return time
