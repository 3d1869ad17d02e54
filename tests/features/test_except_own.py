"""`-- except_own: c`: for each row of the spine, a view's rows with its `c` are as if they were not there."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.core.errors import DrystoneError, ProjectInvalid, UsageError
from drystone.features.view import Header, Roles, parse_header, roles

from .conftest import Folder
from .oracle import ages, check, crowd, hour, worlds

World = dict[str, list[dict[str, Any]]]

# -- the rule, against every row looked at ---------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(world=worlds(late=True, owned=True), max_age=ages, unit=st.sampled_from(["us", "ns"]))
def test_late_rows_of_others_count_as_if_ones_own_had_never_been(
    world: World, max_age: int | None, unit: str
) -> None:
    check(world, late=True, owned=True, max_age=max_age, unit=unit)


@settings(deadline=None, max_examples=40)
@given(
    world=worlds(late=False, owned=True),
    max_age=ages,
    delay=st.sampled_from([0, 30, 60]),
    unit=st.sampled_from(["ms", "s", "us", "ns"]),
)
def test_prompt_rows_of_others_count_as_if_ones_own_had_never_been(
    world: World, max_age: int | None, delay: int, unit: str
) -> None:
    check(world, late=False, owned=True, max_age=max_age, delay=delay, spine_unit=unit)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("max_age", [None, 1])
def test_in_a_crowd_nobody_meets_its_own(late: bool, max_age: int | None) -> None:
    check(crowd(7, late=late, owned=True), late=late, owned=True, max_age=max_age, delay=0 if late else 20)


# -- case by case ----------------------------------------------------------------------------------


@pytest.fixture
def orders(folder: Folder) -> Folder:
    """Orders of one customer: `o2`'s last row is the newest, then come its older one and `o1`'s."""
    folder.table(
        "orders",
        {
            "customer_id": [1, 1, 1, 1],
            "order_id": ["o1", "o2", "o2", None],
            "paid_at": [hour(1), hour(2), hour(3), hour(0)],
            "price": [10.0, 20.0, 30.0, 5.0],
        },
    )
    folder.view("price", "-- except_own: order_id\nSELECT * FROM orders")
    folder.view(
        "sums",
        "-- except_own: order_id\nSELECT customer_id, order_id, paid_at, sum(price) OVER last_24h AS total,"
        " count(*) OVER last_24h AS n, count(DISTINCT price > 8) OVER last_24h AS kinds,"
        " max(price) FILTER (WHERE price < 25) OVER last_24h AS cheap FROM orders",
    )
    return folder


def asking(*owners: str | None, at: float = 4) -> pa.Table:
    count = len(owners)
    order = pa.array(owners, pa.string())
    return pa.table({"customer_id": [1] * count, "order_id": order, "ts": [hour(at)] * count})


def test_the_newest_row_of_another_is_found_behind_several_of_ones_own(orders: Folder) -> None:
    assert orders.join(asking("o1", "o2", "o3"), "price")["price"] == [30.0, 10.0, 30.0]


def test_a_null_is_nobodys_own(orders: Folder) -> None:
    got = orders.join(asking(None, at=0.5), "price", "sums")
    assert (got["price"], got["total"]) == ([5.0], [5.0])


def test_what_others_send_late_is_found_behind_ones_own_newest_row(folder: Folder) -> None:
    arrivals = [hour(5), hour(6), hour(7), hour(8)]
    folder.table(
        "rows",
        {
            "key_id": [1] * 4,
            "own": ["me", None, "you", "me"],
            "ts": [hour(5), hour(3), hour(4), hour(2)],
            "arrived_at": arrivals,
            "x": [1, 2, 3, 4],
        },
    )
    folder.view("v", "-- except_own: own\nSELECT * FROM rows")
    spine = pa.table({"key_id": [1] * 4, "own": ["me"] * 4, "ts": arrivals})
    assert folder.join(spine, "v")["x"] == [None, 2, 3, 3]


def test_aggregates_count_others_only(orders: Folder) -> None:
    got = orders.join(asking("o1", "o2", "o3", None), "sums")
    assert got["total"] == [55.0, 15.0, 65.0, 65.0]
    assert got["n"] == [3, 2, 4, 4]
    assert got["kinds"] == [2, 2, 2, 2]
    assert got["cheap"] == [20.0, 10.0, 20.0, 20.0]


def test_a_window_of_ones_own_alone_is_empty(orders: Folder) -> None:
    orders.view(
        "recent",
        "-- except_own: order_id\nSELECT customer_id, order_id, paid_at, sum(price) OVER last_2h AS s,"
        " count(*) OVER last_2h AS k, count(*) OVER last_4h AS wide FROM orders",
    )
    got = orders.join(asking("o2", "o1", at=3.5), "recent")
    assert (got["s"], got["k"], got["wide"]) == ([None, 50.0], [0, 2], [2, 3])


def test_the_column_is_neither_key_nor_feature(orders: Folder) -> None:
    assert list(orders.join(asking("o1"), "price")) == ["customer_id", "order_id", "ts", "price"]


def test_a_key_may_be_named_beside_it(folder: Folder) -> None:
    folder.table("flights", {"origin": ["A", "A"], "no": [1, 2], "ts": [hour(1), hour(2)], "x": [1, 2]})
    folder.view("v", "-- keys: origin\n-- except_own: no\nSELECT * FROM flights")
    spine = pa.table({"origin": ["A"] * 3, "no": [1, 2, 3], "ts": [hour(2)] * 3})
    assert folder.join(spine, "v")["x"] == [2, 1, 2]


def test_another_keys_row_of_ones_own_does_no_harm(folder: Folder) -> None:
    folder.table("rows", {"key_id": [1, 2], "own": [7, 7], "ts": [hour(1), hour(2)], "x": [1, 2]})
    folder.view("v", "-- except_own: own\nSELECT *, count(*) OVER last_9h AS n FROM rows")
    spine = pa.table({"key_id": [1, 2, 1], "own": [8, 7, 7], "ts": [hour(3)] * 3})
    got = folder.join(spine, "v")
    assert (got["x"], got["n"]) == ([1, None, None], [1, 0, 0])


def test_the_spine_may_call_it_otherwise(orders: Folder) -> None:
    spine = asking("o2").rename_columns({"order_id": "basket"})
    assert orders.join(spine, "price", keys={"basket": "order_id"})["price"] == [10.0]


def test_a_spine_that_names_nobody_leaves_nothing_out(orders: Folder) -> None:
    spine = pa.table({"customer_id": [1], "order_id": pa.nulls(1), "ts": [hour(4)]})
    got = orders.join(spine, "price", "sums")
    assert (got["price"], got["n"]) == ([30.0], [4])


def test_an_empty_spine_and_an_empty_view_give_typed_columns(orders: Folder) -> None:
    assert orders.join(asking(), "price", "sums")["total"] == []
    orders.view(
        "none", "-- except_own: order_id\nSELECT *, sum(price) OVER last_1h AS s FROM orders WHERE false"
    )
    got = orders.join(asking("o1"), "none")
    assert (got["price"], got["s"]) == ([None], [None])


def test_a_python_view_says_it_with_a_constant(orders: Folder) -> None:
    orders.view("py", "EXCEPT_OWN = 'order_id'\ndef py(orders): return orders\n", ".py")
    orders.view(
        "summed",
        "EXCEPT_OWN = 'order_id'\ndef summed(orders):\n"
        "    return 'SELECT customer_id, order_id, paid_at, sum(price) OVER last_24h AS s FROM orders'\n",
        ".py",
    )
    got = orders.join(asking("o2"), "py", "summed")
    assert (got["price"], got["s"]) == ([10.0], [15.0])


def test_a_view_that_reads_another_says_itself_what_is_left_out(orders: Folder) -> None:
    orders.view("doubled", "SELECT customer_id, paid_at, price * 2 AS twice FROM price")
    assert orders.join(asking("o2"), "doubled")["twice"] == [60.0]


# -- what is refused -------------------------------------------------------------------------------


def test_the_header_names_one_column() -> None:
    assert parse_header("-- except_own: order_id\nSELECT 1", "v.sql") == Header(except_own="order_id")
    for value in ("", "a, b", "a b"):
        with pytest.raises(ProjectInvalid) as caught:
            parse_header(f"-- except_own: {value}\nSELECT 1", "v.sql")
        assert (caught.value.message, caught.value.hints) == (
            "header `except_own` must name one column",
            ("write `except_own: a_id`",),
        )


STAMP = "TIMESTAMP"


def test_a_time_or_an_id_may_tell_whose_a_row_is() -> None:
    types = {"a_id": "X", "b_id": "X", "ts": STAMP, "paid_at": STAMP, "x": "X"}
    assert roles(Header(except_own="b_id"), types, "v.sql") == Roles(
        ("a_id",), "ts", None, ("paid_at", "x"), "b_id"
    )
    assert roles(Header(except_own="paid_at"), types, "v.sql").own == "paid_at"


@pytest.mark.parametrize(
    ("header", "types", "message"),
    [
        (
            Header(except_own="oder_id"),
            {"a_id": "X", "order_id": "X", "ts": STAMP},
            "`except_own` names `oder_id`, which is not a column of the view",
        ),
        (
            Header(keys=("a_id",), except_own="a_id"),
            {"a_id": "X", "ts": STAMP},
            "`a_id` is a key and the column of `except_own`",
        ),
        (Header(except_own="a_id"), {"a_id": "X", "ts": STAMP}, "the view has no key"),
        (Header(except_own="ts"), {"a_id": "X", "ts": STAMP, "x": "X"}, "the view has no event time"),
    ],
)
def test_a_column_that_cannot_tell_whose_a_row_is_is_refused(
    header: Header, types: dict[str, str], message: str
) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        roles(header, types, "features/v.sql")
    assert (caught.value.message, caught.value.at) == (message, ("features/v.sql",))
    assert caught.value.hints


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (
            {"customer_id": [1], "ts": [hour(1)]},
            "the spine has no column `order_id`, which tells a row's own rows in view `price`",
        ),
        (
            {"customer_id": [1], "ts": [hour(1)], "order_id": [3]},
            "column `order_id` of the spine is `BIGINT`, but `order_id` of view `price` is `VARCHAR`",
        ),
    ],
)
def test_a_spine_that_cannot_say_what_is_its_own_is_refused(
    orders: Folder, spine: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        orders.join(pa.table(spine), "price")
    assert caught.value.message == message
    assert caught.value.hints


def test_a_python_constant_that_names_no_column_is_refused(orders: Folder) -> None:
    for value, error in (("3", "must name one column"), ("'nobody'", "which is not a column of the view")):
        orders.view("py", f"EXCEPT_OWN = {value}\ndef py(orders): return orders\n", ".py")
        with pytest.raises(DrystoneError, match=error):
            orders.join(asking("o1"), "py")
