"""Calendar windows: every time is in exactly one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.clock import from_iso, to_iso
from drystone.monitoring import windows
from drystone.monitoring.windows import WindowLength


@pytest.mark.parametrize(
    ("length", "start", "end", "name"),
    [
        ("month", "2013-12-01", "2014-01-01", "2013-12"),
        ("week", "2013-12-30", "2014-01-06", "2014-W01"),
        ("day", "2013-12-31", "2014-01-01", "2013-12-31"),
    ],
)
def test_a_time_lies_in_its_calendar_window(length: WindowLength, start: str, end: str, name: str) -> None:
    (found,) = windows.starts(np.array([from_iso("2013-12-31T23:59:59.999Z")]), length).tolist()
    assert windows.span(found, length) == (from_iso(start), from_iso(end))
    assert windows.name(found, length) == name


@pytest.mark.parametrize("length", windows.LENGTHS)
def test_only_times_with_a_window_in_64_bits_have_one(length: WindowLength) -> None:
    ends = [from_iso("1678-01-01"), from_iso("2262-01-01") - 1]
    outside = [ends[0] - 1, ends[1] + 1, from_iso("2262-04-11"), -(2**63), 2**63 - 1]
    assert windows.has_window(np.array(ends + outside)).tolist() == [True, True] + [False] * 5
    for time, start in zip(ends, windows.starts(np.array(ends), length).tolist(), strict=True):
        span = windows.span(start, length)
        assert -(2**63) <= span.start <= time < span.end < 2**63


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), st.sampled_from(windows.LENGTHS))
def test_windows_cover_time_without_gap_or_overlap(moment: datetime, length: WindowLength) -> None:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    time = since // timedelta(microseconds=1) * 1000
    (start,) = windows.starts(np.array([time]), length).tolist()
    span = windows.span(start, length)
    assert span.start <= time < span.end
    assert windows.starts(np.array([span.end]), length).tolist() == [span.end]
    assert windows.starts(np.array([span.end - 1]), length).tolist() == [span.start]
    if moment.year >= 1970:
        assert to_iso(span.start)[10:] == "T00:00:00.000Z"
