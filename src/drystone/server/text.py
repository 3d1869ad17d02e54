"""Values as people read them. Everything here is pure; `render.py` gives it to the templates."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from drystone.core.clock import to_iso

#: What stands where there is no value.
NOTHING = "\u2013"
#: Controls, and the characters that turn the reading direction of what follows (so that a name
#: could show another name). Newline and tab are left alone.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[@-Z\\-_]"
)


class Moment(NamedTuple):
    """A time, apart from other integers: nanoseconds since the epoch. In JSON it is ISO 8601."""

    ns: int

    @property
    def iso(self) -> str:
        """`2026-01-31T08:00:00.000Z`; a time no calendar has stays a number."""
        try:
            return to_iso(self.ns)
        except (ValueError, OverflowError, OSError):
            return str(self.ns)


def moment(nanoseconds: int | None) -> Moment | None:
    """The time, if there is one."""
    return None if nanoseconds is None else Moment(nanoseconds)


def visible(text: str) -> str:
    """`text` with invisible characters written out, e.g. `‹U+202E›`."""
    return _UNSEEN.sub(lambda found: f"\u2039U+{ord(found[0]):04X}\u203a", text)


def without_terminal_codes(text: str) -> str:
    """Program output without colour and cursor codes; of a line that was overwritten, its last state."""
    lines = _TERMINAL.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def clip(text: str, length: int = 80) -> str:
    """At most `length` characters, the cut marked."""
    return text if len(text) <= length else text[: length - 1] + "…"


def stamp(time: Moment, *, seconds: bool = True) -> str:
    """`2026-01-31 08:00:12`, UTC."""
    try:
        when = datetime.fromtimestamp(time.ns // 1_000_000_000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return str(time.ns)
    return when.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def span(start: Moment, end: Moment) -> str:
    """A window's name: `2013-04` for a calendar month, the day for a day, else both ends."""
    first, last = stamp(start), stamp(end)
    if (
        first.endswith("-01 00:00:00")
        and last.endswith("-01 00:00:00")
        and _months(last) - _months(first) == 1
    ):
        return first[:7]
    if first.endswith(" 00:00:00") and end.ns - start.ns == 86_400 * 10**9:
        return first[:10]
    if first.endswith(" 00:00:00") and last.endswith(" 00:00:00"):
        return f"{first[:10]} to {stamp(Moment(end.ns - 1))[:10]}"
    return f"{first[:16]} to {last[:16]}"


def _months(text: str) -> int:
    return int(text[:4]) * 12 + int(text[5:7])


def ago(time: Moment, now: int) -> str:
    """`5 minutes ago`, `in 2 days`."""
    seconds = (now - time.ns) / 1e9
    distance = abs(seconds)
    if distance < 10:
        return "just now"
    for unit, size in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("year", 31_557_600)):
        bound = {"second": 60, "minute": 3600, "hour": 86_400, "day": 31_557_600}.get(unit, math.inf)
        if distance < bound:
            count = int(distance // size)
            words = f"{count:,} {unit}{'' if count == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    raise AssertionError("years have no bound")


def duration(seconds: float | None) -> str:
    """`0.42 s`, `12.3 s`, `3 min 12 s`, `2 h 05 min`, `4 d 3 h`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def size(count: int | None) -> str:
    """`812 B`, `12.4 MB`: decimal units."""
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5 or unit == "TB":
            return f"{count} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("every size ends at TB")


def number(value: object) -> str:
    """A number to five significant digits, `NaN` and `∞` as such; anything else as it is.

    Whole values keep all their digits. The exact value belongs in a title beside it.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # 2013 may be a year
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value.is_integer() and abs(value) < 1e15:
        return number(int(value))
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.5g}")


def count(rows: int | None) -> str:
    """`8,542`: rows and the like, which are never a year or a seed."""
    return NOTHING if rows is None else f"{rows:,}"


def interval(ends: Sequence[float]) -> str:
    """`0.706 to 0.722`: as many decimals as its width can bear, the same for both ends."""
    return f"{within(ends[0], ends)} to {within(ends[1], ends)}"


def within(value: object, ends: Sequence[float] | None) -> str:
    """A number with the decimals of the interval around it; more would only pretend."""
    if ends is None or not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    low, high = ends
    width = high - low
    if not math.isfinite(width) or width <= 0 or not 1e-6 < max(abs(low), abs(high), abs(value)) < 1e6:
        return number(value)
    return f"{value:.{min(9, max(0, 1 - math.floor(math.log10(width))))}f}"


def percent(share: float | None) -> str:
    """`87.5 %`."""
    return NOTHING if share is None or not math.isfinite(share) else f"{share * 100:.3g} %"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2,000 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def is_wide(text: str) -> bool:
    """Whether the first character takes two columns (only used to size labels in drawings)."""
    return unicodedata.east_asian_width(text) in ("W", "F")


def fit(text: str, columns: int) -> str:
    """`text` cut in the middle to that many columns, for labels that cannot wrap."""
    clean = visible(text)
    total = sum(2 if is_wide(one) else 1 for one in clean)
    if total <= columns:
        return clean
    tail = clean[-(columns // 2) :]
    head = clean[: columns - len(tail) - 1]
    return f"{head}…{tail}"
