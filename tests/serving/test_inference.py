"""The Open Inference Protocol, version 2, against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from drystone.core.clock import to_iso
from drystone.ledger.requests import find

from .deployed import ROW, Deployed, tensors


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_tells_about_itself(server: Deployed, path: str) -> None:
    body = server.client.get(path).json()
    assert body["name"] == "drystone"
    assert body["extensions"] == []


def test_health(server: Deployed) -> None:
    assert server.client.get("/v2/health/live").json() == {"live": True}
    assert server.client.get("/v2/health/ready").json() == {"ready": True}
    assert server.client.get("/v2/models/late-arrival/ready").json() == {
        "name": "late-arrival",
        "ready": True,
    }
    assert server.client.get("/v2/models").json() == {"models": ["late-arrival"]}
    assert server.client.head("/v2/health/live").status_code == 200


@pytest.mark.parametrize("path", ["", "/versions/v1", "/versions/1"])
def test_metadata_is_the_signature(server: Deployed, path: str) -> None:
    assert server.client.get(f"/v2/models/late-arrival{path}").json() == {
        "name": "late-arrival",
        "versions": ["v1"],
        "platform": "drystone_onnx",
        "inputs": [
            {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
            {"name": "hour", "datatype": "INT64", "shape": [-1]},
            {"name": "delay", "datatype": "FP64", "shape": [-1]},
            {"name": "wind", "datatype": "FP64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "late", "datatype": "BOOL", "shape": [-1]},
            {"name": "probability", "datatype": "FP32", "shape": [-1]},
        ],
        "properties": {"wind.nullable": "true"},
    }


def test_rows_are_answered_in_order_each_with_an_id(server: Deployed) -> None:
    early = {**ROW, "delay": -30.0, "hour": 6}
    response = server.infer(id="abc", inputs=tensors(ROW, early))
    body = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["drystone-model"] == "late-arrival@v1"
    assert (body["model_name"], body["model_version"], body["id"]) == ("late-arrival", "v1", "abc")
    late, probability = body["outputs"]
    assert (late["name"], late["datatype"], late["shape"], late["data"]) == (
        "late",
        "BOOL",
        [2],
        [True, False],
    )
    assert (probability["datatype"], probability["shape"]) == ("FP32", [2])
    assert probability["data"][0] > 0.5 > probability["data"][1]
    ids = body["parameters"]["prediction_ids"].split(",")
    assert len(set(ids)) == 2


def test_a_version_can_be_asked_by_number(server: Deployed) -> None:
    body = {"inputs": tensors(ROW)}
    assert server.client.post("/v2/models/late-arrival/versions/v1/infer", json=body).status_code == 200


def test_only_the_outputs_asked_for_are_sent_and_ids_among_them_as_a_tensor(server: Deployed) -> None:
    body = server.infer(outputs=[{"name": "prediction_id"}, {"name": "probability"}]).json()
    assert [output["name"] for output in body["outputs"]] == ["prediction_id", "probability"]
    assert body["outputs"][0]["datatype"] == "BYTES"
    assert body["outputs"][0]["data"] == [body["parameters"]["prediction_ids"]]


def test_each_row_is_in_the_request_log_when_it_is_answered(server: Deployed) -> None:
    body = server.infer(parameters={"event_time": "2013-04-01T05:15:00+02:00"}).json()
    logged = find(server.layout, body["parameters"]["prediction_ids"])
    assert logged is not None
    assert (logged.deployment, logged.line.model, logged.line.version) == ("late-arrival", "late-arrival", 1)
    assert logged.line.object == server.engine.version.object
    assert logged.line.inputs == ROW
    assert logged.line.outputs == {"late": True, "probability": body["outputs"][1]["data"][0]}
    assert logged.line.event_time == "2013-04-01T03:15:00.000Z"
    assert logged.line.time == to_iso(server.clock.now())
    assert (server.layout.requests / "late-arrival" / "2013-04-01.jsonl").exists()


def test_without_an_event_time_rows_happen_now(server: Deployed) -> None:
    logged = find(server.layout, server.infer().json()["parameters"]["prediction_ids"])
    assert logged is not None
    assert logged.line.event_time == logged.line.time


def test_many_rows_are_answered_as_one_by_one(server: Deployed) -> None:
    rows = [{**ROW, "delay": float(delay)} for delay in range(-50, 150)]
    together = server.infer(inputs=tensors(*rows)).json()["outputs"][1]["data"]
    alone = [server.infer(inputs=tensors(row)).json()["outputs"][1]["data"][0] for row in rows[::40]]
    assert together[::40] == alone


def _changed(name: str, **changes: Any) -> list[dict[str, Any]]:
    return [{**tensor, **(changes if tensor["name"] == name else {})} for tensor in tensors(ROW)]


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(_changed("hour", shape=[1, 1], data=[[17]]), id="nested"),
        pytest.param(_changed("hour", shape=[1, 1], data=[17]), id="a column, flat"),
        pytest.param(_changed("hour", datatype="INT8"), id="a smaller integer"),
        pytest.param(_changed("hour", datatype="UINT64"), id="unsigned"),
        pytest.param(_changed("delay", datatype="FP32"), id="a smaller float"),
        pytest.param(_changed("delay", datatype="INT32", data=[12]), id="an integer for a float"),
        pytest.param(_changed("delay", data=[12]), id="a float written without a point"),
        pytest.param(_changed("hour", parameters={"binary_data": False}), id="a parameter of a client"),
        pytest.param(list(reversed(tensors(ROW))), id="another order"),
    ],
)
def test_forms_that_mean_the_same_are_accepted(server: Deployed, inputs: list[dict[str, Any]]) -> None:
    assert server.infer(inputs=inputs).status_code == 200


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        pytest.param(tensors(ROW)[1:], "carrier", "`carrier` is missing", id="missing"),
        pytest.param([], "carrier", "`carrier` is missing", id="none"),
        pytest.param(
            [*tensors(ROW), {**tensors(ROW)[0], "name": "carier"}], "carier", "unknown input", id="extra"
        ),
        pytest.param([*tensors(ROW), tensors(ROW)[0]], "carrier", "comes twice", id="twice"),
        pytest.param(_changed("hour", data=[None]), "hour", "missing in row 0", id="null"),
        pytest.param(_changed("carrier", data=[None]), "carrier", "missing in row 0", id="null string"),
        pytest.param(_changed("hour", data=["17"]), "hour", "is a string in row 0", id="string for integer"),
        pytest.param(_changed("hour", data=[17.0]), "hour", "is a number in row 0", id="float for integer"),
        pytest.param(_changed("hour", data=[True]), "hour", "is a boolean", id="boolean for integer"),
        pytest.param(_changed("delay", data=[True]), "delay", "is a boolean", id="boolean for float"),
        pytest.param(_changed("delay", data=["x"]), "delay", "is a string", id="string for float"),
        pytest.param(_changed("carrier", data=[1]), "carrier", "is an integer", id="integer for string"),
        pytest.param(_changed("carrier", data=[{}]), "carrier", "a list or object", id="object for string"),
        pytest.param(_changed("carrier", data=["U\0A"]), "carrier", "zero character", id="zero character"),
        pytest.param(_changed("hour", data=[2**63]), "hour", "out of range", id="integer overflow"),
        pytest.param(_changed("delay", data=[10**400]), "delay", "out of range", id="float overflow"),
        pytest.param(_changed("hour", datatype="FP64"), "hour", "cannot be of datatype", id="float datatype"),
        pytest.param(_changed("hour", datatype="INT"), "hour", "cannot be of datatype", id="no datatype"),
        pytest.param(_changed("carrier", datatype="STRING"), "carrier", "datatype", id="not BYTES"),
        pytest.param(_changed("hour", shape=[2]), "hour", "has 2 rows", id="other rows"),
        pytest.param(_changed("carrier", shape=[2]), "hour", "has 1 rows", id="first has other rows"),
        pytest.param(_changed("hour", shape=[1, 2]), "hour", "another shape", id="wide"),
        pytest.param(_changed("hour", shape=[]), "hour", "impossible shape", id="no shape"),
        pytest.param(_changed("hour", shape=[-1]), "hour", "impossible shape", id="negative shape"),
        pytest.param(_changed("hour", data=[1, 2]), "hour", "2 elements", id="data beyond the shape"),
        pytest.param(_changed("hour", shape=[1, 1], data=[[1, 2]]), "hour", "2 elements", id="nested beyond"),
        pytest.param(_changed("hour", shape=[1, 1], data=[[1], 2]), "hour", "ragged", id="half nested"),
        pytest.param(_changed("hour", data=[[17]]), "hour", "a list or object", id="nested without a shape"),
        pytest.param(_changed("hour", shape="1"), "inputs[1].shape", "Expected `array`", id="shape no list"),
        pytest.param([{"name": "hour"}], "inputs[0]", "missing required field", id="half a tensor"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_field_named(
    server: Deployed, inputs: Any, field: str, words: str
) -> None:
    response = server.infer(inputs=inputs)
    body = response.json()
    assert response.status_code == 400
    assert body["field"] == field
    assert words.lower() in body["error"].lower()
    assert body["hint"]


def test_no_rows_are_refused(server: Deployed) -> None:
    empty = [{**tensor, "shape": [0], "data": []} for tensor in tensors(ROW)]
    assert "no rows" in server.infer(inputs=empty).json()["error"]


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "",
        5,
        True,
        "0001-01-01T00:00:00+14:00",
        "9999-01-01",
        "2262-04-11",
        "2025-01-01",
        "1969-12-31",
    ],
)
def test_an_event_time_that_is_none_is_refused(server: Deployed, time: Any) -> None:
    response = server.infer(parameters={"event_time": time})
    assert (response.status_code, response.json()["field"]) == (400, "event_time")


def test_rows_may_happen_within_a_year(server: Deployed) -> None:
    # the server's clock stands in November 2023
    assert server.infer(parameters={"event_time": "2024-11-01"}).status_code == 200


def test_an_unknown_output_is_refused(server: Deployed) -> None:
    body = server.infer(outputs=[{"name": "score"}]).json()
    assert (body["field"], body["hint"]) == (
        "score",
        "the model gives `late`, `probability`, `prediction_id`",
    )


def test_an_unknown_key_is_refused(server: Deployed) -> None:
    response = server.infer(event_time="2013-04-01")
    assert response.status_code == 400
    assert "unknown field `event_time`" in response.json()["error"]


def test_binary_tensors_are_refused_with_the_way_to_send_json(server: Deployed) -> None:
    headers = {"Inference-Header-Content-Length": "10"}
    response = server.client.post("/v2/models/late-arrival/infer", content=b"{}", headers=headers)
    assert response.status_code == 400
    assert "binary_data=False" in response.json()["hint"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v2/models/other", "model"),
        ("/v2/models/other/infer", "model"),
        ("/v2/models/late-arrival/versions/v2/infer", "version"),
        ("/v2/models/late-arrival/versions/latest", "version"),
    ],
)
def test_another_model_or_version_is_not_found(server: Deployed, path: str, field: str) -> None:
    method = "POST" if path.endswith("infer") else "GET"
    response = server.client.request(method, path, content=b"{}" if method == "POST" else None)
    assert (response.status_code, response.json()["field"]) == (404, field)
    assert "this server has" in response.json()["hint"]
