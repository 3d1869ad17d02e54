"""A brute-force reading of the rule: for each spine row, look at every row known by then."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from .conftest import Folder

START = datetime(2013, 1, 1)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def known_rows(rows: list[dict[str, Any]], ask: dict[str, Any], delay: timedelta) -> list[dict[str, Any]]:
    """Rows of the asked key that are known at the asked time and not its own, in the view's order."""
    if ask["ts"] is None or None in (ask["a_id"], ask["b_id"]):
        return []
    known = []
    for row in rows:
        arrived = row["arrived_at"] if "arrived_at" in row else row["ts"] and row["ts"] + delay
        if row["ts"] is None or arrived is None:
            continue
        if "owner_id" in row and row["owner_id"] is not None and row["owner_id"] == ask["owner_id"]:
            continue
        same = (row["a_id"], row["b_id"]) == (ask["a_id"], ask["b_id"])
        if same and max(row["ts"], arrived) <= ask["ts"]:
            known.append({**row, "arrived": arrived})
    return known


def newest(known: list[dict[str, Any]], ask: dict[str, Any], max_age: timedelta | None) -> Any:
    if not known:
        return None
    _, row = max(enumerate(known), key=lambda pair: (pair[1]["ts"], pair[1]["arrived"], pair[0]))
    if max_age is not None and ask["ts"] - row["ts"] > max_age:
        return None
    return row["x"]


def within(known: list[dict[str, Any]], ask: dict[str, Any], length: timedelta) -> list[Any]:
    return [row["x"] for row in known if row["ts"] > ask["ts"] - length]


# -- random worlds: few keys, few times, so that ties, late rows and repeats are the rule -------------

_keys = st.sampled_from([None, "1", "1", "12"])
_numbers = st.sampled_from([None, 1, 1, 11])
_times = st.sampled_from([None, *map(hour, range(10))])
_values = st.sampled_from([None, *map(float, range(-3, 6))])
_row = {"a_id": _keys, "b_id": _numbers, "ts": _times, "x": _values}
_ask = {"a_id": _keys, "b_id": _numbers, "ts": _times}
# Rows with an owner are of one key more often, so that owners follow each other in many ways.
_owner = {
    "a_id": st.sampled_from(["1", "1", "1", "12"]),
    "b_id": st.just(1),
    "owner_id": st.sampled_from([None, "p", "p", "q", "r"]),
}


def worlds(*, late: bool, owned: bool = False) -> st.SearchStrategy[dict[str, list[dict[str, Any]]]]:
    """Rows of a view and of a spine: `late` gives the former an arrival, `owned` gives both an owner."""
    row = {**_row, **({"arrived_at": _times} if late else {}), **(_owner if owned else {})}
    ask = {**_ask, **(_owner if owned else {})}
    return st.fixed_dictionaries(
        {
            "rows": st.lists(st.fixed_dictionaries(row), max_size=30),
            "spine": st.lists(st.fixed_dictionaries(ask), max_size=20),
        }
    )


ages = st.one_of(st.none(), st.integers(1, 5))


def crowd(seed: int, *, late: bool, owned: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Two thousand rows of a dozen keys in two days, a few with nulls, and three hundred askers."""
    random = Random(seed)

    def minute() -> datetime | None:
        return None if random.random() < 0.02 else START + timedelta(minutes=random.randrange(0, 2880, 5))

    def key() -> dict[str, Any]:
        owner = {"owner_id": random.choice([None, *"pqrst"])} if owned else {}
        return {"a_id": random.choice(["1", "12", "|", None]), "b_id": random.choice([1, 11, 2, 21]), **owner}

    rows = [{**key(), "ts": minute(), "x": random.choice([None, *map(float, range(9))])} for _ in range(2000)]
    if late:
        for row in rows:
            row["arrived_at"] = minute() if random.random() < 0.2 else row["ts"]
    return {"rows": rows, "spine": [{**key(), "ts": minute()} for _ in range(300)]}


# -- the comparison --------------------------------------------------------------------------------

TYPES = {"a_id": pa.string(), "b_id": pa.int64(), "owner_id": pa.string(), "x": pa.float64()}


def as_table(rows: list[dict[str, Any]], names: list[str], unit: str) -> pa.Table:
    types = {name: TYPES.get(name, pa.timestamp(unit)) for name in names}
    return pa.table({name: pa.array([row[name] for row in rows], types[name]) for name in names})


SELECT = (
    "SELECT *, sum(x) OVER last_3h AS sum_3h, count(*) OVER last_3h AS rows_3h,"
    " max(x) FILTER (WHERE x < 4) OVER last_5h AS max_5h, count(DISTINCT x) OVER last_3h AS kinds_3h"
    " FROM rows"
)


def check(world: dict[str, list[dict[str, Any]]], *, late: bool, owned: bool = False, **view: Any) -> None:
    """A join of this world gives what a plain reading of the rule gives.

    Args:
        world: `rows` of the view, and of the `spine`.
        late: whether rows have an arrival.
        owned: whether the rows of the same `owner_id` are to be left out.
        view: `max_age` in hours or None, `delay` in minutes or 0, `unit` of the view's times and
            `spine_unit` of the spine's, if not microseconds.
    """
    max_age, delay = view.get("max_age"), view.get("delay", 0)
    owner = ["owner_id"] if owned else []
    names = ["a_id", "b_id", *owner, "ts", *(["arrived_at"] if late else []), "x"]
    headers = f"-- max_age: {max_age}h\n" * (max_age is not None) + f"-- delay: {delay}m\n" * bool(delay)
    headers += "-- except_own: owner_id\n" * owned
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path).resolve())
        folder.table("rows", as_table(world["rows"], names, view.get("unit", "us")))
        folder.view("plain", headers + SELECT)
        spine = as_table(world["spine"], ["a_id", "b_id", *owner, "ts"], view.get("spine_unit", "us"))
        got = folder.join(spine, "plain")
    expected: dict[str, list[Any]] = {name: [] for name in ("x", "sum_3h", "rows_3h", "max_5h", "kinds_3h")}
    for ask in world["spine"]:
        known = known_rows(world["rows"], ask, timedelta(minutes=delay))
        expected["x"].append(newest(known, ask, timedelta(hours=max_age) if max_age else None))
        absent = None in (ask["a_id"], ask["b_id"], ask["ts"])
        near = within(known, ask, timedelta(hours=3)) if not absent else []
        real = [x for x in near if x is not None]
        expected["sum_3h"].append(sum(real) if real else None)
        expected["rows_3h"].append(None if absent else len(near))
        expected["kinds_3h"].append(None if absent else len(set(real)))
        far = within(known, ask, timedelta(hours=5)) if not absent else []
        expected["max_5h"].append(max((x for x in far if x is not None and x < 4), default=None))
    assert {name: got[name] for name in expected} == expected
