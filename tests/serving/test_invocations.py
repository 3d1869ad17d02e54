"""MLflow's scoring routes against a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drystone.ledger.requests import find

from .deployed import ROW, Deployed

NAMES = list(ROW)
VALUES = list(ROW.values())
SPLIT = {"columns": NAMES, "data": [VALUES, VALUES]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": SPLIT},
        {"dataframe_split": {**SPLIT, "index": [4, 5]}},
        {"dataframe_records": [ROW, ROW]},
        {"instances": [ROW, dict(reversed(ROW.items()))]},
        {"inputs": {name: [value, value] for name, value in ROW.items()}},
        {"inputs": {name: [value, value] for name, value in ROW.items()}, "params": {"other": 1}},
    ],
)
def test_every_form_gives_a_record_and_an_id_per_row(server: Deployed, body: Any) -> None:
    response = server.invoke(body)
    found = response.json()
    assert response.status_code == 200
    assert [set(record) for record in found["predictions"]] == [{"late", "probability"}] * 2
    assert found["predictions"][0] == found["predictions"][1]
    assert len(set(found["prediction_ids"])) == 2
    assert response.headers["drystone-model"] == "late-arrival@v1"


def test_the_models_own_example_is_a_valid_body(server: Deployed) -> None:
    example = (server.layout.models / "late-arrival" / "example.json").read_bytes()
    assert server.client.post("/invocations", content=example).status_code == 200


def test_csv_is_taken_and_an_empty_cell_is_a_missing_value(server: Deployed) -> None:
    text = "hour,carrier,delay,wind\n17,UA,12.5,\n17,UA,12.5,1e1\n"
    response = server.client.post("/invocations", content=text, headers={"Content-Type": "text/csv"})
    found = response.json()
    assert found["predictions"][0] == server.invoke({"instances": [ROW]}).json()["predictions"][0]
    logged = find(server.layout, found["prediction_ids"][1])
    assert logged is not None
    assert logged.line.inputs["wind"] == 10.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("hour,carrier,delay,wind\n", "no rows"),
        ("hour,carrier,delay\n1,UA,2\n", "`wind` is missing"),
        ("hour,carrier,delay,wind\n1,UA,2\n", "3 values for 4 columns"),
        ("hour,carrier,delay,wind\n1.5,UA,2,3\n", "`hour` is a number"),
        ("hour,carrier,delay,wind\n1_0,UA,2,3\n", "`hour` is a string"),
        ("hour,carrier,delay,wind\n1,UA,nan,3\n", "`delay` is a string"),
        ("hour,carrier,delay,wind\n,UA,2,3\n", "`hour` is missing"),
        ("hour,carrier,delay,wind\n1,,2,3\n", "`carrier` is missing"),
        (f"hour,carrier,delay,wind\n{'1' * 5000},UA,2,3\n", "`hour` is a number"),
        (f"hour,carrier,delay,wind\n1,UA,{'1' * 5000},3\n", "`delay` has a value out of range"),
        ("hour,carrier,delay,wind\n1,UA,1e9999,3\n", "`delay` has a value out of range"),
        ("hour,carrier,delay,wind\n1,UA,1e39,-1e999\n", "`wind` has a value out of range"),
        ('hour,carrier,delay,wind\n1,"UA,2,3\n', "not CSV"),
        ("hour,carrier,delay,wind\n1,\xff,2,3\n", "not CSV"),
    ],
)
def test_csv_that_does_not_fit_is_refused(server: Deployed, text: str, words: str) -> None:
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    response = server.client.post("/invocations", content=text.encode("latin-1"), headers=headers)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_the_event_time_is_a_parameter(server: Deployed) -> None:
    body = server.invoke({"instances": [ROW], "params": {"event_time": "2013-05-01"}}).json()
    logged = find(server.layout, body["prediction_ids"][0])
    assert logged is not None
    assert logged.line.event_time == "2013-05-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "none of the forms"),
        ({"dataframe_split": SPLIT, "inputs": {}}, "`dataframe_split` and `inputs`"),
        ([1], "expected `object`"),
        ({"rows": []}, "unknown field `rows`"),
        ({"dataframe_split": {"columns": NAMES, "data": [VALUES[:-1]]}}, "3 values for 4 columns"),
        ({"dataframe_split": {"columns": NAMES[:-1], "data": [VALUES[:-1]]}}, "`wind` is missing"),
        ({"dataframe_split": {"columns": [*NAMES, "x"], "data": [[*VALUES, 1]]}}, "unknown column `x`"),
        ({"dataframe_split": {"columns": [*NAMES, "hour"], "data": [[*VALUES, 1]]}}, "`hour` comes twice"),
        ({"dataframe_split": {"columns": NAMES, "data": []}}, "no rows"),
        ({"dataframe_split": {"data": [VALUES]}}, "missing required field `columns`"),
        ({"dataframe_records": [ROW, {**ROW, "x": 1}]}, "unknown column `x`"),
        ({"dataframe_records": [{}]}, "`carrier` is missing"),
        ({"dataframe_records": []}, "no rows"),
        ({"instances": [VALUES]}, "row 0 (the first is 0) of `instances` is not an object"),
        ({"inputs": [VALUES]}, "named columns"),
        ({"inputs": ROW}, "is not a list"),
        ({"inputs": {**{name: [value] for name, value in ROW.items()}, "hour": [1, 2]}}, "`hour` has 2 rows"),
        ({"instances": [{**ROW, "hour": None}]}, "`hour` is missing"),
        ({"instances": [{**ROW, "hour": "x"}]}, "`hour` is a string"),
        ({"instances": [{**ROW, "delay": 10**400}]}, "out of range"),
        ({"instances": [ROW], "params": {"event_time": "soon"}}, "`event_time`"),
        ({"instances": [ROW], "params": 3}, "expected `object | null`"),
    ],
)
def test_what_does_not_fit_is_refused(server: Deployed, body: Any, words: str) -> None:
    response = server.invoke(body)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_a_number_beyond_all_floats_is_refused(server: Deployed) -> None:
    body = json.dumps({"instances": [ROW]}).replace("12.5", "1e9999")
    response = server.client.post("/invocations", content=body)
    assert response.status_code == 400
    assert "out of range" in response.json()["error"]


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_health_is_plain(server: Deployed, path: str) -> None:
    response = server.client.get(path)
    assert (response.status_code, response.content) == (200, b"\n")


def test_the_version_is_drystones(server: Deployed) -> None:
    assert server.client.get("/version").text.count(".") == 2
