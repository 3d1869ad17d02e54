"""`OVER last_24h` is found where it is SQL, and taken out so that both halves are SQL."""

from __future__ import annotations

import pytest

from drystone.core.errors import ProjectInvalid
from drystone.features.windows import Split, Window, split

HOUR = 3_600_000_000


def test_a_select_without_windows_stays_as_it_is() -> None:
    sql = "SELECT a, 'x OVER last_1h', \"over\" last_1h, sum(x) OVER (PARTITION BY a) /* f() OVER last_1h */"
    assert split(sql, "v.sql") == Split(sql, (), "")


def test_an_item_becomes_its_arguments_and_a_condition() -> None:
    got = split("SELECT k_id, avg(x + 1) FILTER (WHERE y > 0) OVER last_24h AS mean, z FROM t", "v.sql")
    assert got.rows == "SELECT k_id, y > 0 AS __0_where, x + 1 AS __0_0, z FROM t"
    assert got.windows == (Window("__0", "avg(__0_0)", "__0_where", 24 * HOUR),)
    assert got.items == "__0 AS mean"


def test_an_item_may_be_an_expression_of_several_windows() -> None:
    got = split("SELECT k, coalesce(sum(x) OVER last_1h / count(*) over LAST_2d, 0) AS r FROM t", "v.sql")
    assert got.rows == "SELECT k, true AS __0_where, x AS __0_0, true AS __1_where FROM t"
    assert [window.call for window in got.windows] == ["sum(__0_0)", "count(*)"]
    assert [window.length for window in got.windows] == [HOUR, 48 * HOUR]
    assert got.items == "coalesce(__0 / __1, 0) AS r"


def test_comments_and_a_bare_condition_do_no_harm() -> None:
    got = split(
        "SELECT k, sum(x -- the x\n) FILTER (y > 0 -- positive\n) OVER last_1h AS s -- sum\nFROM t", "v.sql"
    )
    assert got.rows == "SELECT k, y > 0 AS __0_where, x AS __0_0 -- sum\nFROM t"
    assert got.items == "__0 AS s"


@pytest.mark.parametrize(
    ("call", "rewritten"),
    [
        ("count(DISTINCT x)", "count(DISTINCT __0_0)"),
        ("quantile_cont(x, 0.9)", "quantile_cont(__0_0, 0.9)"),
        ("arg_max(x, y)", "arg_max(__0_0, __0_1)"),
        ("max(greatest(x, (y)))", "max(__0_0)"),
        ("sum(CASE WHEN s = 'a,b)' THEN 1 END)", "sum(__0_0)"),
        ("count()", "count()"),
    ],
)
def test_arguments_are_columns_but_constants_stay(call: str, rewritten: str) -> None:
    assert split(f"SELECT k, {call} OVER last_1h AS f FROM t", "v.sql").windows[0].call == rewritten


def test_the_select_list_ends_where_the_query_goes_on() -> None:
    for tail in ("", " WHERE x IS DISTINCT FROM 3", " GROUP BY k ORDER BY k", ";"):
        given = "WITH t AS (SELECT 1 AS x, 2 AS k) "
        sql = f"{given}SELECT k, x IS DISTINCT FROM k AS d, max(x) OVER last_1h AS m FROM t{tail}"
        got = split(sql, "v.sql")
        assert got.items == "__0 AS m"
        assert got.rows.endswith(f"AS __0_0 FROM t{tail.rstrip(';')}")


OUTSIDE = "`OVER last_...` stands outside the outermost select list"
TOGETHER = "`OVER last_...` cannot stand in a query with "
NO_CALL = "`OVER last_1h` must follow a call, as in `avg(x) OVER last_1h`"
ORDERED = "ORDER BY cannot stand in a call with `OVER last_1h`"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT k, sum(x) OVER last_month AS s FROM t", "no such window: `last_month`"),
        ("SELECT k, x OVER last_1h AS s FROM t", NO_CALL),
        ("SELECT k FROM t WHERE sum(x) OVER last_1h > 1", OUTSIDE),
        ("SELECT k FROM (SELECT k, sum(x) OVER last_1h AS s FROM t)", OUTSIDE),
        ("SELECT DISTINCT k, sum(x) OVER last_1h AS s FROM t", TOGETHER + "DISTINCT"),
        ("SELECT k, sum(x) OVER last_1h AS s FROM t UNION SELECT 1, 2", TOGETHER + "UNION"),
        ("SELECT k, sum(x) OVER last_1h AS s FROM t WINDOW last_1h AS ()", TOGETHER + "WINDOW"),
        ("SELECT k, 1 + sum(x) OVER last_1h FROM t", "`1 + sum(x) OVER last_1h` has no name"),
        ("SELECT k, list(x ORDER BY y) OVER last_1h AS s FROM t", ORDERED),
    ],
)
def test_a_window_that_cannot_be_evaluated_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        split(sql, "features/v.sql")
    assert (caught.value.message, caught.value.at) == (message, ("features/v.sql",))
