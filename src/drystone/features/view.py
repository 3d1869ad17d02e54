"""What a feature view is, read from its file: `features/NAME.sql` or `features/NAME.py` is view NAME.

A `.sql` view is one SELECT in DuckDB's dialect that yields one row per fact:

    -- max_age: 2h
    -- delay: 1h
    SELECT origin AS station_id, time_hour AS event_time, temp, visib FROM weather

- keys: the `*_id` columns, or those that `-- keys: a, b` names
- event time: `ts`, `event_time` or `event_timestamp`; else the only timestamp ending in `_at` that is
  not the arrival; else the arrival
- arrival, when the row became known: `available_at`; else `arrived_at`, else a timestamp starting
  with `created`, else one starting with `ingested`; else event time plus `-- delay: 15m`; else event time
- every other column is a feature
- a name after FROM is `data/NAME.parquet`, `data/NAME.csv` or another view, whose rows it then gives

At time t a row is known when `max(event time, arrival) <= t`. A plain column has the value of the
known row with the newest event time (ties: later arrival, then later row), be it null; null when
that event is older than `-- max_age: 2h`. A row without event time or arrival is never known.

`f(x) OVER last_24h AS name` aggregates, for each row of the spine, the view's rows of its key with an
event time in `(t - 24h, t]` that are known at t: the value changes when a row becomes known and when one
leaves the window, not only when the next row appears. Every row counts, also one that a later one
replaces. N and unit are free: `last_15m`, `last_7d`; `FILTER (WHERE ...)` and DISTINCT work as in SQL.

`-- except_own: order_id` leaves a row's own rows out: for a row of the spine, the view's rows with its
`order_id` are as if they were not there, for plain columns as for aggregates. That column is neither key
nor feature; a null is nobody's own.

Headers stand in comments above the SELECT, one `-- name: value` a line. A `.py` view is a module with
a function named as the file, whose parameters name tables or views (it is handed DuckDB relations) and
which returns a relation, a dataframe or SQL; its headers are the constants KEYS, MAX_AGE, DELAY and
EXCEPT_OWN. Where a view reads another, only the headers of the one that is joined count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Conflict, NotFound, ProjectInvalid
from drystone.core.layout import Layout
from drystone.core.suggest import similar

HEADERS = ("keys", "max_age", "delay", "except_own")
_HEADER = re.compile(r"--\s*([a-z_]+)\s*:(.*)")
_NAME = re.compile(r"\w+")
_DURATION = re.compile(r"([1-9][0-9]*)(ms|s|m|h|d|w)")
_MICROSECONDS = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_EVENT_NAMES = ("ts", "event_time", "event_timestamp")


class Header(NamedTuple):
    """What a view says about itself beside its columns.

    Attributes:
        keys: named key columns, or () for the `*_id` columns.
        max_age: microseconds after which a value counts as unknown, or None for never.
        delay: microseconds from a row's event time until it is known.
        except_own: the column that tells whose row it is, so that nobody gets its own; or None.
    """

    keys: tuple[str, ...] = ()
    max_age: int | None = None
    delay: int = 0
    except_own: str | None = None


class View(NamedTuple):
    """A view as it stands in its file. `text` is the SQL of a `.sql` view, "" for a `.py` one."""

    name: str
    path: Path
    text: str
    header: Header


class Roles(NamedTuple):
    """Which column of a view is what.

    Attributes:
        keys: whom or what a row is about.
        event: when it happened.
        arrival: when it became known, None where the event time (plus delay) stands for it.
        features: what is joined.
        own: the column of `-- except_own:`, if any.
    """

    keys: tuple[str, ...]
    event: str
    arrival: str | None
    features: tuple[str, ...]
    own: str | None = None


def find(layout: Layout) -> dict[str, Path]:
    """The files of all views, by name. Names that start with `_` or `.` are helpers, not views.

    Raises:
        Conflict: two files give one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(layout.features.glob("*")):
        if path.suffix not in (".sql", ".py") or path.name.startswith(("_", ".")) or not path.is_file():
            continue
        if path.stem in found:
            raise Conflict(
                f"two files define view `{path.stem}`",
                at=[_shown(layout, found[path.stem]), _shown(layout, path)],
                hints=["rename or remove one of them"],
            )
        found[path.stem] = path
    return found


def read(layout: Layout, name: str) -> View:
    """The view of this name.

    Raises:
        NotFound: no file defines it.
        ProjectInvalid: a header says what it must not.
    """
    paths = find(layout)
    if name not in paths:
        near = [f"a view with a similar name exists: `{other}`" for other in similar(name, paths)]
        raise NotFound(
            f"no feature view named `{name}`",
            because=f"there is neither `features/{name}.sql` nor `features/{name}.py`",
            hints=near or [f"views here: {', '.join(f'`{other}`' for other in paths) or 'none'}"],
        )
    path = paths[name]
    if path.suffix == ".py":
        return View(name, path, "", Header())
    text = path.read_text(encoding="utf-8")
    return View(name, path, text, parse_header(text, _shown(layout, path)))


def parse_header(text: str, at: str) -> Header:
    """Read the `-- name: value` comments above the SELECT. `at` is the file as people know it.

    Raises:
        ProjectInvalid: an unknown or repeated name, a bad value, or a header below the SELECT.
    """
    values: dict[str, str] = {}
    above = True
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        above = above and (not stripped or stripped.startswith("--"))
        match = _HEADER.match(stripped)
        if match is None or (not above and match[1] not in HEADERS):
            continue
        name, value, here = match[1], match[2].strip(), f"{at}:{number}"
        if not above:
            raise ProjectInvalid(f"header `{name}` must stand above the select", at=here)
        if name in values:
            raise ProjectInvalid(f"header `{name}` is given twice", at=here)
        if name not in HEADERS:
            near = similar(name, HEADERS)
            raise ProjectInvalid(
                f"no header is called `{name}`",
                at=here,
                hints=[f"headers are {', '.join(f'`{known}`' for known in near or HEADERS)}"],
            )
        values[name] = value
    return header_of(values, at)


def header_of(values: Mapping[str, object], at: str) -> Header:
    """A header from its texts; keys may also be a list of names, as in a `.py` view.

    Raises:
        ProjectInvalid: a value is not of its form.
    """
    keys = values.get("keys", ())
    names = keys.split(",") if isinstance(keys, str) else keys
    if not isinstance(names, Iterable) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ProjectInvalid(
            "header `keys` must name columns",
            at=at,
            because=f"it says {keys!r}",
            hints=["write `keys: a, b`"],
        )
    ages = {
        name: _duration_of(name, values[name], at) if name in values else None
        for name in ("max_age", "delay")
    }
    own = values.get("except_own")
    if own is not None and not (isinstance(own, str) and _NAME.fullmatch(own)):
        raise ProjectInvalid(
            "header `except_own` must name one column",
            at=at,
            because=f"it says {own!r}",
            hints=["write `except_own: a_id`"],
        )
    return Header(tuple(name.strip() for name in names), ages["max_age"], ages["delay"] or 0, own)


def duration(text: str) -> int | None:
    """Microseconds of `90s`, `15m`, `2h`, `7d`, `1w` or `250ms`; None for anything else."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _MICROSECONDS[match[2]] if match else None


def roles(header: Header, types: Mapping[str, str], at: str) -> Roles:
    """Tell keys, times and features of a view apart.

    Args:
        header: what the view says of itself.
        types: DuckDB type of each column, in order.
        at: the view's file.

    Raises:
        ProjectInvalid: no key, no time, a time that is no timestamp, or several candidates for one role.
    """
    keys = _keys(header, types, at)
    others = [name for name in types if name not in (*keys, header.except_own)]
    stamps = [name for name in others if types[name].startswith(("TIMESTAMP", "DATE"))]
    arrival = _arrival(stamps, at)
    event = _event(others, stamps, arrival, at)
    if types[event] == "DATE" and arrival in (None, event) and not header.delay:
        raise ProjectInvalid(
            f"time column `{event}` is a date, which does not tell when in the day the row was known",
            at=at,
            hints=["say when, above the select: `-- delay: 1d`", "or select the moment as `available_at`"],
        )
    if arrival is not None and header.delay:
        raise ProjectInvalid(
            f"both `delay` and the column `{arrival}` tell when a row was known",
            at=at,
            hints=["remove the header or the column"],
        )
    features = tuple(name for name in others if name not in (event, arrival))
    return Roles(keys, event, None if arrival == event else arrival, features, header.except_own)


def _keys(header: Header, types: Mapping[str, str], at: str) -> tuple[str, ...]:
    own = header.except_own
    keys = header.keys or tuple(name for name in types if name.endswith("_id") and name != own)
    for name in (*keys, own):
        if name is not None and name not in types:
            near = similar(name, types)
            named = f"key `{name}` is" if name in keys else f"`except_own` names `{name}`, which is"
            raise ProjectInvalid(
                f"{named} not a column of the view",
                at=at,
                hints=[f"columns are {', '.join(f'`{each}`' for each in near or types)}"],
            )
    if own in keys:
        raise ProjectInvalid(
            f"`{own}` is a key and the column of `except_own`",
            at=at,
            because="all rows that the key finds would be left out",
            hints=["name what the rows are about as `keys`, and whose they are as `except_own`"],
        )
    if not keys:
        other = f" but `{own}`, that of `except_own`" if own else ""
        raise ProjectInvalid(
            "the view has no key",
            at=at,
            because=f"none of its columns ends in `_id`{other}: {', '.join(f'`{name}`' for name in types)}",
            hints=["name the key columns above the select: `-- keys: a, b`"],
        )
    return keys


def _arrival(stamps: list[str], at: str) -> str | None:
    for exact in ("available_at", "arrived_at"):
        if exact in stamps:
            return exact
    for start in ("created", "ingested"):
        found = [name for name in stamps if name.startswith(start)]
        if found:
            return _only(found, "when a row became known", "select the right one as `available_at`", at)
    return None


def _event(names: list[str], stamps: list[str], arrival: str | None, at: str) -> str:
    found = [name for name in names if name in _EVENT_NAMES]
    if found and found[0] not in stamps:
        raise ProjectInvalid(
            f"time column `{found[0]}` is not a timestamp",
            at=at,
            hints=[f"cast it in the select: `CAST({found[0]} AS TIMESTAMP) AS {found[0]}`"],
        )
    found = found or [name for name in stamps if name.endswith("_at") and name != arrival]
    if found:
        return _only(found, "the event time", "select the right one as `event_time`", at)
    if arrival is not None:
        return arrival
    raise ProjectInvalid(
        "the view has no event time",
        at=at,
        because="it has no timestamp called `ts`, `event_time`, `event_timestamp` or `..._at`",
        hints=["select the moment at which each row happened as `event_time`"],
    )


def _only(found: list[str], role: str, hint: str, at: str) -> str:
    if len(found) > 1:
        several = ", ".join(f"`{name}`" for name in found)
        raise ProjectInvalid(f"several columns could be {role}: {several}", at=at, hints=[hint])
    return found[0]


def _duration_of(name: str, value: object, at: str) -> int:
    length = duration(value) if isinstance(value, str) else None
    if length is None:
        raise ProjectInvalid(
            f"header `{name}` is no duration: `{value}`",
            at=at,
            hints=["write a whole number and a unit of `ms` `s` `m` `h` `d` `w`, as in `90m`"],
        )
    return length


def _shown(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()
