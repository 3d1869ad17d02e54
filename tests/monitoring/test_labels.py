"""Labels: one per prediction, the newest; missing is not negative; nonsense is said, not guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import NotFound, ProjectInvalid
from drystone.monitoring import labels


def write(path: Path, rows: list[tuple[Any, ...]], *, types: dict[str, pa.DataType] | None = None) -> Path:
    names = ("prediction_id", "label", "label_time")[: len(rows[0]) if rows else 3]
    types = types or {}
    columns = {
        name: pa.array([row[at] for row in rows], type=types.get(name) if rows else pa.string())
        for at, name in enumerate(names)
    }
    parquet.write_table(pa.table(columns), path)
    return path


row = st.tuples(
    st.one_of(st.none(), st.sampled_from("abcde")),
    st.one_of(st.none(), st.integers(0, 3)),
    st.one_of(st.none(), st.integers(0, 4)),
)


@given(st.lists(row, max_size=30), st.lists(st.sampled_from("abcdefg"), unique=True))
def test_the_join_is_that_of_a_loop_over_all_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], served: list[str]
) -> None:
    newest: dict[str, tuple[int, int]] = {}
    for name, label, time in rows:
        when = -1 if time is None else time
        if name is not None and label is not None and (name not in newest or when >= newest[name][0]):
            newest[name] = (when, label)
    types = {"prediction_id": pa.string(), "label": pa.int64(), "label_time": pa.int64()}
    found = labels.read(write(tmp_path_factory.mktemp("labels") / "m.parquet", rows, types=types))
    expected = [newest[name][1] if name in newest else None for name in served]
    assert [
        None if value is None else int(value) for value in found.of(pa.array(served, pa.string())).to_pylist()
    ] == expected
    whole = sum(name is not None and label is not None for name, label, _ in rows)
    assert (found.missing, found.repeated) == (len(rows) - whole, whole - len(newest))
    assert found.unknown(pa.array(served, pa.string())) == len(set(newest) - set(served))


def test_without_times_the_row_further_down_wins(tmp_path: Path) -> None:
    found = labels.read(write(tmp_path / "m.parquet", [("a", 0), ("b", 1), ("a", 1)]))
    assert found.of(pa.array(["a", "b", "c"])).to_pylist() == [1, 1, None]


def test_nan_is_no_label(tmp_path: Path) -> None:
    found = labels.read(write(tmp_path / "m.parquet", [("a", float("nan")), ("b", 1.0)]))
    assert (found.of(pa.array(["a", "b"])).to_pylist(), found.missing) == ([None, 1.0], 1)


@pytest.mark.parametrize(
    "times",
    [
        ["2013-05-02", "2013-05-01T23:00Z"],
        [datetime(2013, 5, 2, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)],
    ],
)
def test_times_are_read_from_text_and_timestamps(tmp_path: Path, times: list[Any]) -> None:
    found = labels.read(write(tmp_path / "m.parquet", [("a", 1, times[0]), ("a", 0, times[1])]))
    assert found.of(pa.array(["a"])).to_pylist() == [1]


def test_ids_in_a_csv_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(
        "prediction_id,label,label_time\n12e5,true,2013-05-01\n007,false,2013-05-01\n,true,\n9,,\n"
    )
    found = labels.read(path)
    assert found.of(pa.array(["12e5", "007", "7", "9"])).to_pylist() == [True, False, None, None]
    assert found.missing == 2


def test_convention_finds_parquet_before_csv(tmp_path: Path) -> None:
    assert labels.find(tmp_path, "m") is None
    (tmp_path / "m.csv").write_text("prediction_id,label\n")
    assert labels.find(tmp_path, "m") == tmp_path / "m.csv"
    write(tmp_path / "m.parquet", [("a", 1)])
    assert labels.find(tmp_path, "m") == tmp_path / "m.parquet"


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_an_empty_table_is_no_labels(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("prediction_id,label,label_time\n")
    else:
        write(path, [])
    assert labels.read(path).of(pa.array(["a"])).to_pylist() == [None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "id,label\na,1\n", "has no column `prediction_id`"),
        ("m.csv", "prediction_id,truth\na,1\n", "has no column `label`"),
        ("m.csv", "prediction_id,label,label_time\na,1,soon\n", "`label_time` of `m.csv` is not a time"),
        ("m.csv", "", "cannot be read"),
        ("m.csv", "prediction_id,label\na,1,2,3\n", "cannot be read"),
        ("m.parquet", "not parquet", "cannot be read"),
        ("m.txt", "prediction_id,label\n", "is not a table of labels"),
    ],
)
def test_what_is_no_table_of_labels_is_said(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ProjectInvalid, match=message):
        labels.read(tmp_path / name)


def test_ids_that_are_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match="is not text"):
        labels.read(write(tmp_path / "m.parquet", [(1, 1)]))


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no labels at `m.csv`"):
        labels.read(tmp_path / "m.csv")
