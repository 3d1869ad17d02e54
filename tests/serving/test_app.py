"""Limits, statuses and failures that both protocols share."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OrdinalEncoder

from drystone.ledger.requests import RequestWriter
from drystone.serving.app import LARGEST_BODY, App

from .deployed import ROW, Deployed, answering, deployed, tensors

PATHS = ["/invocations", "/v2/models/late-arrival/infer"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "one JSON document"),
        (b'{"inputs": [NaN]}', "send null"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100_000, ""),
        (b"[1] [2]", ""),
        (b'{"id": "\\ud800"}', ""),
    ],
)
def test_what_is_no_json_is_refused(server: Deployed, path: str, body: bytes, words: str) -> None:
    response = server.client.post(path, content=body)
    assert response.status_code == 400
    assert words in response.json()["hint"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_too_large_is_refused_before_it_is_read(server: Deployed, path: str) -> None:
    with httpx.Client(base_url=str(server.client.base_url)) as client:
        response = client.post(path, content=b" " * (LARGEST_BODY + 1))
    assert response.status_code == 413
    assert "16 MiB" in response.json()["error"]


def test_a_body_too_large_of_unknown_length_is_refused(server: Deployed) -> None:
    def parts() -> Any:
        for _ in range(17):
            yield b" " * (1 << 20)

    with httpx.Client(base_url=str(server.client.base_url)) as client:
        assert client.post("/invocations", content=parts()).status_code == 413


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "kind", ["text/html", "application/json; charset=latin-1", "application/octet-stream", "x"]
)
def test_another_content_type_is_refused(server: Deployed, path: str, kind: str) -> None:
    response = server.client.post(path, content=b"{}", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert "application/json" in response.json()["hint"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_refused_by_the_name_of_its_encoding(
    server: Deployed, path: str, encoding: str
) -> None:
    response = server.client.post(path, content=b"\x1f\x8b", headers={"Content-Encoding": encoding})
    assert (response.status_code, response.json()["field"]) == (415, "Content-Encoding")
    assert encoding in response.json()["error"]
    plain = {"Content-Encoding": "identity"}
    assert server.client.post(path, content=b"{}", headers=plain).status_code == 400


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_json_is_known_however_it_is_spelt(server: Deployed, kind: str) -> None:
    content = json.dumps({"instances": [ROW]})
    response = server.client.post("/invocations", content=content, headers={"Content-Type": kind})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/invocations", "POST"),
        ("GET", "/v2/models/late-arrival/infer", "POST"),
        ("POST", "/v2/health/ready", "GET, HEAD"),
        ("DELETE", "/v2/models/late-arrival", "GET, HEAD"),
    ],
)
def test_another_method_is_refused(server: Deployed, method: str, path: str, allowed: str) -> None:
    response = server.client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


def test_an_unknown_path_names_a_similar_one(server: Deployed) -> None:
    response = server.client.get("/invocation")
    assert (response.status_code, response.json()["hint"]) == (404, "there is /invocations")


def test_a_refusal_never_repeats_values(server: Deployed) -> None:
    secret = "4111-1111-1111-1111"
    for body in (
        {"instances": [{**ROW, "hour": secret}]},
        {"inputs": tensors({**ROW, "hour": secret})},
        {"dataframe_split": {"columns": list(ROW), "data": [[secret]]}},
    ):
        for path in PATHS:
            response = server.client.post(path, json=body)
            assert response.status_code == 400
            assert secret not in response.text
            assert "Traceback" not in response.text


def test_values_that_the_model_itself_refuses_are_the_clients_to_change(tmp_path: Path) -> None:
    with deployed(tmp_path, OrdinalEncoder()) as strict:
        assert strict.infer().status_code == 200
        response = strict.infer(inputs=tensors({**ROW, "carrier": "never-seen"}))
        assert response.status_code == 400
        assert "never trained on" in response.json()["hint"]
        assert "never-seen" not in response.text
        assert strict.infer().status_code == 200


def test_until_the_model_is_ready_only_life_is_confirmed() -> None:
    with answering(App("m")) as url, httpx.Client(base_url=url) as client:
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/models").status_code == 200
        for path in ("/v2/health/ready", "/v2/models/m/ready", "/v2/models/m", "/ping", "/health"):
            assert client.get(path).status_code == 503
        for path in ("/invocations", "/v2/models/m/infer"):
            response = client.post(path, content=b"{}")
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")


def test_a_prediction_that_cannot_be_logged_is_not_given(
    server: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writer: RequestWriter, event_time: int, lines: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RequestWriter, "append", full)
    response = server.infer()
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "no space left" in response.json()["error"].lower()
    assert "probability" not in response.text


def test_a_failure_of_ours_is_told_without_a_trace(server: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(RequestWriter, "append", broken)
    response = server.infer()
    assert response.status_code == 500
    assert "secret" not in response.text
    monkeypatch.undo()
    assert server.infer().status_code == 200


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
_VALUE = _LEAVES | _JSON
_TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*ROW, "x"]),
        "datatype": st.sampled_from(["BYTES", "INT64", "FP64", "FP32", "BOOL", "x"]),
        "shape": st.lists(st.integers(-1, 3), max_size=3) | _JSON,
        "data": st.lists(_VALUE, max_size=4) | _JSON,
    }
)
_NEAR = st.one_of(
    st.fixed_dictionaries({"inputs": st.lists(_TENSOR, max_size=5)}),
    st.fixed_dictionaries({"instances": st.lists(st.fixed_dictionaries(dict.fromkeys(ROW, _VALUE)))}),
    st.fixed_dictionaries(
        {"inputs": st.fixed_dictionaries(dict.fromkeys(ROW, st.lists(_VALUE, max_size=2)))}
    ),
    st.fixed_dictionaries({"instances": st.just([ROW]), "params": _JSON}),
)


@given(body=_JSON | _NEAR, path=st.sampled_from(PATHS))
def test_no_json_breaks_the_server(server: Deployed, body: Any, path: str) -> None:
    content = json.dumps(body, allow_nan=False).encode()
    response = server.client.post(path, content=content)
    assert response.status_code in (200, 400)
    assert response.status_code == 200 or set(response.json()) <= {"error", "field", "hint"}


@given(
    row=st.fixed_dictionaries(
        {
            "carrier": st.text(),
            "hour": st.integers(-(2**63), 2**63 - 1),
            "delay": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300),
            "wind": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        }
    )
)
def test_every_row_that_fits_the_signature_is_answered(server: Deployed, row: dict[str, Any]) -> None:
    response = server.invoke({"instances": [row]})
    expected = 400 if "\0" in row["carrier"] else 200
    assert response.status_code == expected, response.text


@given(body=st.binary(max_size=300), path=st.sampled_from(PATHS), csv=st.booleans())
def test_no_bytes_break_the_server(server: Deployed, body: bytes, path: str, csv: bool) -> None:
    headers = {"Content-Type": "text/csv"} if csv else {}
    assert server.client.post(path, content=body, headers=headers).status_code in (400, 415)
