"""`features(...).at(spine)`: what a spine may be, how names are kept apart, and what is refused."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drystone.core.errors import Conflict, DrystoneError, NotFound, ProjectInvalid, UsageError
from drystone.features.api import features, write

from .conftest import Folder

NOON = datetime(2013, 1, 1, 12)


@pytest.fixture
def world(folder: Folder) -> Folder:
    folder.table("rows", {"key_id": [1, 2], "ts": [NOON, NOON], "x": [1.5, 2.5]})
    folder.view("v", "SELECT * FROM rows")
    folder.view("w", "SELECT key_id, ts, -x AS x FROM rows")
    return folder


def test_a_spine_is_a_file_a_dataframe_a_table_or_a_relation(world: Folder, tmp_path: Path) -> None:
    table = pa.table({"key_id": [2, 1], "ts": [NOON, NOON]})
    pq.write_table(table, tmp_path / "spine.parquet")
    (tmp_path / "spine.csv").write_text("key_id,ts\n2,2013-01-01 12:00:00\n1,2013-01-01 12:00:00\n")
    spines = [table, table.to_pandas(), tmp_path / "spine.parquet", "spine.parquet", "spine.csv"]
    for spine in spines:
        assert world.join(spine, "v")["x"] == [2.5, 1.5]
    connection = duckdb.connect()
    relation = connection.sql("SELECT 2 AS key_id, TIMESTAMP '2013-01-01 12:00' AS ts")
    assert world.join(relation, "v")["x"] == [2.5]


def test_columns_of_the_spine_come_back_unchanged(world: Folder) -> None:
    spine = pa.table(
        {
            "ts": pa.array([NOON], pa.timestamp("ms", "America/New_York")),
            "key_id": pa.array([1], pa.int16()),
            "label": pa.array(["late"]).dictionary_encode(),
        }
    )
    got = features(world.layout, "v").at(spine)
    assert got.select(spine.column_names).equals(spine)
    assert got.column_names == [*spine.column_names, "x"]


def test_an_empty_spine_gives_typed_empty_columns(world: Folder) -> None:
    spine = pa.table({"key_id": pa.array([], pa.int64()), "ts": pa.array([], pa.timestamp("us"))})
    got = features(world.layout, "v").at(spine)
    assert (got.num_rows, got.schema.field("x").type) == (0, pa.float64())


def test_a_key_or_time_that_is_null_throughout_gives_nulls(world: Folder) -> None:
    for spine in ({"key_id": pa.nulls(2), "ts": [NOON, NOON]}, {"key_id": [1, 2], "ts": pa.nulls(2)}):
        assert world.join(pa.table(spine), "v")["x"] == [None, None]


def test_features_of_one_name_are_refused_or_told_apart(world: Folder) -> None:
    spine = pa.table({"key_id": [1], "ts": [NOON]})
    with pytest.raises(Conflict) as caught:
        world.join(spine, "v", "w")
    assert caught.value.message == "view `v` and view `w` both have a column `x`"
    got = world.join(spine, "v", "w", full_names=True)
    assert (got["v__x"], got["w__x"]) == ([1.5], [-1.5])


def test_a_feature_with_the_name_of_a_column_of_the_spine_is_refused(world: Folder) -> None:
    with pytest.raises(Conflict, match="the spine and view `v` both have a column `x`"):
        world.join(pa.table({"key_id": [1], "ts": [NOON], "x": [0]}), "v")


def test_a_column_of_the_spine_stands_for_a_key_of_another_name(world: Folder) -> None:
    spine = pa.table({"origin": [2], "ts": [NOON]})
    assert world.join(spine, "v", keys={"origin": "key_id"})["x"] == [2.5]


def test_the_time_is_found_by_name_then_by_type(world: Folder) -> None:
    one = pa.table({"key_id": [1], "asked": [NOON], "day": [date(2013, 1, 1)]})
    assert world.join(one, "v")["x"] == [1.5]
    named = one.append_column("event_time", pa.array([NOON.replace(hour=11)]))
    assert world.join(named, "v")["x"] == [None]
    assert world.join(named, "v", time="asked")["x"] == [1.5]
    assert world.join(named, "v", time="day")["x"] == [None]


OTHER_TYPE = "key `key_id` of the spine is `{}`, but `key_id` of view `v` is `BIGINT`"


@pytest.mark.parametrize(
    ("spine", "options", "error", "message"),
    [
        ({"keyid": [1], "ts": [NOON]}, {}, UsageError, "the spine has no column `key_id`, a key of view `v`"),
        (
            {"a": [1], "b": [1], "ts": [NOON]},
            {"keys": {"a": "key_id", "b": "key_id"}},
            UsageError,
            "several columns are to stand for key `key_id`",
        ),
        ({"key_id": [1], "ts": [NOON]}, {"time": "tz"}, UsageError, "the spine has no column `tz`"),
        ({"key_id": [1]}, {}, UsageError, "which column of the spine is its time?"),
        ({"key_id": [1], "a": [NOON], "b": [NOON]}, {}, UsageError, "which column of the spine is its time?"),
        (
            {"key_id": [1], "ts": ["noon"]},
            {},
            UsageError,
            "time column `ts` of the spine is no timestamp but `string`",
        ),
        ({"key_id": ["1"], "ts": [NOON]}, {}, UsageError, OTHER_TYPE.format("VARCHAR")),
        ({"key_id": [1.0], "ts": [NOON]}, {}, UsageError, OTHER_TYPE.format("DOUBLE")),
        (
            {"key_id": [1], "ts": [NOON]},
            {"keys": {"key_id": "id"}},
            UsageError,
            "no view has a key `id`, which `key_id` is to stand for",
        ),
    ],
)
def test_a_spine_that_does_not_fit_is_refused_with_a_hint(
    world: Folder,
    spine: dict[str, object],
    options: dict[str, object],
    error: type[DrystoneError],
    message: str,
) -> None:
    with pytest.raises(error) as caught:
        world.join(pa.table(spine), "v", **options)
    assert caught.value.message == message
    assert caught.value.hints


def test_a_spine_that_is_no_table_is_refused(world: Folder, tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    (tmp_path / "rows.txt").write_text("")
    broken: list[tuple[object, type[DrystoneError]]] = [
        ("none.csv", NotFound),
        ("broken.parquet", ProjectInvalid),
        ("rows.txt", UsageError),
        (3, ProjectInvalid),
    ]
    for spine, error in broken:
        with pytest.raises(error):
            world.join(spine, "v")


def test_views_are_named_once_each(world: Folder) -> None:
    for names in ((), ("v", "v")):
        with pytest.raises(UsageError):
            features(world.layout, *names)


def test_a_categorical_key_is_a_text(folder: Folder) -> None:
    folder.table("rows", {"key_id": ["a"], "ts": [NOON], "x": [1]})
    folder.view("v", "SELECT * FROM rows")
    spine = pd.DataFrame({"key_id": pd.Categorical(["a", "b"]), "ts": [NOON, NOON]})
    assert folder.join(spine, "v")["x"] == [1, None]


def test_the_same_table_is_written_as_the_same_bytes(world: Folder, tmp_path: Path) -> None:
    table = features(world.layout, "v").at(pa.table({"key_id": [1], "ts": [NOON]}))
    for suffix in (".parquet", ".csv"):
        paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
        for path in paths:
            write(table, path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
    with pytest.raises(UsageError, match="tables are written as"):
        write(table, tmp_path / "a.xlsx")
