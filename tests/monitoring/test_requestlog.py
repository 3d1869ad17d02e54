"""The request log is read as it stands; what is no prediction is counted, and nothing stops it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.monitoring.columns import sample
from drystone.monitoring.requestlog import Served, read

OBJECT = "b3:" + "ab" * 32


def line(identifier: str, event_time: str = "2013-04-01T08:00:00.000Z", **fields: Any) -> str:
    record = {
        "id": identifier,
        "time": "2026-01-01T00:00:00.000Z",
        "event_time": event_time,
        "model": "m",
        "version": 1,
        "object": OBJECT,
        "inputs": {"x": 1.5},
        "outputs": {"p": 0.5},
        "ms": 0.1,
    }
    return json.dumps({**record, **fields}) + "\n"


def test_predictions_fall_into_the_window_of_their_event_and_the_version_that_answered(
    tmp_path: Path,
) -> None:
    (tmp_path / "2013-04-30.jsonl").write_text(
        line("a", "2013-04-30T23:59:59.999Z")
        + line("b", "2013-05-01T00:30:00+01:00", version=2)
        + line("c", "2013-05-01")
    )
    found = read(tmp_path, "month")
    april, may = found.windows.values()
    assert {served.version: answers.ids for served, answers in april.items()} == {1: ["a"], 2: ["b"]}
    assert {served.version: answers.ids for served, answers in may.items()} == {1: ["c"]}
    assert found.n == 3


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    found = read(tmp_path / "nothing", "day")
    assert (found.windows, found.n) == ({}, 0)


def test_strange_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    strange = [
        "",
        "null",
        "{}",
        "[1]",
        '{"id": 3}',
        line("x", "soon").strip(),
        "\x00\xff",
        line("y", inputs=[]).strip(),
    ]
    (tmp_path / "2013-04-01.jsonl").write_text("\n".join(strange) + "\n" + line("a"))
    found = read(tmp_path, "month")
    assert (found.n, found.skipped.foreign, found.skipped.torn) == (1, 7, 0)  # an empty line is nothing
    assert len(found.skipped.examples) == 3 and set(found.skipped.examples) <= {
        f"2013-04-01.jsonl:{n}" for n in range(2, 9)
    }


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_without_its_end_was_never_answered(tmp_path: Path, cut: int) -> None:
    (tmp_path / "2013-04-01.jsonl").write_text(line("a") + line("b")[:-cut])
    found = read(tmp_path, "month")
    assert (found.n, found.skipped.foreign, found.skipped.torn) == (1, 0, 1)


def test_bytes_that_are_no_text_are_strange(tmp_path: Path) -> None:
    (tmp_path / "2013-04-01.jsonl").write_bytes(b"\xff\xfe\x00\n" + line("a").encode() + b'{"id":"\xff"}\n')
    assert (read(tmp_path, "month").n, read(tmp_path, "month").skipped.foreign) == (1, 2)


def test_a_prediction_logged_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "2013-04-01.jsonl").write_text(line("a") + line("a", inputs={"x": 9}))
    (tmp_path / "2013-04-02.jsonl").write_text(line("a"))
    found = read(tmp_path, "month")
    assert (found.n, found.skipped.repeated) == (1, 2)


def test_nan_and_infinity_of_lenient_writers_are_read(tmp_path: Path) -> None:
    (tmp_path / "2013-04-01.jsonl").write_text(
        line("a", inputs={"x": float("inf")}) + line("b", inputs={"x": float("nan")}) + line("c")
    )
    ((answers,),) = [tuple(window.values()) for window in read(tmp_path, "month").windows.values()]
    found = sample(answers.inputs["x"], "number")
    assert (found.missing, found.numbers.tolist()) == (1, [1.5, float("inf")])


@pytest.mark.parametrize("length", ["month", "week", "day"])
def test_a_time_beyond_the_calendar_is_passed_over_and_counted(tmp_path: Path, length: Any) -> None:
    times = ["2262-04-11T10:00:00Z", "1677-09-21T01:00:00Z", "2300-01-01", "0001-01-01T00:00:00Z"]
    (tmp_path / "2013-04-01.jsonl").write_text(line("a") + "".join(line(time, time) for time in times[:2]))
    (tmp_path / "2013-04-02.jsonl").write_text(line("b") + "".join(line(time, time) for time in times[2:]))
    found = read(tmp_path, length)
    assert ([one for _, _, answers in found.groups() for one in answers.ids], found.n) == (["a", "b"], 2)
    assert found.skipped.notes() == [
        "of the request log 4 lines passed over as dated outside the years 1678 to 2261"
    ]


def test_what_is_no_file_is_passed_over_and_counted(tmp_path: Path) -> None:
    (tmp_path / "2013-04-01.jsonl").write_text(line("a"))
    (tmp_path / "x.jsonl").mkdir()
    os.mkfifo(tmp_path / "y.jsonl")
    (tmp_path / "z.jsonl").symlink_to(tmp_path / "nowhere")
    found = read(tmp_path, "month")
    assert (found.n, found.skipped.notes()) == (1, ["of the request log 3 items passed over as no file"])


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=2),
    st.lists(st.none(), max_size=1),
)
rows = st.lists(st.dictionaries(st.sampled_from("xyz"), values), max_size=8)


@given(rows, rows)
def test_columns_stay_beside_their_ids_however_rows_differ(
    tmp_path_factory: pytest.TempPathFactory, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    for day, part in enumerate((first, second), start=1):
        lines = [line(f"{day}-{at}", f"2013-04-0{day}", inputs=row) for at, row in enumerate(part)]
        (directory / f"2013-04-0{day}.jsonl").write_text("".join(lines))
    found = read(directory, "month")
    if not first + second:
        assert found.n == 0
        return
    answers = next(iter(found.windows.values()))[Served("m", 1, OBJECT)]
    assert len(answers.ids) == len(first) + len(second)
    for name in {key for row in first + second for key in row}:
        column = [
            v for part in answers.inputs[name] for v in (part if isinstance(part, list) else part.to_pylist())
        ]
        assert column == [row.get(name) for row in first + second]
