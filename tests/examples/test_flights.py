"""The example's times and features equal what a plain reading of the raw CSV files gives.

Three days around 10 March 2013, on which New York's clocks went forward, from raw text to feature.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import fmean
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest

from drystone.core.layout import Layout
from drystone.features.api import features

CARIBBEAN = ZoneInfo("Etc/GMT+4")
NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = datetime(2013, 3, 8, tzinfo=NEW_YORK), datetime(2013, 3, 12, tzinfo=NEW_YORK)


class Flight:
    """One line of `flights.csv`, its instants worked out with nothing but the standard library."""

    def __init__(self, line: dict[str, str], zones: dict[str, ZoneInfo]) -> None:
        self.carrier, self.origin, self.tail = line["carrier"], line["origin"], line["tailnum"]
        day = datetime(int(line["year"]), int(line["month"]), int(line["day"]))
        clock = line["sched_dep_time"].zfill(4)
        self.name = f"{day:%Y-%m-%d}T{clock}-{self.origin}-{self.carrier}{line['flight']}"
        leaves = day.replace(hour=int(clock[:2]), minute=int(clock[2:]), tzinfo=NEW_YORK)
        self.leaves = leaves.astimezone(UTC)
        zone = zones.get(line["dest"], CARIBBEAN)
        arrives = int(line["sched_arr_time"])
        due = day.replace(hour=arrives // 100, minute=arrives % 100, tzinfo=zone)
        if due.astimezone(UTC) <= self.leaves:
            due = (day + timedelta(days=1)).replace(hour=due.hour, minute=due.minute, tzinfo=zone)
        self.delay = None if line["arr_delay"] == "NA" else int(line["arr_delay"])
        self.lands = None if self.delay is None else due.astimezone(UTC) + timedelta(minutes=self.delay)
        self.held = None if line["dep_delay"] == "NA" else int(line["dep_delay"])
        self.left = None if self.held is None else self.leaves + timedelta(minutes=self.held)


@pytest.fixture(scope="module")
def raw(source: Path) -> dict[str, Flight]:
    """The flights of four days, by name."""
    with (source / "airports.csv").open() as file:
        zones = {
            line["faa"]: ZoneInfo(line["tzone"]) for line in csv.DictReader(file) if line["tzone"] != "NA"
        }
    days = {(FIRST + timedelta(days=number)).day for number in range(4)}
    with ZipFile(source / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        head, *lines = io.TextIOWrapper(file)
        chosen = [line for line in lines if line.startswith("2013,3,") and int(line.split(",")[2]) in days]
    found = [Flight(line, zones) for line in csv.DictReader([head, *chosen])]
    return {flight.name: flight for flight in found}


@pytest.fixture(scope="module")
def folder(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with the flights of these four days only."""
    folder = tmp_path_factory.mktemp("slice") / "flights"
    shutil.copytree(ingested, folder)
    table = pq.read_table(
        folder / "data" / "flights.parquet", filters=[("sched_dep", ">=", FIRST), ("sched_dep", "<", LAST)]
    )
    pq.write_table(table, folder / "data" / "flights.parquet")
    return folder


@pytest.fixture(scope="module")
def joined(folder: Path) -> list[dict[str, object]]:
    """Each flight of the slice with its features, as rows."""
    views = ("weather_at_origin", "carrier_delay", "origin_delay", "plane_delay")
    names = ["flight_id", "sched_dep", "carrier", "origin", "tailnum", "departed_at", "landed_at"]
    spine = pq.read_table(folder / "data" / "flights.parquet", columns=names)
    rows: list[dict[str, object]] = features(Layout(folder), *views).at(spine, time="sched_dep").to_pylist()
    return rows


def test_all_flights_are_read_and_named_apart(ingested: Path) -> None:
    names = pq.read_table(ingested / "data" / "flights.parquet", columns=["flight_id"])["flight_id"]
    assert (len(names), len(names.unique())) == (336_776, 336_776)


def test_instants_are_those_of_the_standard_library(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    assert len(joined) == len(raw)
    for row in joined:
        flight = raw[str(row["flight_id"])]
        assert (row["sched_dep"], row["departed_at"], row["landed_at"]) == (
            flight.leaves,
            flight.left,
            flight.lands,
        )


def test_landings_show_the_clock_that_the_data_give_at_the_destination(ingested: Path) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    differing = connection.execute(
        """
        WITH local AS (
            SELECT *, timezone(coalesce(tzone, 'Etc/GMT+4'), landed_at) AS shown
            FROM read_parquet(?) AS f LEFT JOIN read_parquet(?) AS a ON f.dest = a.faa
        )
        SELECT flight_id, arr_time, strftime(shown, '%m-%d %H:%M') FROM local
        WHERE landed_at IS NOT NULL AND (hour(shown) * 100 + minute(shown)) % 2400 <> arr_time % 2400
        """,
        [str(ingested / "data" / f"{name}.parquet") for name in ("flights", "airports")],
    ).fetchall()
    # the night in which the clocks went from 2 to 3: the data kept the old hour
    assert differing == [("2013-03-09T2145-JFK-B635", 203, "03-10 03:03")]


def sampled(joined: list[dict[str, object]]) -> list[dict[str, object]]:
    """Some flights of the last three days, whose 24 hours before are in the slice."""
    late = [row for row in joined if row["sched_dep"] >= FIRST + timedelta(days=1)]  # type: ignore[operator]
    return Random(1).sample(late, 250)


def test_the_carriers_delay_is_that_of_what_has_landed_in_the_24_hours_before(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    for row in sampled(joined):
        asked = raw[str(row["flight_id"])]
        since = asked.leaves - timedelta(hours=24)
        delays = [
            other.delay
            for other in raw.values()
            if other.carrier == asked.carrier
            and other.lands is not None
            and since < other.lands <= asked.leaves
        ]
        assert row["carrier_landed_24h"] == len(delays)
        assert row["carrier_delay_24h"] == (pytest.approx(fmean(delays), rel=1e-12) if delays else None)  # type: ignore[arg-type]
        late = [delay > 15 for delay in delays]  # type: ignore[operator]
        assert row["carrier_late_24h"] == (pytest.approx(fmean(late), rel=1e-12) if late else None)


def test_the_airports_delay_is_that_of_what_has_left_in_the_two_hours_before(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    for row in sampled(joined):
        asked = raw[str(row["flight_id"])]
        since = asked.leaves - timedelta(hours=2)
        held = [
            other.held
            for other in raw.values()
            if other.origin == asked.origin and other.left is not None and since < other.left <= asked.leaves
        ]
        assert row["origin_departed_2h"] == len(held)
        assert row["origin_delay_2h"] == (pytest.approx(fmean(held), rel=1e-12) if held else None)  # type: ignore[arg-type]


def test_the_planes_delay_is_that_of_its_last_landing_within_a_day(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    for row in sampled(joined):
        asked = raw[str(row["flight_id"])]
        landed = [
            (other.lands, other.delay)
            for other in raw.values()
            if other.tail == asked.tail != "NA" and other.lands is not None and other.lands <= asked.leaves
        ]
        last = max(landed, default=None)
        recent = last is not None and asked.leaves - last[0] <= timedelta(hours=24)
        assert row["plane_delay"] == (last[1] if last and recent else None)


def test_the_weather_is_that_of_the_last_hour_that_is_over(
    joined: list[dict[str, object]], raw: dict[str, Flight], source: Path
) -> None:
    weather: dict[tuple[str, datetime], dict[str, str]] = {}
    with (source / "weather.csv").open() as file:
        for line in csv.DictReader(file):
            if line["month"] == "3":
                weather[line["origin"], datetime.fromisoformat(line["time_hour"])] = line
    for row in joined:
        asked = raw[str(row["flight_id"])]
        hour = asked.leaves.replace(minute=0) - timedelta(hours=1)
        known = next(
            (
                weather[asked.origin, hour - timedelta(hours=n)]
                for n in range(4)
                if (asked.origin, hour - timedelta(hours=n)) in weather
            ),
            None,
        )
        for name in ("temp", "humid", "wind_speed", "precip", "pressure", "visib"):
            text = known[name] if known else "NA"
            assert row[name] == (None if text == "NA" else float(text)), (asked.name, name)


def test_no_request_holds_its_answer(folder: Path) -> None:
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DRYSTONE_", "GIT_"))}
    subprocess.run(
        [sys.executable, "steps/features.py"], cwd=folder, env=environ, check=True, capture_output=True
    )
    training = pq.read_table(folder / "data" / "training.parquet")
    month = pq.read_table(folder / "data" / "months" / "2013-04.parquet")
    outcomes = pq.read_table(folder / "data" / "outcomes.parquet")
    assert training.column_names == [*month.column_names, "late"]
    assert training["late"].null_count == 0
    assert training.num_rows == outcomes.num_rows
    by_name = dict(zip(*(outcomes[name].to_pylist() for name in ("flight_id", "late")), strict=True))
    assert training["late"].to_pylist() == [by_name[name] for name in training["flight_id"].to_pylist()]
    assert training["sched_dep"].to_pylist() == sorted(training["sched_dep"].to_pylist())
