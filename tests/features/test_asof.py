"""Joins equal a brute-force reading of the rule, and the rule is what it is said to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.core.errors import ProjectInvalid

from .conftest import Folder
from .oracle import START, ages, check, crowd, hour, worlds

World = dict[str, list[dict[str, Any]]]


@settings(deadline=None, max_examples=25)
@given(world=worlds(late=True), max_age=ages, unit=st.sampled_from(["us", "ns"]))
def test_rows_that_arrive_late_are_used_from_their_arrival_on(
    world: World, max_age: int | None, unit: str
) -> None:
    check(world, late=True, max_age=max_age, unit=unit)


@settings(deadline=None, max_examples=25)
@given(
    world=worlds(late=False),
    max_age=ages,
    delay=st.sampled_from([0, 30, 60]),
    unit=st.sampled_from(["ms", "s", "us", "ns"]),
)
def test_rows_without_an_arrival_are_known_a_fixed_delay_after_they_happened(
    world: World, max_age: int | None, delay: int, unit: str
) -> None:
    check(world, late=False, max_age=max_age, delay=delay, spine_unit=unit)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("max_age", [None, 1])
def test_crowds_of_ties_late_rows_and_repeats_are_read_as_the_rule_says(
    late: bool, max_age: int | None
) -> None:
    check(crowd(7, late=late), late=late, max_age=max_age, delay=0 if late else 20)


# -- the five wrong answers that a well-known store gives -----------------------------------------------


@pytest.fixture
def station(folder: Folder) -> Folder:
    folder.table(
        "weather",
        {
            "station_id": ["A", "A", "B"],
            "event_time": [hour(0), hour(4), hour(100)],
            "temp": [1.0, 2.0, 3.0],
        },
    )
    folder.view("temp", "-- max_age: 2h\nSELECT * FROM weather")
    return folder


def test_a_row_whose_candidates_are_all_future_or_too_old_is_kept(station: Folder) -> None:
    spine = pa.table(
        {
            "station_id": ["B", "A", "A", "A", "A", "nowhere"],
            "event_time": [
                hour(99),  # only a future row
                hour(3),  # expired
                hour(2),  # the last moment
                hour(2) + timedelta(microseconds=1),  # a moment too late
                hour(4),  # exactly then
                hour(4),  # unknown key
            ],
        }
    )
    got = station.join(spine, "temp")
    assert got["temp"] == [None, None, 1.0, None, 2.0, None]
    assert got["station_id"] == spine.column("station_id").to_pylist()


def test_a_large_spine_comes_back_whole(folder: Folder) -> None:
    count = 20_000
    folder.table(
        "rows",
        {
            "key_id": [i % 500 for i in range(count)],
            "ts": [START + timedelta(seconds=7 * i) for i in range(count)],
            "x": [float(i) for i in range(count)],
        },
    )
    folder.view("v", "-- max_age: 30m\nSELECT * FROM rows")
    spine = {
        "key_id": [i % 1000 for i in range(count)],
        "ts": [START + timedelta(seconds=11 * i) for i in range(count)],
    }
    got = folder.join(pa.table(spine), "v")
    assert {name: got[name] for name in spine} == spine
    assert 0 < sum(x is not None for x in got["x"]) < count


def test_among_rows_of_one_event_time_the_last_to_arrive_wins(folder: Folder) -> None:
    rows = [
        {"key_id": key, "ts": hour(1), "created": hour(2) + timedelta(minutes=minute), "x": minute}
        for key in range(400)
        for minute in (3, 9, 1, 7, 5, 2, 8, 4, 6, 0)
    ]
    folder.table("rows", pa.Table.from_pylist(rows))
    folder.view("v", "SELECT * FROM rows")
    got = folder.join(pa.table({"key_id": list(range(400)), "ts": [hour(5)] * 400}), "v")
    assert got["x"] == [9] * 400


def test_among_rows_announced_before_they_happen_the_last_announced_wins(folder: Folder) -> None:
    times = {"ts": [hour(5)] * 2, "arrived_at": [hour(2), hour(1)]}
    folder.table("rows", {"key_id": [1, 1], **times, "x": [2, 1]})
    folder.view("v", "SELECT * FROM rows")
    got = folder.join(pa.table({"key_id": [1, 1], "ts": [hour(4), hour(5)]}), "v")
    assert got["x"] == [None, 2]


def test_equal_keys_and_times_with_different_labels_stay_two_rows(station: Folder) -> None:
    spine = pa.table({"station_id": ["A", "A"], "event_time": [hour(1)] * 2, "label": [0, 1]})
    assert station.join(spine, "temp")["label"] == [0, 1]


def test_the_order_of_the_spine_is_kept(station: Folder) -> None:
    spine = pa.table({"station_id": list("ABABA"), "event_time": [hour(n) for n in (5, 101, 1, 1, 4)]})
    assert station.join(spine, "temp")["temp"] == [2.0, 3.0, 1.0, None, 2.0]


# -- the rule, case by case ------------------------------------------------------------------------------


def test_a_null_of_the_newest_row_is_not_filled_from_an_older_one(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 1], "ts": [hour(1), hour(2)], "x": [5.0, None], "y": [1, 2]})
    folder.view("v", "SELECT * FROM rows")
    got = folder.join(pa.table({"key_id": [1], "ts": [hour(3)]}), "v")
    assert (got["x"], got["y"]) == ([None], [2])


def test_a_correction_written_in_june_is_not_in_a_january_row(folder: Folder) -> None:
    june = START + timedelta(days=150)
    folder.table(
        "rows", {"key_id": [1, 1], "ts": [hour(1), hour(1)], "created_at": [hour(1), june], "x": [5, 6]}
    )
    folder.view("v", "SELECT * FROM rows")
    got = folder.join(pa.table({"key_id": [1, 1], "ts": [hour(2), june]}), "v")
    assert got["x"] == [5, 6]


def test_the_later_of_two_rows_wins_where_nothing_else_tells_them_apart(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 1], "ts": [hour(1), hour(1)], "x": [5, 6]})
    folder.view("v", "SELECT * FROM rows")
    assert folder.join(pa.table({"key_id": [1], "ts": [hour(1)]}), "v")["x"] == [6]


def test_a_window_forgets_a_row_when_it_leaves_and_not_when_the_next_one_comes(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1], "ts": [hour(0)], "x": [5.0]})
    folder.view("v", "SELECT key_id, ts, avg(x) OVER last_24h AS mean, count(*) OVER last_24h AS n FROM rows")
    got = folder.join(pa.table({"key_id": [1] * 4, "ts": [hour(n) for n in (-1, 0, 23.9, 24)]}), "v")
    assert got["mean"] == [None, 5.0, 5.0, None]
    assert got["n"] == [0, 1, 1, 0]


def test_a_sum_has_no_trace_of_what_left_the_window(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 1], "ts": [hour(0), hour(2)], "x": [1e16, 1.0]})
    folder.view("prompt", "SELECT key_id, ts, sum(x) OVER last_1h AS s FROM rows")
    folder.view("late", "SELECT key_id, ts, ts AS arrived_at, sum(x) OVER last_1h AS t FROM rows")
    got = folder.join(pa.table({"key_id": [1], "ts": [hour(2)]}), "prompt", "late")
    assert (got["s"], got["t"]) == ([1.0], [1.0])


def test_a_row_that_arrives_after_its_window_is_never_in_it(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1], "ts": [hour(0)], "arrived_at": [hour(3)], "x": [1]})
    folder.view("v", "SELECT key_id, ts, arrived_at, x, count(*) OVER last_2h AS n FROM rows")
    got = folder.join(pa.table({"key_id": [1, 1], "ts": [hour(1), hour(3)]}), "v")
    assert (got["n"], got["x"]) == ([0, 0], [None, 1])


def test_times_before_1970_are_times(folder: Folder) -> None:
    old = datetime(1969, 12, 31, 23)
    folder.table("rows", {"key_id": [1, 1], "ts": [old, old.replace(hour=22)], "x": [1, 2]})
    folder.view("prompt", "SELECT key_id, ts, x, count(*) OVER last_2h AS n FROM rows")
    folder.view("late", "SELECT key_id, ts, ts AS arrived_at, count(*) OVER last_2h AS m FROM rows")
    spine = pa.table({"key_id": [1, 1], "ts": [datetime(1969, 12, 31, 23, 30), datetime(1970, 1, 1, 0, 30)]})
    got = folder.join(spine, "prompt", "late")
    assert (got["x"], got["n"], got["m"]) == ([1, 1], [2, 1], [2, 1])


def test_a_delay_as_long_as_a_window_is_refused(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1], "ts": [hour(0)], "x": [1]})
    folder.view("v", "-- delay: 1h\nSELECT key_id, ts, sum(x) OVER last_1h AS s FROM rows")
    with pytest.raises(ProjectInvalid, match="a window is not longer than the delay of its rows"):
        folder.join(pa.table({"key_id": [1], "ts": [hour(2)]}), "v")


def test_a_time_without_a_zone_is_utc_inside_a_view_too(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1], "moment": [hour(4)], "x": [4]})
    folder.view("v", "SELECT key_id, CAST(moment AS TIMESTAMPTZ) AS ts, hour(ts) AS h FROM rows")
    assert folder.join(pa.table({"key_id": [1] * 2, "ts": [hour(3), hour(4)]}), "v")["h"] == [None, 4]


def test_zones_are_converted_and_naive_times_are_utc(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 1], "ts": [hour(4), hour(5)], "x": [4, 5]})
    folder.view("v", "SELECT * FROM rows")
    noon_minus = hour(0).replace(tzinfo=timezone(timedelta(hours=-5)))  # 05:00 UTC
    spine = pa.table({"key_id": [1], "ts": pa.array([noon_minus], pa.timestamp("us", "America/New_York"))})
    assert folder.join(spine, "v")["x"] == [5]
    early = pa.table({"key_id": [1], "ts": pa.array([hour(4.5).replace(tzinfo=UTC)])})
    assert folder.join(early, "v")["x"] == [4]


def test_nanoseconds_are_told_apart(folder: Folder) -> None:
    at = pa.array([1000, 1500], pa.timestamp("ns", "UTC"))
    folder.table("rows", {"key_id": [1, 1], "ts": at, "x": [1, 2]})
    folder.view("v", "SELECT * FROM rows")
    spine = pa.table({"key_id": [1] * 3, "ts": pa.array([999, 1499, 1500], pa.timestamp("ns"))})
    assert folder.join(spine, "v")["x"] == [None, 1, 2]


def test_a_time_in_the_far_future_is_only_never_known(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 1], "ts": [hour(1), datetime(9999, 12, 31)], "x": [1, 2]})
    folder.view("v", "SELECT * FROM rows")
    spine = pa.table({"key_id": [1], "ts": pa.array([hour(2)], pa.timestamp("ns"))})
    assert folder.join(spine, "v")["x"] == [1]


def test_the_same_rows_give_the_same_bits(folder: Folder) -> None:
    # floats of many row groups, which threads would add in the order in which they come
    rows = pa.table({"x": [1 / (1 + i * 7919 % 1009) for i in range(200_000)]})
    pq.write_table(rows, folder.layout.data / "rows.parquet", row_group_size=5_000)
    folder.view("v", "SELECT 1 AS key_id, TIMESTAMP '2013-01-01' AS ts, sum(x) AS s FROM rows GROUP BY ALL")
    spine = pa.table({"key_id": [1], "ts": [START]})
    assert len({folder.join(spine, "v")["s"][0] for _ in range(8)}) == 1
