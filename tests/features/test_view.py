"""What a view's file says, and what is refused with which words."""

from __future__ import annotations

import pytest

from drystone.core.errors import Conflict, NotFound, ProjectInvalid
from drystone.features.view import Header, Roles, duration, find, parse_header, read, roles

from .conftest import Folder

HOUR = 3_600_000_000


def test_headers_are_comments_above_the_select() -> None:
    text = "-- Weather, hour by hour.\n\n-- keys: a, b\n-- max_age: 2h\n--delay:15m\nSELECT 1 -- keys, too"
    assert parse_header(text, "v.sql") == Header(("a", "b"), 2 * HOUR, HOUR // 4)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("-- max_aeg: 2h\nSELECT 1", "no header is called `max_aeg`", "v.sql:1"),
        ("\n-- max_age: two hours\nSELECT 1", "header `max_age` is no duration: `two hours`", "v.sql"),
        ("-- delay: 0h\nSELECT 1", "header `delay` is no duration: `0h`", "v.sql"),
        ("-- keys:\nSELECT 1", "header `keys` must name columns", "v.sql"),
        ("-- keys: a,\nSELECT 1", "header `keys` must name columns", "v.sql"),
        ("-- delay: 1h\n-- delay: 2h\nSELECT 1", "header `delay` is given twice", "v.sql:2"),
        ("SELECT 1\n  -- max_age: 2h\nFROM t", "header `max_age` must stand above the select", "v.sql:2"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(text: str, message: str, at: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        parse_header(text, "v.sql")
    assert (caught.value.message, caught.value.at) == (message, (at,))


def test_a_misspelt_header_is_told_its_name() -> None:
    with pytest.raises(ProjectInvalid) as caught:
        parse_header("-- max_aeg: 2h\nSELECT 1", "v.sql")
    assert caught.value.hints == ("headers are `max_age`",)


def test_durations_have_one_number_and_one_unit() -> None:
    assert [duration(text) for text in ("250ms", "90s", "15m", "2h", "7d", "1w")] == [
        250_000,
        90_000_000,
        HOUR // 4,
        2 * HOUR,
        168 * HOUR,
        168 * HOUR,
    ]
    assert [duration(text) for text in ("2", "h", "0h", "1h30m", "1.5h", "-1h", "2H", "")] == [None] * 8


STAMP = "TIMESTAMP WITH TIME ZONE"


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({"a_id": "INTEGER", "ts": STAMP, "x": "DOUBLE"}, (("a_id",), "ts", None, ("x",))),
        ({"a_id": "X", "b_id": "X", "sold_at": STAMP, "x": "X"}, (("a_id", "b_id"), "sold_at", None, ("x",))),
        ({"a_id": "X", "sold_at": STAMP, "arrived_at": STAMP}, (("a_id",), "sold_at", "arrived_at", ())),
        ({"a_id": "X", "sold_at": STAMP, "created": STAMP}, (("a_id",), "sold_at", "created", ())),
        ({"a_id": "X", "ts": STAMP, "ingested_on": STAMP}, (("a_id",), "ts", "ingested_on", ())),
        ({"a_id": "X", "ts": STAMP, "sold_at": STAMP}, (("a_id",), "ts", None, ("sold_at",))),
        ({"a_id": "X", "ts": STAMP, "created_by": "VARCHAR"}, (("a_id",), "ts", None, ("created_by",))),
        ({"a_id": "X", "created_at": STAMP, "x": "X"}, (("a_id",), "created_at", None, ("x",))),
        ({"a_id": "X", "available_at": STAMP, "x": "X"}, (("a_id",), "available_at", None, ("x",))),
        (
            {"a_id": "X", "ts": STAMP, "available_at": STAMP, "created_at": STAMP},
            (("a_id",), "ts", "available_at", ("created_at",)),
        ),
    ],
)
def test_columns_are_told_apart_by_name_and_type(types: dict[str, str], expected: tuple[object, ...]) -> None:
    assert roles(Header(), types, "v.sql") == Roles(*expected)  # type: ignore[arg-type]


def test_named_keys_stand_instead_of_those_that_end_in_id() -> None:
    types = {"origin": "VARCHAR", "flight_id": "VARCHAR", "ts": STAMP}
    assert roles(Header(keys=("origin",)), types, "v.sql") == Roles(("origin",), "ts", None, ("flight_id",))


@pytest.mark.parametrize(
    ("header", "types", "message"),
    [
        (Header(), {"x": "DOUBLE", "ts": STAMP}, "the view has no key"),
        (Header(keys=("orgin",)), {"origin": "X", "ts": STAMP}, "key `orgin` is not a column of the view"),
        (Header(), {"a_id": "X", "x": "DOUBLE"}, "the view has no event time"),
        (Header(), {"a_id": "X", "ts": "VARCHAR"}, "time column `ts` is not a timestamp"),
        (
            Header(),
            {"a_id": "X", "sold_at": STAMP, "paid_at": STAMP},
            "several columns could be the event time: `sold_at`, `paid_at`",
        ),
        (
            Header(),
            {"a_id": "X", "ts": STAMP, "event_time": STAMP},
            "several columns could be the event time: `ts`, `event_time`",
        ),
        (
            Header(),
            {"a_id": "X", "ts": STAMP, "created": STAMP, "created_at": STAMP},
            "several columns could be when a row became known: `created`, `created_at`",
        ),
        (
            Header(),
            {"a_id": "X", "ts": "DATE"},
            "time column `ts` is a date, which does not tell when in the day the row was known",
        ),
        (
            Header(delay=HOUR),
            {"a_id": "X", "ts": STAMP, "arrived_at": STAMP},
            "both `delay` and the column `arrived_at` tell when a row was known",
        ),
    ],
)
def test_columns_that_cannot_be_told_apart_are_refused(
    header: Header, types: dict[str, str], message: str
) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        roles(header, types, "features/v.sql")
    assert (caught.value.message, caught.value.at) == (message, ("features/v.sql",))
    assert caught.value.hints


def test_a_date_is_a_time_where_something_tells_when_it_is_known() -> None:
    day = {"a_id": "X", "ts": "DATE", "x": "X"}
    assert roles(Header(delay=24 * HOUR), day, "v.sql").event == "ts"
    assert roles(Header(), {**day, "available_at": STAMP}, "v.sql").arrival == "available_at"


def test_views_are_the_sql_and_python_files_but_helpers(folder: Folder) -> None:
    for name, suffix in (("a", ".sql"), ("b", ".py"), ("_c", ".py"), ("README", ".md")):
        folder.view(name, "SELECT 1", suffix)
    assert list(find(folder.layout)) == ["a", "b"]


def test_two_files_of_one_name_are_refused(folder: Folder) -> None:
    folder.view("a", "SELECT 1")
    folder.view("a", "", ".py")
    with pytest.raises(Conflict, match="two files define view `a`"):
        find(folder.layout)


def test_a_misspelt_view_is_told_a_similar_one(folder: Folder) -> None:
    folder.view("carrier_delay", "SELECT 1")
    with pytest.raises(NotFound) as caught:
        read(folder.layout, "carier_delay")
    assert caught.value.hints == ("a view with a similar name exists: `carrier_delay`",)
