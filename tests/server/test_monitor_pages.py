"""What the pages say of deployments and of what their monitors found."""

from __future__ import annotations

from typing import Any

import pytest

from drystone.ledger import facts


def test_a_broken_contract_is_not_called_drift(visit, empty) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    broken = tuple(facts.FeatureVerdict(name, "fail", why="the column is absent") for name in ("a", "b"))
    drifted = facts.FeatureVerdict("c", "fail", 0.001, 0.3, "moved")
    for features, said, row in (
        (broken, "contract broken by a, b", "contract broken</span> by a, b</td>"),
        ((*broken, drifted), "contract broken by a, b; drift of c", "contract broken</span> by a, b; c</td>"),
    ):
        empty.add(facts.WindowJudged("production", 0, 10**15, 5, "fail", model, run, empty.now(), features))
        site = visit(empty)
        (item,) = site.get("/index.json").json()["attention"]
        assert item["why"] == said
        page = site.get("/monitors/production").text
        assert row in page and page.count("</span>broken</span>") == 2 and ">unsure</span>" not in page


@pytest.mark.parametrize(("ended", "shown"), [("lost", "lost"), ("killed", "stopped")])
def test_a_deployment_whose_server_was_lost_says_so(visit, empty, ended: Any, shown: str) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    empty.add(facts.VersionRegistered("model", "m", 1, model, "models/m", empty.now(), 1, run))
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    empty.end(run, ended)
    empty.add(facts.DeploymentChanged("production", "stopped", "m", 1, model, run, empty.now()))
    site = visit(empty)
    for path in ("/index.json", "/deployments.json", "/models/m/v1.json"):
        assert [one["status"] for one in site.get(path).json()["deployments"]] == [shown]
    page = site.get("/deployments/production.json").json()
    assert page["current"]["status"] == shown
    assert [one["status"] for one in page["history"]] == [shown, "serving"]


def test_a_monitor_hides_no_failing_measure_and_says_which_one_decides(visit, empty) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    names = ("auc", "accuracy", "brier", "log_loss", "bias", "auc@v2", "bias@v2")

    def judged(place: int, verdict: Any, failing: tuple[str, ...]) -> None:
        measures = tuple(
            facts.Performance(one, "fail" if one in failing else "pass", 9, 1.0, 0.7, (0.6, 0.8), 0.75)
            for one in names
        )
        start = place * 86_400 * 10**9
        window = (start, start + 86_400 * 10**9, 9, verdict, model, run, empty.now(), (), measures)
        empty.add(facts.WindowJudged("production", *window))

    judged(0, "fail", names[:5])
    judged(1, "fail", names)
    judged(2, "pass", ("brier", "bias"))
    page = visit(empty).get("/monitors/production").text
    rows = page.partition("</table>")[0].split("<tr>")[2:]
    mixed, every, five = rows
    assert "auc, accuracy, brier, log_loss, bias<" in five and "decides" not in five
    assert "auc, accuracy, brier, log_loss, bias and 2 more<" in every
    assert "brier, bias<" in mixed and "auc decides and passed" in mixed
    assert "</svg>reference<" in page and "trained" not in page


def test_a_failed_window_says_by_how_much_and_what_moved_most(visit, empty) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    why = "AUC 0.700 is 0.050 worse than the reference 0.750"
    measures = (
        facts.Performance("auc", "fail", 9000, 1.0, 0.7, (0.69, 0.71), 0.75, why),
        facts.Performance("accuracy", "pass", 9000, 1.0, 0.8, (0.79, 0.81), 0.8),
        facts.Performance("brier", "fail", 9000, 1.0, 0.2, (0.19, 0.21), 0.15, "Brier score is worse"),
    )
    drifted = tuple(
        facts.FeatureVerdict(name, "fail", 0.001, effect)
        for name, effect in (("a_little", 0.03), ("more", 0.5), ("most", 7.0), ("some", 0.1))
    )
    window = (0, 10**15, 8542, "fail", model, run, empty.now(), drifted, measures)
    empty.add(facts.WindowJudged("production", *window))
    site = visit(empty)
    (item,) = site.get("/index.json").json()["attention"]
    assert item["why"] == f"{why}; brier got worse; drift of most, more, some and 1 more"
    page = site.get("/monitors/production").text
    row = page.partition("</table>")[0]
    assert why in row and "most, more, some, a_little<" in row and ">8,542<" in row
    charts = page.partition("Performance <small>")[2]
    assert charts.index("<h3>auc<") < charts.index("<h3>accuracy<"), "what decides comes first"


def test_an_unsure_window_says_how_many_labels_would_do(visit, empty) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    measures = tuple(
        facts.Performance(name, verdict, 9, 1.0, 0.7, (0.6, 0.8), 0.75, why)
        for name, verdict, why in (
            ("auc", "pass", ""),
            ("bias", "fail", "not what decides"),
            ("auc@v2", "unsure", "9 labels so far; about 900 would do"),
            ("bias@v2", "fail", "nor this"),
        )
    )
    empty.add(facts.WindowJudged("production", 0, 10**15, 9, "unsure", model, run, empty.now(), (), measures))
    site = visit(empty)
    row = site.get("/monitors/production").text.partition("</table>")[0]
    assert "9 labels so far; about 900 would do" in row and "decides" not in row


def test_a_run_that_served_or_judged_leads_to_what_came_of_it(visit, empty) -> None:
    served, model = empty.begin("production", "serve"), empty.bytes("m")
    early = visit(empty).get(f"/runs/{served}").text
    assert "/deployments/production" not in early, "a page that is not there yet"
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, served, empty.now()))
    judged = empty.begin("production", "monitor")
    empty.add(facts.WindowJudged("production", 0, 10**15, 9, "pass", model, judged, empty.now()))
    site = visit(empty)
    assert '<a href="/deployments/production">deployment production</a>' in site.get(f"/runs/{served}").text
    assert '<a href="/monitors/production">monitor production</a>' in site.get(f"/runs/{judged}").text


def test_verdicts_of_a_run_have_no_times_and_names_break_between_words(visit, empty) -> None:
    run, model = empty.begin("checks", "test"), empty.bytes("m")
    empty.add(facts.VersionRegistered("model", "m", 1, model, "models/m", empty.now(), 1, run))
    one = {"check": "checks/m.py::test_it_holds_<b>", "about": "model:m@v1", "subject": model, "n": 8542}
    empty.add(facts.Evidence("1", **one, verdict="pass", run=run, time=empty.now()))
    site = visit(empty)
    tables = {
        path: site.get(path).text.partition("<caption>Checks of")[2].partition("</table>")[0]
        for path in (f"/runs/{run}", "/models/m/v1")
    }
    for table in tables.values():
        assert ">test_<wbr>it_<wbr>holds_<wbr>&lt;b&gt;<" in table and ">8,542<" in table
    assert [">When<" in table for table in tables.values()] == [False, True]


def test_the_list_of_monitors_says_what_each_last_found(visit, empty) -> None:
    assert visit(empty).get("/monitors.json").json()["monitors"] == []
    assert "<code>drystone monitor NAME</code>" in visit(empty).get("/monitors").text
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    for name in ("production", "unwatched"):
        empty.add(facts.DeploymentChanged(name, "serving", "m", 1, model, run, empty.now()))
    for place, verdict in enumerate(("fail", "fail", "pass")):
        begin = place * 10**9
        empty.add(
            facts.WindowJudged("production", begin, begin + 10**9, 5, verdict, model, run, empty.now(), ())  # type: ignore[arg-type]
        )
    site = visit(empty)
    (only,) = site.get("/monitors.json").json()["monitors"]
    assert (only["deployment"], only["windows"], only["failed"]) == ("production", 3, 2)
    assert only["window"]["verdict"] == "pass"
    page = site.get("/monitors").text
    assert 'href="/monitors/production"' in page and "2 of 3" in page and "unwatched" not in page
    assert 'href="/monitors"' in site.get("/monitors/production").text
