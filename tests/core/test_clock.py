"""Times are nanoseconds since the epoch, shown as RFC 3339 in UTC."""

import pytest

from drystone.core.clock import ManualClock, from_iso, to_iso


def test_a_manual_clock_moves_when_told() -> None:
    clock = ManualClock(5)
    clock.advance(1.5)
    assert clock.now() == 1_500_000_005


@pytest.mark.parametrize(
    "text", ["2013-04-01T00:00:00Z", "2013-04-01T02:00:00+02:00", "2013-04-01", "2013-04-01T00:00:00"]
)
def test_times_of_any_zone_and_none_are_utc(text: str) -> None:
    assert from_iso(text) == 1_364_774_400_000_000_000


def test_what_is_shown_can_be_read_back() -> None:
    assert to_iso(1_364_774_400_123_000_000) == "2013-04-01T00:00:00.123Z"
    assert from_iso("2013-04-01T00:00:00.123Z") == 1_364_774_400_123_000_000


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError):
        from_iso("yesterday")


def test_a_moment_before_midnight_is_not_the_next_day() -> None:
    assert to_iso(1_364_774_400_000_000_000 - 1) == "2013-03-31T23:59:59.999Z"
