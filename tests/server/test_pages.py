"""What each page says."""

from __future__ import annotations

import math
import sqlite3

import pytest

from drystone.core.ids import short
from drystone.ledger import facts, runs
from drystone.ledger.index import Index


def newest(project, name: str, status: str = "succeeded") -> str:
    return runs.recent(project.ledger, name=name, status=status, limit=1)[0].run


def test_the_overview_lists_what_needs_attention_and_nothing_that_has_healed(visit, project) -> None:
    document = visit(project).get("/index.json").json()
    found = {item["kind"]: item for item in document["attention"]}
    assert set(found) == {"window", "check", "run"}
    assert found["window"]["what"] == "Deployment production failed its window 2013-12"
    assert found["window"]["why"].startswith("drift of carrier_delay_24h, precip, temp")
    assert found["check"]["what"] == "model:late-arrival failed 1 check"
    assert {item["what"] for item in document["attention"] if item["kind"] == "run"} == {
        "Step train failed",
        "Test checks failed",
    }
    assert document["deployments"][0]["status"] == "serving"
    assert [version["name"] for version in document["versions"]] == ["late-arrival", "training", "flights"]


def test_a_failure_that_was_followed_by_success_needs_no_attention(visit, empty) -> None:
    run = empty.begin("train")
    empty.end(run, "failed")
    assert "Step train failed" in visit(empty).get("/").text
    run = empty.begin("train")
    empty.end(run)
    site = visit(empty)
    assert site.get("/index.json").json()["attention"] == []
    assert "Every newest run succeeded" in site.get("/").text


def test_a_check_that_a_newer_version_passed_needs_no_attention(visit, empty) -> None:
    run = empty.begin("checks", "test")
    for version, verdict in ((1, "fail"), (2, "pass")):
        subject, about = empty.bytes(f"m{version}"), f"model:m@v{version}"
        empty.add(
            facts.Evidence(f"e{version}", "checks/m.py::test_auc", subject, about, verdict, run, empty.now())
        )
        found = visit(empty).get("/index.json").json()["attention"]
        assert [item["what"] for item in found] == (["model:m@v1 failed 1 check"] if version == 1 else [])


def test_a_failing_window_needs_attention_until_the_deployment_is_stopped(visit, empty) -> None:
    run, model = empty.begin("m", "serve"), empty.bytes("m")
    change = ("production", "serving", "m", 1, model, run)
    empty.add(facts.DeploymentChanged(*change, empty.now()))
    empty.add(facts.WindowJudged("production", 0, 86_400 * 10**9, 500, "fail", model, run, empty.now()))
    site = visit(empty)
    assert "Deployment production failed its window 1970-01-01" in site.get("/").text
    empty.add(facts.DeploymentChanged("production", "stopped", "m", 1, model, run, empty.now()))
    assert visit(empty).get("/index.json").json()["attention"] == []


def test_a_damaged_journal_needs_attention(visit, empty) -> None:
    empty.end(empty.begin("train"))
    empty.flush()
    journal = next(empty.layout.journals.iterdir())
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    journal.write_bytes(data)
    empty.ledger.rebuild()
    found = visit(empty).get("/index.json").json()["attention"]
    assert [item["kind"] for item in found] == ["ledger"] and found[0]["command"] == "drystone doctor"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("kind=monitor", {"production"}),
        ("status=failed", {"train", "checks"}),
        ("status=running", {"notebook", "late-arrival"}),
        ("name=train", {"train"}),
        ("experiment=exploration", {"notebook"}),
        ("kind=step&status=failed", {"train"}),
        ("name=nobody", set()),
        (
            "kind=&status=&name=%20",
            {
                "train",
                "checks",
                "notebook",
                "production",
                "late-arrival",
                "ingest",
                "features",
                "evaluate",
                "report",
            },
        ),
    ],
)
def test_the_list_is_filtered_by_what_the_address_says(visit, project, query: str, names: set[str]) -> None:
    assert {run["name"] for run in visit(project).get(f"/runs.json?{query}").json()["runs"]} == names


def test_metric_columns_are_only_those_picked(visit, project) -> None:
    site = visit(project)
    assert all(run["metrics"] == {} for run in site.get("/runs.json").json()["runs"])
    document = site.get(
        "/runs.json?metric=valid.auc&metric=broken&metric=none&name=train&status=succeeded"
    ).json()
    assert document["columns"] == ["valid.auc", "broken", "none"]
    assert document["runs"][0]["metrics"] == {"valid.auc": pytest.approx(0.7618, abs=1e-3), "broken": "NaN"}
    page = site.get("/runs?metric=valid.auc&name=train").text
    assert ">valid.auc</th>" in page and "holdout.auc</th>" not in page
    assert '<option value="holdout.auc">' in site.get("/runs?name=train&status=succeeded").text


def test_a_list_never_reads_the_history_of_a_metric(visit, project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("history was read")

    monkeypatch.setattr(runs, "history", refuse)
    site = visit(project)
    for path in (
        "/",
        "/runs?metric=valid.auc",
        "/pipeline",
        "/models",
        "/models/late-arrival",
        "/deployments",
    ):
        assert site.get(path).status_code == 200


def test_two_thousand_runs_are_paged_by_key_without_gap_or_repetition(visit, crowd) -> None:
    site, seen, token, pages = visit(crowd), [], "", 0
    while token is not None:
        document = site.get(f"/runs.json?page={token}").json()
        seen += [run["id"] for run in document["runs"]]
        token, pages = document["next"], pages + 1
        assert len(document["runs"]) == 100
    assert pages == 20 and len(set(seen)) == 2000 and seen == sorted(seen, reverse=True)


def test_a_page_keeps_its_place_while_runs_are_added(visit, empty) -> None:
    for _ in range(150):
        empty.end(empty.begin("train"))
    site = visit(empty)
    first = site.get("/runs.json").json()
    empty.end(empty.begin("train"))
    second = visit(empty).get(f"/runs.json?page={first['next']}").json()
    assert len(second["runs"]) == 50 and not {run["id"] for run in first["runs"]} & {
        run["id"] for run in second["runs"]
    }


@pytest.mark.parametrize("path", ["/runs?metric=loss", "/", "/models"])
def test_a_page_asks_the_index_no_more_often_for_more_runs(
    visit, crowd, empty, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from drystone.ledger.ledger import Ledger

    counts = []
    original = Ledger.query

    def counting(self, *arguments):  # type: ignore[no-untyped-def]
        counts[-1] += 1
        return original(self, *arguments)

    monkeypatch.setattr(Ledger, "query", counting)
    for index in range(12):
        empty.end(
            empty.begin(("train", "ingest", "report")[index % 3]), "failed" if index == 7 else "succeeded"
        )
    for built in (empty, crowd):
        counts.append(0)
        assert visit(built).get(path).status_code == 200
    assert counts[1] <= max(counts[0] + 6, 12)


def test_journals_are_looked_at_once_per_page(visit, project, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    original = Index._refresh

    def counting(index: Index, database: sqlite3.Connection) -> None:
        looked.append(index)
        original(index, database)

    monkeypatch.setattr(Index, "_refresh", counting)
    visit(project).get("/models/late-arrival/v2")
    assert len(looked) == 1


def test_a_run_page_tells_the_whole_story(visit, project) -> None:
    run = newest(project, "train")
    document = visit(project).get(f"/runs/{run}.json").json()
    assert document["cli"] == f"drystone show run:{short(run)}"
    assert document["reason"] == "`data/training.parquet` changed"
    assert document["params"]["train.depth"] == 6 and document["params"]["train.weights"] is None
    assert document["metrics"]["broken"] == "NaN"
    assert document["run"]["code"]["dirty"] is True and document["run"]["code"]["changes"].startswith("b3:")
    assert document["writes"][0]["versions"] == [{"kind": "model", "name": "late-arrival", "version": 2}]
    assert document["environment"]["python"] == "CPython 3.11.9"
    assert document["output"]["text"] == "train: 100 %\ndone"
    page = visit(project).get(f"/runs/{run}").text
    assert "with uncommitted changes" in page and "<code>data/training.parquet</code> changed" in page


def test_what_the_observer_noted_is_said_in_words_and_its_warnings_stand_out(visit, empty) -> None:
    run = empty.begin("train")
    noted = {
        "drystone.label": "impure",
        "drystone.cpu_seconds": "75.2",
        "drystone.peak_bytes": "376561664",
        "drystone.warning.1": "`metrics.json` is not JSON",
        "mine": "yes",
    }
    empty.add(facts.Tags(run, noted, empty.now()))
    page = visit(empty).get(f"/runs/{run}").text
    assert "1 min 15 s" in page and "377 MB" in page and "impure" in page and "mine = yes" in page
    assert '<p class="note warn"><code>metrics.json</code> is not JSON</p>' in page
    assert "drystone.label" not in page


def test_a_run_is_found_by_the_beginning_of_its_id(visit, project) -> None:
    run = newest(project, "train")
    assert visit(project).get(f"/runs/{short(run)}.json").json()["run"]["id"] == run


def test_charts_are_those_chosen_at_most_twelve_and_each_has_its_points_as_a_table(visit, empty) -> None:
    run = empty.begin("train")
    for key in range(30):
        empty.add(facts.Points(run, f"m{key:02d}", [0, 1, 2], [1, 2, 3], [1.0, math.inf, 2.0]))
    site = visit(empty)
    assert len(site.get(f"/runs/{run}.json").json()["charts"]) == 4
    every = "&".join(f"chart=m{key:02d}" for key in range(30))
    assert len(site.get(f"/runs/{run}.json?{every}").json()["charts"]) == 12
    one = site.get(f"/runs/{run}.json?chart=m07&chart=none").json()["charts"]
    assert [chart["metric"] for chart in one] == ["m07"]
    assert one[0]["series"][0] == {
        "run": run,
        "count": 3,
        "points": [[0.0, 1.0], [1.0, "Infinity"], [2.0, 2.0]],
    }
    page = site.get(f"/runs/{run}?chart=m07").text
    assert page.count('<svg class="chart"') == 1 and "1 of 3 points are not finite" in page
    assert page.count("View as table") == 1 and '<td class="num"><span title="inf">∞</span></td>' in page
    assert '<input type="checkbox" name="chart" value="m07" aria-label="Draw m07" checked>' in page


def test_of_very_many_metrics_a_page_lists_some_and_finds_the_others(visit, empty) -> None:
    run = empty.begin("train")
    for key in range(1500):
        empty.add(facts.Points(run, f"layer.{key}.norm", [0], [1], [1.0]))
    site = visit(empty)
    assert site.get(f"/runs/{run}").text.count('name="chart"') == 200
    page = site.get(f"/runs/{run}?find=LAYER.1499").text
    assert page.count('name="chart"') == 1 and "layer.1499.norm" in page


def test_points_of_one_step_are_drawn_over_time(visit, empty) -> None:
    run = empty.begin("train")
    empty.add(facts.Points(run, "loss", [0, 0, 0], [5 * 10**9, 7 * 10**9, 6 * 10**9], [1.0, 3.0, 2.0]))
    chart = visit(empty).get(f"/runs/{run}.json").json()["charts"][0]
    assert chart["x"] == "second" and chart["series"][0]["points"] == [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]


def test_output_is_the_end_of_it_even_while_the_run_prints(visit, empty) -> None:
    run = empty.begin("train")
    empty.layout.logs.mkdir(parents=True)
    log = empty.layout.logs / f"{run}.log"
    log.write_bytes(b"".join(b"line %d\n" % index for index in range(100_000)))
    output = visit(empty).get(f"/runs/{run}.json").json()["output"]
    assert output["cut"] and output["text"].endswith("line 99999") and output["text"].count("\n") == 199
    log.unlink()
    assert visit(empty).get(f"/runs/{run}.json").json()["output"] is None


def test_output_that_is_not_here_or_damaged_is_said_to_be_so(visit, empty) -> None:
    run = empty.begin("train")
    printed = empty.bytes("x" * 10)
    empty.add(facts.OutputCaptured(run, printed, 10))
    path = empty.store.loose.path(printed)
    path.chmod(0o644)
    path.write_bytes(b"y" * 10)
    assert "is damaged" in visit(empty).get(f"/runs/{run}.json").json()["output"]["problem"]
    assert "not in the local store" in visit(empty).get(f"/runs/{run}").text


def test_no_run_id_leads_out_of_the_folder_of_logs(visit, empty) -> None:
    (empty.layout.root / "secret.log").write_text("hunter2")
    run = "../../secret"
    empty.add(facts.RunStarted(run=run, kind="script", name="x", time=empty.now()))
    empty.layout.logs.mkdir(parents=True)
    answer = visit(empty).get("/runs/..~2F..~2Fsecret")
    assert answer.status_code == 200 and "hunter2" not in answer.text


def test_a_comparison_marks_by_word_what_differs(visit, project) -> None:
    b = newest(project, "train")
    document = visit(project).get(f"/runs/compare.json?run={b}").json()
    assert document["a"]["id"] < document["b"]["id"] == b
    params = {row["key"]: row for row in document["params"]}
    assert params["train.rate"] == {"key": "train.rate", "a": 0.1, "b": 0.05, "change": "changed"}
    assert params["train.depth"]["change"] == "same" and params["train.weights"]["change"] == "same"
    metrics = {row["key"]: row for row in document["metrics"]}
    assert metrics["holdout.auc"]["difference"] == pytest.approx(0.001)
    assert metrics["broken"]["change"] == "same" and metrics["broken"]["difference"] is None
    assert {row["key"]: row["change"] for row in document["circumstances"]}["uncommitted changes"] == "only b"
    changes = [row["change"] for row in document["params"]]
    assert changes == sorted(changes, key=lambda change: change == "same")
    swapped = visit(project).get(f"/runs/compare.json?a={b}&b={document['a']['id']}").json()
    assert swapped["a"]["id"] == b


def test_the_pipeline_is_what_was_observed_in_its_order(visit, project) -> None:
    document = visit(project).get("/pipeline.json").json()
    assert [step["step"] for step in document["steps"]] == [
        "ingest",
        "features",
        "train",
        "evaluate",
        "report",
    ]
    train = document["steps"][2]
    assert train["run"]["status"] == "failed" and train["made_by"] == newest(project, "train")
    assert [edge["path"] for edge in train["writes"]] == ["models/late-arrival"]
    assert document["steps"][0]["trace"] == "impure"
    assert list(document["not_steps"]) == ["steps/notes.txt"]
    page = visit(project).get("/pipeline").text
    assert (
        page.count('<g class="step') == 5
        and ">data/months/ · 9 paths<" in page
        and "what it last made is of" in page
    )


def test_the_drawing_follows_content_not_folders(visit, empty) -> None:
    """As the pipeline records it: a directory and the files in it, many steps writing below `data`."""
    empty.layout.steps.mkdir()
    made = {
        "a": ([], ["data/one.parquet", *[f"data/more/{index}" for index in range(9)]]),
        "b": (["data/one.parquet"], ["models/m", "models/m/model.onnx", "models/m/model.json"]),
        "c": (["models/m/model.onnx", "data/more"], ["data/two.parquet"]),
    }
    for name, (reads, writes) in made.items():
        (empty.layout.steps / f"{name}.py").write_text("")
        run = empty.begin(name)
        for direction, paths in (("read", reads), ("write", writes)):
            for path in paths:
                tree = path in ("models/m", "data/more")
                empty.add(facts.Edge(run, direction, path, empty.bytes(path), tree))
        empty.end(run)
    page = visit(empty).get("/pipeline").text
    drawing = page.partition('<svg class="dag"')[2].partition("</svg>")[0]
    assert drawing.count('<path class="curve"') == 3, "a to b, b to c, a to c; nothing back to a"
    assert "model.onnx" not in drawing and "models/m<title>" in drawing
    assert "model.json" not in page, "the table shows the directory only"
    assert len(visit(empty).get("/pipeline.json").json()["steps"][1]["writes"]) == 3


def test_a_step_that_has_not_run_is_shown_too(visit, empty) -> None:
    empty.layout.steps.mkdir()
    (empty.layout.steps / "new.py").write_text("")
    assert visit(empty).get("/pipeline.json").json()["steps"][0]["run"] is None
    assert "has not run" in visit(empty).get("/pipeline").text


def test_two_files_of_one_step_are_an_error_that_names_both(visit, empty) -> None:
    empty.layout.steps.mkdir()
    for name in ("train.py", "train.sh"):
        (empty.layout.steps / name).write_text("")
    answer = visit(empty).get("/pipeline")
    assert answer.status_code == 409
    assert "steps/train.py" in answer.text and "steps/train.sh" in answer.text


def test_a_model_shows_versions_aliases_and_who_overrode_a_gate(visit, project) -> None:
    document = visit(project).get("/models/late-arrival.json").json()
    assert [version["version"] for version in document["versions"]] == [2, 1]
    assert document["versions"][0]["aliases"] == ["champion"]
    assert document["versions"][0]["evidence"] == {"pass": 2, "fail": 1, "unsure": 1}
    assert [move["gate"] for move in document["history"]] == ["overridden", "passed"]
    page = visit(project).get("/models/late-arrival").text
    assert "latency is measured on a laptop" in page and "overridden" in page


def test_a_version_leads_back_to_its_sources(visit, project) -> None:
    document = visit(project).get("/models/late-arrival/v2.json").json()
    chain = {
        origin["path"]: (origin["depth"], origin["producer"] and origin["producer"]["name"])
        for origin in document["upstream"]
    }
    assert chain["data/training.parquet"] == (1, "features")
    assert chain["data/flights.parquet"] == (2, "ingest")
    assert chain["params.toml"] == (1, None)
    assert [field["name"] for field in document["manifest"]["outputs"]] == ["late", "probability"]
    assert [one["verdict"] for one in document["evidence"]] == ["fail", "unsure", "pass", "pass"]
    assert [one["name"] for one in document["readers"]] == ["evaluate"]
    assert [one["name"] for one in document["files"]] == ["model.json", "model.onnx"]
    assert {one["status"] for one in document["deployments"]} == {"serving"}


def test_a_model_whose_manifest_cannot_be_read_still_has_a_page(visit, empty) -> None:
    from drystone.objects.intake import store_path

    folder = empty.layout.models / "m"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text('{"format": 9}')
    name = store_path(empty.store, folder).object
    empty.add(facts.VersionRegistered("model", "m", 1, name, "models/m", empty.now(), 5))
    document = visit(empty).get("/models/m/v1.json").json()
    assert document["manifest"] is None and "model.json" in document["manifest_problem"]
    assert "cannot be read" in visit(empty).get("/models/m/v1").text


def test_many_versions_and_names_are_paged(visit, empty) -> None:
    thing = empty.bytes("x")
    empty.add(
        *(
            facts.VersionRegistered("data", "d", number, thing, "data/d", empty.now(), 1)
            for number in range(1, 151)
        )
    )
    empty.add(
        *(
            facts.VersionRegistered("data", f"n{index:03d}", 1, thing, "data/n", empty.now(), 1)
            for index in range(120)
        )
    )
    site = visit(empty)
    first = site.get("/data/d.json").json()
    second = site.get(f"/data/d.json?page={first['next']}").json()
    numbers = [one["version"] for one in first["versions"] + second["versions"]]
    assert numbers == list(range(150, 0, -1)) and second["next"] is None
    first = site.get("/data.json").json()
    second = site.get(f"/data.json?page={first['next']}").json()
    assert len({one["name"] for one in first["names"] + second["names"]}) == 121
    assert site.get("/data/d?page=YWJj").status_code == 400


def test_a_deployment_shows_its_past_and_its_windows(visit, project) -> None:
    document = visit(project).get("/deployments/production.json").json()
    assert [change["status"] for change in document["history"]] == ["serving", "stopped"]
    assert document["promoted"]["alias"] == "champion" and document["evidence"]["fail"] == 1
    assert [window["verdict"] for window in document["windows"]].count("fail") == 6


def test_a_monitor_shows_each_feature_in_each_window_by_word(visit, project) -> None:
    site = visit(project)
    document = site.get("/monitors/production.json").json()
    assert [window["start"][:7] for window in document["windows"]] == [
        f"2013-{month:02d}" for month in range(4, 13)
    ]
    page = site.get("/monitors/production").text
    heat = page.partition('<table class="heat">')[2].partition("</table>")[0]
    assert heat.count("<tr>") == 13
    assert heat.index("carrier_delay_24h") < heat.index("dep_hour"), "what drifted most comes first"
    assert (
        heat.count('<span class="hidden">fail</span>') == 23
        and heat.count('<span class="hidden">unsure</span>') == 2
    )
    assert '<polygon class="band"' in page and '<line class="level"' in page
    assert "0.736 to 0.752" in page and "96.4 %" in page


def test_older_windows_are_on_further_pages(visit, empty) -> None:
    run = empty.begin("production", "monitor")
    model = empty.bytes("m")
    empty.add(facts.DeploymentChanged("production", "serving", "m", 1, model, run, empty.now()))
    day = 86_400 * 10**9
    empty.add(
        *(
            facts.WindowJudged(
                "production", index * day, (index + 1) * day, 5, "pass", model, run, empty.now()
            )
            for index in range(60)
        )
    )
    site = visit(empty)
    starts, token = [], ""
    while token is not None:
        document = site.get(f"/monitors/production.json?page={token}").json()
        starts = [window["start"] for window in document["windows"]] + starts
        token = document["next"]
    assert len(starts) == 60 and starts == sorted(set(starts))


def test_an_object_knows_who_wrote_and_who_read_it(visit, project) -> None:
    name = project.objects["data/training.parquet"]
    document = visit(project).get(f"/objects/{name.removeprefix('b3:')}.json").json()
    assert document["written_by"]["name"] == "features"
    assert [run["name"] for run in document["read_by"]] == ["train"]
    assert document["paths"] == ["data/training.parquet"] and document["here"]
    assert document["versions"] == [{"kind": "data", "name": "training", "version": 2}]
    assert visit(project).get(f"/objects/{name}.json").status_code == 200


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/runs?kind=step&name=a%20b&metric=auc", "drystone log 'a b' --kind step --metric auc"),
        ("/models/late-arrival", "drystone ls model:late-arrival"),
        ("/models/late-arrival/v2", "drystone show model:late-arrival@v2"),
        ("/deployments/production", "drystone why deploy:production"),
        ("/monitors/production", "drystone monitor production"),
        ("/pipeline", "drystone ls step"),
    ],
)
def test_every_page_names_the_command_that_says_the_same(visit, project, path: str, command: str) -> None:
    base, _, query = path.partition("?")
    assert visit(project).get(f"{base}.json?{query}").json()["cli"] == command
