"""The request log on disk, without a server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import Conflict, UsageError
from drystone.core.ids import new_id
from drystone.core.layout import Layout
from drystone.ledger.requests import Line, RequestWriter, find

DAY = 86_400_000_000_000


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def writer(layout: Layout) -> Iterator[RequestWriter]:
    opened = RequestWriter(layout, "churn")
    yield opened
    opened.close()


def _line(identifier: str, value: float | None = 1.5) -> Line:
    time = "2026-01-31T08:00:00.000Z"
    return Line(identifier, time, time, "churn", 2, "b3:" + "0" * 64, {"x": value}, {"y": True}, 0.25)


def _file(layout: Layout, date: str = "1970-01-01") -> Path:
    return layout.requests / "churn" / f"{date}.jsonl"


def test_predictions_stand_in_the_file_of_their_events_date(layout: Layout, writer: RequestWriter) -> None:
    writer.append(0, [_line("a"), _line("b")])
    writer.append(DAY, [_line("c")])
    writer.append(DAY - 1_000_000, [_line("d")])
    assert [json.loads(line)["id"] for line in _file(layout).read_text().splitlines()] == ["a", "b", "d"]
    assert len(_file(layout, "1970-01-02").read_text().splitlines()) == 1


def test_a_line_is_plain_json_with_null_for_what_is_missing(layout: Layout, writer: RequestWriter) -> None:
    writer.append(0, [_line("a", float("nan"))])
    assert json.loads(_file(layout).read_bytes()) == {
        "id": "a",
        "time": "2026-01-31T08:00:00.000Z",
        "event_time": "2026-01-31T08:00:00.000Z",
        "model": "churn",
        "version": 2,
        "object": "b3:" + "0" * 64,
        "inputs": {"x": None},
        "outputs": {"y": True},
        "ms": 0.25,
    }


def test_a_prediction_is_found_among_days_and_deployments(layout: Layout, writer: RequestWriter) -> None:
    ids = [new_id(turn * DAY) for turn in range(10)]
    for turn, identifier in enumerate(ids):
        writer.append(turn * DAY, [_line(identifier)])
    other = RequestWriter(layout, "fraud")
    other.append(0, [_line(new_id(0))])
    other.close()
    for identifier in ids:
        found = find(layout, identifier)
        assert found is not None
        assert (found.line.id, found.deployment, found.line.inputs) == (identifier, "churn", {"x": 1.5})
    assert find(layout, new_id(0)) is None


def test_an_id_inside_another_predictions_inputs_is_not_that_prediction(
    layout: Layout, writer: RequestWriter
) -> None:
    wanted = new_id(5)
    decoy = _line(new_id(4))
    decoy.inputs = {"previous": wanted}
    writer.append(0, [decoy, _line(wanted)])
    found = find(layout, wanted)
    assert found is not None
    assert found.line.id == wanted


def test_nothing_is_found_where_nothing_was_served(layout: Layout) -> None:
    assert find(layout, new_id(0)) is None


@given(cut=st.integers(1, 200))
def test_a_torn_tail_is_passed_over_and_cut_by_the_next_writer(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    layout = Layout(tmp_path_factory.mktemp("torn"))
    whole, torn = new_id(1), new_id(2)
    writer = RequestWriter(layout, "churn")
    writer.append(0, [_line(whole), _line(torn)])
    writer.close()
    file = _file(layout)
    complete = file.read_bytes()
    second = complete.index(b"\n") + 1
    file.write_bytes(complete[: max(second + 1, len(complete) - cut)])
    assert find(layout, whole) is not None
    assert find(layout, torn) is None
    again, third = RequestWriter(layout, "churn"), new_id(3)
    again.append(0, [_line(third)])
    again.close()
    assert file.read_bytes()[:second] == complete[:second]
    assert [json.loads(line)["id"] for line in file.read_bytes().splitlines()] == [whole, third]


def test_what_cannot_be_written_whole_is_not_written_at_all(
    layout: Layout, writer: RequestWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append(0, [_line("a")])
    before = _file(layout).read_bytes()
    write = os.write

    def until_full(file: int, data: memoryview) -> int:
        if len(data) <= 20:
            raise OSError(28, "No space left on device")
        return write(file, data[: len(data) - 20])

    monkeypatch.setattr("os.write", until_full)
    with pytest.raises(OSError, match="No space"):
        writer.append(0, [_line("b")])
    monkeypatch.undo()
    assert _file(layout).read_bytes() == before
    writer.append(0, [_line("c")])
    assert len(_file(layout).read_bytes().splitlines()) == 2


def test_a_deployment_has_one_writer(layout: Layout, writer: RequestWriter) -> None:
    with pytest.raises(Conflict, match="already being served"):
        RequestWriter(layout, "churn")
    RequestWriter(layout, "churn-2").close()


def test_a_closed_writer_lets_the_next_one_in(layout: Layout) -> None:
    RequestWriter(layout, "churn").close()
    RequestWriter(layout, "churn").close()


@pytest.mark.parametrize("name", ["", "..", "a/b", "/x", "a b"])
def test_a_name_that_is_no_folder_is_refused(layout: Layout, name: str) -> None:
    with pytest.raises(UsageError):
        RequestWriter(layout, name)


def test_more_days_than_files_may_be_open_are_written(layout: Layout, writer: RequestWriter) -> None:
    for turn in [*range(100), *range(100)]:
        writer.append(turn * DAY, [_line(str(turn))])
    assert {len(path.read_bytes().splitlines()) for path in (layout.requests / "churn").iterdir()} == {2}
