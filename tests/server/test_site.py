"""What every answer has in common: headers, host names, methods, errors."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "path", ["/", "/runs.json", "/static/style.css", "/healthz", "/nothing", "/runs?page=!"]
)
def test_every_answer_carries_the_security_headers(visit, project, path: str) -> None:
    headers = visit(project).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "cache-control" in headers


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "127.0.0.1@evil.example:80",
        "169.254.169.254",
    ],
)
def test_a_page_of_another_name_cannot_read_us_by_rebinding_its_name(visit, project, host: str) -> None:
    answer = visit(project).get("/runs.json", headers={"host": host})
    assert answer.status_code == 421
    assert "train" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4242", "127.0.0.1:4242", "[::1]:4242", "[::1]"])
def test_the_loopback_names_are_answered(visit, project, host: str) -> None:
    assert visit(project).get("/runs.json", headers={"host": host}).status_code == 200


def test_any_name_is_answered_where_the_server_was_opened_to_others(visit, project) -> None:
    assert visit(project, "http://lab.example:4242", hosts=None).get("/healthz").text == "ok\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/runs", "/models/late-arrival.json"])
def test_nothing_can_be_changed_through_the_pages(visit, project, method: str, path: str) -> None:
    answer = visit(project).request(method, path)
    assert answer.status_code == 405
    assert "change nothing" in answer.text


def test_head_has_the_headers_of_get_and_no_body(visit, project) -> None:
    answer = visit(project).request("HEAD", "/runs")
    assert answer.status_code == 200 and answer.content == b""


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("/models/none", "no model named `none`", "drystone ls model"),
        (
            "/models/late-arrival/v99",
            "no version `v99` of model `late-arrival`",
            "drystone ls model:late-arrival",
        ),
        ("/models/late-arrival/v" + "9" * 30, "no version `v" + "9" * 30, "drystone ls model:late-arrival"),
        ("/data/none", "no dataset named `none`", "drystone ls data"),
        ("/deployments/none", "no deployment named `none`", "drystone ls deploy"),
        ("/monitors/none", "no deployment named `none`", "drystone ls deploy"),
        ("/runs/ffffffffffff", "no run `ffffffffffff`", "drystone log"),
        ("/objects/b3~3Aabc", "not an object: `b3:abc`", "64 hex digits"),
        ("/nothing", "no page `/nothing`", "`/`"),
        ("/models/late-arrival/vx", "no page `/models/late-arrival/vx`", "`/`"),
    ],
)
def test_what_is_not_there_is_404_in_the_shape_of_all_errors(
    visit, project, path: str, message: str, hint: str
) -> None:
    site = visit(project)
    twin = site.get(f"{path}.json")
    assert twin.status_code == site.get(path).status_code == 404
    assert set(twin.json()["error"]) >= {"code", "message", "at", "because", "hints", "exit"}
    assert twin.json()["error"]["message"].replace(".json", "").startswith(message)
    assert hint in " ".join(twin.json()["error"]["hints"])
    page = site.get(path).text
    assert "error:" in page and "hint:" in page and 'href="/"' in page


@pytest.mark.parametrize(
    "path", ["/runs?page=!", "/runs/compare", "/runs/compare?a=", "/runs?name=%ff", "/models?page=%00!"]
)
def test_a_question_that_makes_no_sense_is_400(visit, project, path: str) -> None:
    answer = visit(project).get(path)
    assert answer.status_code == 400
    assert "error:" in answer.text


def test_our_own_bug_is_500_without_its_secrets(visit, project, monkeypatch: pytest.MonkeyPatch) -> None:
    from drystone.server import render

    def broken(*_: object, **__: object) -> dict[str, object]:
        raise ZeroDivisionError("the password is hunter2")

    site = visit(project)
    monkeypatch.setattr("drystone.ledger.runs.recent", broken)
    for path in ("/runs", "/runs.json"):
        answer = site.get(path)
        assert answer.status_code == 500
        assert "ZeroDivisionError" in answer.text and "hunter2" not in answer.text
        assert "content-security-policy" in answer.headers
    assert render.STATIC.is_dir()


def test_styles_are_kept_by_the_browser_and_change_their_address_with_their_content(visit, project) -> None:
    site = visit(project)
    page = site.get("/").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert address.startswith("/static/style.css?v=")
    answer = site.get(address)
    assert "immutable" in answer.headers["cache-control"] and answer.headers["content-type"].startswith(
        "text/css"
    )
    assert len(answer.content) < 12_000
    assert "url(" not in answer.text and "@import" not in answer.text


@pytest.mark.parametrize(
    "path", ["/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static/none.css"]
)
def test_only_the_static_files_are_served(visit, project, path: str) -> None:
    assert visit(project).get(path).status_code == 404


def test_a_malformed_host_is_no_way_to_crash_an_open_server(visit, project) -> None:
    answer = visit(project, hosts=None).get("/nothing", headers={"host": "["})
    assert answer.status_code == 404
