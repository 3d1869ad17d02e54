from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.clock import from_iso
from drystone.server import text
from drystone.server.text import Moment

DAY = 86_400 * 10**9


def at(iso: str) -> Moment:
    return Moment(from_iso(iso))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.084, "0.08 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 05 min"),
        (97_200, "1 d 3 h"),
        (None, text.NOTHING),
        (math.nan, text.NOTHING),
        (-5, "-5.00 s"),
    ],
)
def test_a_duration_is_said_in_the_units_of_people(seconds: float | None, said: str) -> None:
    assert text.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, text.NOTHING),
        (True, "true"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.1 + 0.2, "0.3"),
        (1e-9, "1e-9"),
        (3.0, "3"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
        (1.7e308, "1.7e308"),
        ("<b>", "<b>"),
    ],
)
def test_a_number_is_short_and_never_lies_about_its_kind(value: object, said: str) -> None:
    assert text.number(value) == said


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.706, 0.722), "0.706 to 0.722"),
        ((0.7, 0.71), "0.700 to 0.710"),
        ((math.nan, math.inf), "NaN to ∞"),
        ((5.0, 5.0), "5 to 5"),
        ((11.8, 13.1), "11.8 to 13.1"),
    ],
)
def test_both_ends_of_an_interval_have_the_same_decimals(ends: tuple[float, float], said: str) -> None:
    assert text.interval(ends) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, text.NOTHING),
        (812, "812 B"),
        (999_999, "1 MB"),
        (12_400_000, "12.4 MB"),
        (2**60, "1.15e+06 TB"),
    ],
)
def test_a_size_has_decimal_units(count: int | None, said: str) -> None:
    assert text.size(count) == said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2013-04-01", "2013-05-01", "2013-04"),
        ("2013-12-01", "2014-01-01", "2013-12"),
        ("2013-04-03", "2013-04-04", "2013-04-03"),
        ("2013-04-01", "2013-04-08", "2013-04-01 to 2013-04-07"),
        ("2013-04-01T06:00", "2013-04-01T07:00", "2013-04-01 06:00 to 2013-04-01 07:00"),
    ],
)
def test_a_window_is_called_by_its_calendar_name(start: str, end: str, said: str) -> None:
    assert text.span(at(start), at(end)) == said


def test_relative_times_know_past_and_future() -> None:
    now = at("2026-03-02T08:00").ns
    assert text.ago(Moment(now - 3 * DAY), now) == "3 days ago"
    assert text.ago(Moment(now + DAY), now) == "in 1 day"
    assert text.ago(Moment(now - 800 * DAY), now) == "2 years ago"
    assert text.ago(Moment(now), now) == "just now"


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_time_a_journal_can_hold_can_be_shown(time: int) -> None:
    shown = Moment(time)
    assert text.stamp(shown) and text.ago(shown, 0) and shown.iso and text.span(shown, Moment(0))


@given(st.text())
def test_nothing_invisible_is_left(word: str) -> None:
    assert not any(
        (ord(char) < 32 and char not in "\n\t") or char in "\u202e\u2066\u200b\ufeff\x7f"
        for char in text.visible(word)
    )


def test_terminal_codes_go_and_an_overwritten_line_shows_its_last_state() -> None:
    printed = "\x1b[1mbold\x1b[0m\r\n10 %\r100 %\n\x1b]0;title\x07end\r"
    assert text.without_terminal_codes(printed) == "bold\n100 %\nend"


@given(st.text(), st.integers(3, 40))
def test_a_label_that_must_fit_fits(word: str, columns: int) -> None:
    assert len(text.fit(word, columns)) <= columns


def test_a_value_has_no_more_decimals_than_its_interval_bears() -> None:
    assert text.within(0.70229, (0.691, 0.713)) == "0.702"
    assert text.within(0.5, None) == "0.5" and text.within(math.nan, (0.0, 1.0)) == "NaN"
