"""A client of the served model: asks about flights when they are to leave, and later notes which were late.

    python traffic.py http://127.0.0.1:8080 --months 2013-04..2013-06
    python traffic.py --example

The features of each flight are as of its own scheduled departure, and flights are sent in that order. To
get through nine months in half a minute, those of a quarter of an hour share a request, whose moment
(`event_time`) is the last of their departures; none has landed by then. What became of the flights goes
to `labels/late-arrival.parquet`, by prediction id.
"""

import argparse
import http.client
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MODEL = "late-arrival"
LABELS = Path("labels", f"{MODEL}.parquet")


def exchange(connection: http.client.HTTPConnection, path: str, body: object = None) -> dict:
    connection.request("POST" if body else "GET", path, json.dumps(body) if body else None)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {text.decode(errors='replace')}")
    return json.loads(text)


def requests(flights: pa.Table) -> Iterator[pa.Table]:
    """The flights of each quarter of an hour, in order."""
    quarters = pc.floor_temporal(flights["sched_dep"].combine_chunks(), 15, "minute")
    ends = pc.run_end_encode(quarters).run_ends.to_pylist()
    for begin, end in pairwise([0, *ends]):
        yield flights.slice(begin, end - begin)


def ask(connection: http.client.HTTPConnection, inputs: list[dict], flights: pa.Table) -> list[str]:
    """One request about these flights; the id of each prediction."""
    answer = exchange(
        connection,
        f"/v2/models/{MODEL}/infer",
        {
            "parameters": {"event_time": flights["sched_dep"][-1].as_py().isoformat()},
            "inputs": [
                {
                    "name": one["name"],
                    "datatype": one["datatype"],
                    "shape": [len(flights)],
                    "data": flights[one["name"]].to_pylist(),
                }
                for one in inputs
            ],
        },
    )
    return answer["parameters"]["prediction_ids"].split(",")


def between(months: str) -> list[str]:
    """`2013-04..2013-06` as the three months that it names; a single month is itself."""
    first, _, last = months.partition("..")
    known = sorted(path.stem for path in Path("data", "months").glob("*.parquet"))
    return [month for month in known if first <= month <= (last or first)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--months", default="2013-04", metavar="FIRST[..LAST]")
    parser.add_argument(
        "--example", action="store_true", help="only print the id of a prediction made earlier"
    )
    arguments = parser.parse_args()
    labels = [pq.read_table(LABELS)] if LABELS.exists() else []
    if arguments.example:
        late = labels[0].filter(labels[0]["label"]) if labels else ()
        print(late["prediction_id"][0] if len(late) else "no late flight is known yet")
        return

    outcomes = pq.read_table("data/outcomes.parquet")
    connection = http.client.HTTPConnection(urlsplit(arguments.url).netloc, timeout=60)
    inputs = exchange(connection, f"/v2/models/{MODEL}")["inputs"]
    for month in between(arguments.months):
        flights = pq.read_table(f"data/months/{month}.parquet")
        ids = [one for request in requests(flights) for one in ask(connection, inputs, request)]
        asked = pa.table({"flight_id": flights["flight_id"], "prediction_id": ids})
        known = asked.join(outcomes, "flight_id", join_type="inner").sort_by("landed_at")
        names = {"prediction_id": "prediction_id", "late": "label", "landed_at": "label_time"}
        labels.append(known.select(list(names)).rename_columns(names))
        print(f"{month}: asked about {len(flights):,} flights, {len(known):,} of them arrived")
    LABELS.parent.mkdir(exist_ok=True)
    pq.write_table(pa.concat_tables(labels), LABELS)


if __name__ == "__main__":
    main()
