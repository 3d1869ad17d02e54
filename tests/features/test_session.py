"""From a view's file to its rows: what names in FROM mean, `.py` views, and errors that say where."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from drystone.core.errors import Ambiguous, NotFound, ProjectInvalid

from .conftest import Folder

NOON = datetime(2013, 1, 1, 12)
SPINE = pa.table({"key_id": [1], "ts": [NOON]})


@pytest.fixture
def world(folder: Folder) -> Folder:
    folder.table("rows", {"key_id": [1, 2], "ts": [NOON, NOON], "x": [1.5, 2.5]})
    return folder


def test_a_name_is_a_parquet_file_a_csv_file_or_another_view(world: Folder) -> None:
    (world.layout.data / "names.csv").write_text("key_id,name\n1,one\n2,two\n")
    world.view("doubled", "SELECT key_id, ts, 2 * x AS y FROM rows")
    world.view("v", "SELECT d.*, name FROM doubled AS d JOIN names USING (key_id)")
    assert world.join(SPINE, "v") == {"key_id": [1], "ts": [NOON], "y": [3.0], "name": ["one"]}


def test_a_view_may_have_the_name_of_the_table_it_reads(world: Folder) -> None:
    world.view("rows", "WITH local AS (SELECT * FROM rows) SELECT * FROM local")
    assert world.join(SPINE, "rows")["x"] == [1.5]


def test_no_variable_of_python_is_a_table(world: Folder) -> None:
    world.view("v", "SELECT 1 AS key_id, now() AS ts, text FROM 'data/rows.parquet', parts")
    with pytest.raises(NotFound, match="the view reads `parts`, which is not there"):
        world.join(SPINE, "v")


def test_a_path_in_from_starts_at_the_root_of_the_project(world: Folder) -> None:
    world.view("v", "SELECT * FROM 'data/rows.parquet'")
    assert world.join(SPINE, "v")["x"] == [1.5]


def test_a_name_of_two_things_is_refused(world: Folder) -> None:
    world.view("rows", "SELECT * FROM rows")
    world.view("v", "SELECT * FROM rows")
    with pytest.raises(Ambiguous, match=r"`rows` could be any of `data/rows\.parquet`, `features/rows\.sql`"):
        world.join(SPINE, "v")


def test_a_table_that_is_not_there_is_named_with_a_similar_one(world: Folder) -> None:
    world.view("v", "SELECT * FROM row")
    with pytest.raises(NotFound) as caught:
        world.join(SPINE, "v")
    assert caught.value.message == "the view reads `row`, which is not there"
    assert caught.value.hints == ("a similar name exists: `rows`",)


def test_views_that_read_each_other_are_told_their_circle(world: Folder) -> None:
    world.view("a", "SELECT * FROM b")
    world.view("b", "SELECT * FROM a")
    with pytest.raises(ProjectInvalid, match="in a circle: `a` reads `b` reads `a`"):
        world.join(SPINE, "a")


def test_windows_of_a_view_cannot_be_read_by_another(world: Folder) -> None:
    world.view("a", "SELECT key_id, ts, sum(x) OVER last_1h AS s FROM rows")
    world.view("b", "SELECT * FROM a")
    with pytest.raises(ProjectInvalid, match="reads view `a`, which has `OVER last_"):
        world.join(SPINE, "b")


@pytest.mark.parametrize(
    ("sql", "at", "because"),
    [
        ("-- max_age: 1h\nSELECT key_id, ts,\n  z FROM rows", "features/v.sql:3", '"z"'),
        ("SELECT key_id,\n ts, x FORM rows", "features/v.sql:2", "syntax error"),
        ("DROP TABLE rows", "features/v.sql", "SELECT"),
        ("SELECT key_id, ts, 'abc'::INTEGER AS y FROM rows", "features/v.sql:1", "abc"),
        ("SELECT key_id, ts, x - avg(x) OVER last_1h AS y FROM rows", "features/v.sql", '"x"'),
        ("SELECT key_id, ts, avg(x) OVER last_1h FROM rows", "features/v.sql", "AS"),
    ],
)
def test_an_sql_error_says_where_and_what_duckdb_says(world: Folder, sql: str, at: str, because: str) -> None:
    world.view("v", sql)
    with pytest.raises(ProjectInvalid) as caught:
        world.join(SPINE, "v")
    assert caught.value.at == (at,)
    assert because in " ".join((*caught.value.because, *caught.value.hints))


def test_a_view_is_one_statement(world: Folder) -> None:
    world.view("v", "SELECT * FROM rows; SELECT * FROM rows")
    with pytest.raises(ProjectInvalid, match="the view is more than one statement"):
        world.join(SPINE, "v")


def test_a_trailing_semicolon_or_comment_does_no_harm(world: Folder) -> None:
    world.view("a", "SELECT * FROM rows;\n")
    world.view("b", "SELECT key_id, ts, x AS y FROM rows -- done")
    world.view("c", "SELECT key_id, ts, x AS z FROM rows; -- done")
    assert world.join(SPINE, "a", "b", "c")["z"] == [1.5]


@pytest.mark.parametrize(
    "body",
    [
        "rows.project('key_id, ts, x * 2 AS y')",
        "rows.project('key_id, ts, x * 2 AS y').to_arrow_table()",
        "pandas.DataFrame({'key_id': [1], 'ts': [pandas.Timestamp('2013-01-01')], 'y': [3.0]})",
        "'SELECT key_id, ts, x * 2 AS y FROM rows'",
        "'SELECT key_id, ts, sum(x * 2) OVER last_1h AS y FROM rows'",
    ],
)
def test_a_python_view_returns_a_relation_a_dataframe_or_sql(world: Folder, body: str) -> None:
    world.view("v", f"import pandas\nMAX_AGE = '1d'\n\ndef v(rows):\n    return {body}\n", ".py")
    assert world.join(SPINE, "v")["y"] == [3.0]


def test_headers_of_a_python_view_are_constants(world: Folder) -> None:
    world.view(
        "v", "KEYS = ['k']\nDELAY = '1h'\ndef v():\n    return 'SELECT key_id AS k, ts, x FROM rows'", ".py"
    )
    spine = pa.table({"k": [1, 1], "ts": [NOON, NOON.replace(hour=13)]})
    assert world.join(spine, "v")["x"] == [None, 1.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def w(): ...", "`features/v.py` has no function `v`"),
        ("def v(): return 3", "what `v` returns is no table but `int`"),
        ("def v(): return 1 / 0", "the view's function failed"),
        ("import nowhere_to_be_found", "the view's function failed"),
        ("MAX_AGE = 3\ndef v(): ...", "header `max_age` is no duration: `3`"),
        ("def v(nothing): ...", "the view reads `nothing`, which is not there"),
        (
            "def v(): return '-- delay: 1h\\nSELECT 1'",
            "the headers of a `.py` view are constants of the module, not comments of its SQL",
        ),
    ],
)
def test_a_python_view_that_is_none_is_refused(world: Folder, text: str, message: str) -> None:
    world.view("v", text, ".py")
    with pytest.raises((ProjectInvalid, NotFound)) as caught:
        world.join(SPINE, "v")
    assert caught.value.message == message


def test_a_view_of_keys_and_times_alone_is_refused(world: Folder) -> None:
    world.view("v", "SELECT key_id, ts FROM rows")
    with pytest.raises(ProjectInvalid, match="the view has no feature"):
        world.join(SPINE, "v")


def test_names_of_ours_are_not_a_views_to_use(world: Folder) -> None:
    world.view("v", "SELECT key_id, ts, x AS __x FROM rows")
    with pytest.raises(ProjectInvalid, match="column `__x` begins with `__`"):
        world.join(SPINE, "v")
