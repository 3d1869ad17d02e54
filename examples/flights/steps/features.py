"""`data/flights.parquet` and the views in `features/` -> what is known of each flight when it is to leave.

Of a flight itself nothing is among its features but its schedule, though three in five have left by then:
the views say `except_own: flight_id`.

- `data/training.parquet`: January to March, flights that arrived, with the answer `late`
- `data/months/2013-04.parquet` ... `2013-12.parquet`: all flights, as a service is asked about them,
  without any answer
- `data/outcomes.parquet`: the answers of those, with the moment at which each was known

Months are those of UTC, in which a deployment's windows are counted; the last flights of New Year's Eve
are to leave in 2014 and are in none. A flight that was cancelled or diverted never arrives: it has
no answer.
"""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import drystone as ds

connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")

# `tailnum` finds the plane and `month` the file; a model gets neither.
spine = connection.sql("""
    SELECT
        flight_id, sched_dep, carrier, origin, dest, distance, tailnum,
        strftime(sched_dep, '%Y-%m') AS month,
        hour * 60 + minute AS minute_of_day,
        isodow(make_date(year, month, day)) AS weekday
    FROM 'data/flights.parquet'
    ORDER BY sched_dep, flight_id
""").to_arrow_table()
outcomes = connection.sql("""
    SELECT flight_id, arr_delay > 15 AS late, landed_at
    FROM 'data/flights.parquet'
    WHERE arr_delay IS NOT NULL
    ORDER BY sched_dep, flight_id
""").to_arrow_table()

views = ("weather_at_origin", "carrier_delay", "origin_delay", "plane_delay")
known = ds.views(*views).at(spine, time="sched_dep")

months = known["month"]
asked = known.drop_columns(["tailnum", "month"])


def write(name: str, table: pa.Table) -> None:
    path = Path("data", name)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, compression="zstd")
    print(f"{name:22} {table.num_rows:8,} rows")


first = asked.filter(pc.less_equal(months, "2013-03"))
training = first.join(outcomes.drop_columns("landed_at"), "flight_id", join_type="inner")
write("training.parquet", training.sort_by([("sched_dep", "ascending"), ("flight_id", "ascending")]))
for month in [f"2013-{number:02}" for number in range(4, 13)]:
    write(f"months/{month}.parquet", asked.filter(pc.equal(months, month)))
write("outcomes.parquet", outcomes)
