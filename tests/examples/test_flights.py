"""The example's times and features equal what a plain reading of the raw CSV files gives.

Three days around 10 March 2013, on which New York's clocks went forward, from raw text to feature.
"""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
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
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from drystone.core.layout import Layout
from drystone.features.api import features

CARIBBEAN = ZoneInfo("Etc/GMT+4")
NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = datetime(2013, 3, 8, tzinfo=NEW_YORK), datetime(2013, 3, 12, tzinfo=NEW_YORK)
BEGINS = datetime(2013, 3, 10, tzinfo=NEW_YORK)  # the holdout of the slice


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
        own = raw[str(row["flight_id"])]
        since = own.leaves - timedelta(hours=24)
        delays = [
            other.delay
            for other in raw.values()
            if other is not own
            and other.carrier == own.carrier
            and other.lands is not None
            and since < other.lands <= own.leaves
        ]
        assert row["carrier_landed_24h"] == len(delays)
        assert row["carrier_delay_24h"] == (pytest.approx(fmean(delays), rel=1e-12) if delays else None)  # type: ignore[arg-type]
        late = [delay > 15 for delay in delays]  # type: ignore[operator]
        assert row["carrier_late_24h"] == (pytest.approx(fmean(late), rel=1e-12) if late else None)


def test_the_airports_delay_is_that_of_what_has_left_in_the_two_hours_before(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    for row in sampled(joined):
        own = raw[str(row["flight_id"])]
        since = own.leaves - timedelta(hours=2)
        held = [
            other.held
            for other in raw.values()
            if other is not own
            and other.origin == own.origin
            and other.left is not None
            and since < other.left <= own.leaves
        ]
        assert row["origin_departed_2h"] == len(held)
        assert row["origin_delay_2h"] == (pytest.approx(fmean(held), rel=1e-12) if held else None)  # type: ignore[arg-type]


def test_the_planes_delay_is_that_of_its_last_landing_within_a_day(
    joined: list[dict[str, object]], raw: dict[str, Flight]
) -> None:
    for row in sampled(joined):
        own = raw[str(row["flight_id"])]
        landed = [
            (other.lands, other.delay)
            for other in raw.values()
            if other is not own
            and other.tail == own.tail != "NA"
            and other.lands is not None
            and other.lands <= own.leaves
        ]
        last = max(landed, default=None)
        recent = last is not None and own.leaves - last[0] <= timedelta(hours=24)
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
        own = raw[str(row["flight_id"])]
        hour = own.leaves.replace(minute=0) - timedelta(hours=1)
        known = next(
            (
                weather[own.origin, hour - timedelta(hours=n)]
                for n in range(4)
                if (own.origin, hour - timedelta(hours=n)) in weather
            ),
            None,
        )
        for name in ("temp", "humid", "wind_speed", "precip", "pressure", "visib"):
            text = known[name] if known else "NA"
            assert row[name] == (None if text == "NA" else float(text)), (own.name, name)


VIEWS = ("carrier_delay", "origin_delay", "plane_delay")
NAMES = ["flight_id", "sched_dep", "carrier", "origin", "tailnum"]


def test_what_becomes_of_a_flight_changes_none_of_its_own_features(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "flights"
    shutil.copytree(folder, other)
    table = pq.read_table(other / "data" / "flights.parquet")
    for row in Random(1).sample(range(len(table)), 8):
        own = table.slice(row, 1).select(NAMES)
        before = features(Layout(folder), *VIEWS).at(own, time="sched_dep")
        for minutes in (-240, -5, 0, 600):  # also sooner than any flight leaves or lands
            at = own["sched_dep"][0].as_py() + timedelta(minutes=minutes)
            outcome = {"dep_delay": minutes, "arr_delay": minutes, "departed_at": at, "landed_at": at}
            changed = pa.Table.from_pylist([table.slice(row, 1).to_pylist()[0] | outcome], table.schema)
            rows = pa.concat_tables([table.slice(0, row), changed, table.slice(row + 1)])
            pq.write_table(rows, other / "data" / "flights.parquet")
            assert features(Layout(other), *VIEWS).at(own, time="sched_dep").equals(before)


def test_what_happens_after_a_flight_is_to_leave_changes_none_of_its_features(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "flights"
    shutil.copytree(folder, other)
    table = pq.read_table(other / "data" / "flights.parquet")
    noon = BEGINS.replace(hour=12)
    asked = table.filter(pc.less_equal(table["sched_dep"], pa.scalar(noon))).select(NAMES)
    before = features(Layout(folder), *VIEWS).at(asked, time="sched_dep")
    flights = table.to_pylist()
    for flight in flights:  # what is not known at noon has another outcome, or none
        for event, delay in (("departed_at", "dep_delay"), ("landed_at", "arr_delay")):
            if flight[event] is not None and flight[event] > noon:
                outcome = Random(flight["flight_id"]).choice([None, noon + timedelta(minutes=1)])
                flight |= {event: outcome, delay: None if outcome is None else 999}
    pq.write_table(pa.Table.from_pylist(flights, schema=table.schema), other / "data" / "flights.parquet")
    assert features(Layout(other), *VIEWS).at(asked, time="sched_dep").equals(before)


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The slice with a model that learnt from its first two days, and its evaluation; what the steps said."""
    built = tmp_path_factory.mktemp("built") / "flights"
    shutil.copytree(folder, built)
    params = (built / "params.toml").read_text()
    (built / "params.toml").write_text(params.replace("2013-03-04", f"{BEGINS:%Y-%m-%d}"))
    subprocess.run(["git", "init", "-q"], cwd=built, check=True)
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DRYSTONE_", "GIT_"))}
    said = [
        subprocess.run(
            [sys.executable, f"steps/{step}.py"], cwd=built, env=environ, check=True, stdout=subprocess.PIPE
        ).stdout.decode()
        for step in ("features", "train", "evaluate")
    ]
    return built, "".join(said)


def test_no_request_holds_its_answer(built: tuple[Path, str]) -> None:
    data = built[0] / "data"
    training = pq.read_table(data / "training.parquet")
    month = pq.read_table(data / "months" / "2013-04.parquet")
    outcomes = pq.read_table(data / "outcomes.parquet")
    assert training.column_names == [*month.column_names, "late"]
    assert training["late"].null_count == 0
    assert training.num_rows == outcomes.num_rows
    by_name = dict(zip(*(outcomes[name].to_pylist() for name in ("flight_id", "late")), strict=True))
    assert training["late"].to_pylist() == [by_name[name] for name in training["flight_id"].to_pylist()]
    assert training["sched_dep"].to_pylist() == sorted(training["sched_dep"].to_pylist())


def test_the_model_learns_from_answers_known_when_the_holdout_begins(
    built: tuple[Path, str], raw: dict[str, Flight]
) -> None:
    landed = [flight for flight in raw.values() if flight.lands is not None and flight.lands < BEGINS]
    held = [flight for flight in raw.values() if flight.lands is not None and flight.leaves >= BEGINS]
    assert len(landed) + len(held) < sum(flight.lands is not None for flight in raw.values())
    assert f"learnt from {len(landed):,} flights" in built[1]
    assert f"on {len(held):,} flights" in built[1]


def test_the_evaluation_holds_the_inputs_that_were_judged(built: tuple[Path, str]) -> None:
    manifest = json.loads((built[0] / "models" / "late-arrival" / "model.json").read_text())
    inputs = {field["name"] for field in manifest["signature"]["inputs"]}
    assert {*inputs, "late", "probability"} <= set(
        pq.read_schema(built[0] / "data" / "evaluation.parquet").names
    )


def test_the_flights_of_a_quarter_of_an_hour_share_a_request_before_any_has_landed(folder: Path) -> None:
    traffic = runpy.run_path(str(folder / "traffic.py"))
    flights = pq.read_table(
        folder / "data" / "flights.parquet", columns=["flight_id", "sched_dep", "landed_at"]
    )
    requests = list(traffic["requests"](flights))
    assert pa.concat_tables(requests).equals(flights)
    quarters = []
    for request in requests:
        moments = request["sched_dep"].to_pylist()
        quarters.append({moment.replace(minute=moment.minute // 15 * 15) for moment in moments})
        assert all(landed is None or landed > moments[-1] for landed in request["landed_at"].to_pylist())
    assert all(len(quarter) == 1 for quarter in quarters)
    assert len(set.union(*quarters)) == len(quarters)
