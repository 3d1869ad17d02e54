"""A run of the monitor: windows judged against what answered, recorded once, restated by labels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from sklearn.linear_model import LogisticRegression

from drystone.core.clock import from_iso, to_iso
from drystone.core.errors import Corrupt, NotFound, ProjectInvalid
from drystone.ledger import deployments, facts, lineage, runs
from drystone.ledger.facts import DeploymentChanged
from drystone.ledger.journal import read_frames
from drystone.ledger.requests import Line, RequestWriter
from drystone.objects.intake import store_path
from drystone.registry.modeldir import save_model

if TYPE_CHECKING:
    from conftest import World

APRIL, MAY = datetime(2013, 4, 10, tzinfo=UTC), datetime(2013, 5, 10, tzinfo=UTC)


def test_each_month_gets_a_verdict_in_the_ledger_and_the_monitor_is_a_run(world: World) -> None:
    model = world.model()
    world.serve(model, APRIL, 600)
    world.serve(model, MAY, 600, shift=1.0)
    report = world.judge()
    april, may = deployments.windows(world.ledger, "late-arrival")
    assert (april.start, april.end) == (from_iso("2013-04-01"), from_iso("2013-05-01"))
    assert (april.n, april.verdict, april.object) == (600, "pass", model)
    assert {one.feature for one in april.features} == {"distance", "temp", "carrier", "late", "probability"}
    assert may.verdict == "unsure"  # drift alone is a clue: no label tells whether it matters
    assert {one.feature for one in may.features if one.verdict == "fail"} == {"temp", "late", "probability"}
    assert [one.judged for one in report.windows] == [april, may]
    assert (report.failed, report.drifted) == (False, True)
    run = runs.get(world.ledger, report.run or "")
    assert run is not None and (run.kind, run.name, run.status) == ("monitor", "late-arrival", "succeeded")


def test_a_verdict_that_stands_is_not_written_again(world: World) -> None:
    world.serve(world.model(), APRIL, 100)
    first = world.judge()
    world.clock.advance(60)
    again = world.judge()
    assert again.windows[0].judged == first.windows[0].judged
    assert not again.windows[0].restated
    assert again.run is not None and again.run != first.run
    journal = world.layout.journals / f"{again.run}.main.journal"
    written = [facts.decode(payload) for _, payload in read_frames(journal, 0).payloads]
    assert not any(isinstance(fact, facts.WindowJudged) for fact in written)


def test_late_labels_restate_the_window_of_the_prediction(world: World) -> None:
    model = world.model()
    world.serve(model, APRIL, 2000, signal=2.5)
    world.serve(model, MAY, 2000, signal=0.2)
    before = world.judge()
    assert [one.judged.performance for one in before.windows] == [(), ()]
    world.write_labels()
    after = world.judge()  # the clock has not moved: the newer verdict must win all the same
    assert [one.restated for one in after.windows] == [True, True]
    assert all(
        new.judged.time > old.judged.time for new, old in zip(after.windows, before.windows, strict=True)
    )
    recorded = deployments.windows(world.ledger, "late-arrival")
    assert [one.verdict for one in recorded] == ["pass", "fail"]
    assert [one.performance[0].coverage for one in recorded] == [1.0, 1.0]
    assert after.failed


def test_labels_belong_to_the_month_predicted_and_coverage_is_told(world: World) -> None:
    model = world.model()
    world.serve(model, APRIL, 1000)
    world.serve(model, MAY, 1000)
    chosen = world.labels[:500] + world.labels[1000:1010]
    path = world.write_labels([*chosen, ("f" * 32, True), chosen[0], (world.labels[1500][0], None)])
    report = world.judge()
    april, may = (one.judged for one in report.windows)
    assert [one.coverage for one in (april.performance[0], may.performance[0])] == [0.5, 0.01]
    assert (may.performance[0].verdict, may.verdict) == ("unsure", "unsure")
    labels = report.labels
    assert labels is not None
    assert labels.path == "labels/late-arrival.parquet"
    assert (labels.joined, labels.unknown, labels.repeated, labels.missing) == (510, 1, 1, 1)
    assert len(report.notes()) == 3
    read = [edge.path for edge in lineage.edges(world.ledger, report.run or "") if edge.direction == "read"]
    assert read == ["labels/late-arrival.parquet"] and path.is_file()


def test_several_versions_in_a_window_are_compared_with_their_own_reference(world: World) -> None:
    old = world.model(name="old")
    world.random = type(world.random)(type(world.random.bit_generator)(99))
    new = world.model(name="new", reference=False)
    world.serve(old, APRIL, 900, version=1)
    world.serve(new, APRIL.replace(day=20), 300, version=2)
    world.write_labels()
    (window,) = world.judge().windows
    assert window.answered == {"late-arrival@v1": 900, "late-arrival@v2": 300}
    assert (window.judged.object, window.judged.n) == (old, 1200)
    verdicts = {one.feature: one.verdict for one in window.judged.features}
    assert (verdicts["temp"], verdicts["temp@v2"]) == ("pass", "unsure")
    measured = {one.metric: one for one in window.judged.performance}
    assert measured["auc"].reference is not None and measured["auc"].labelled == 900
    assert measured["auc@v2"].reference is None and measured["auc@v2"].labelled == 300


def test_without_a_reference_drift_is_unsure_and_the_contract_still_holds(world: World) -> None:
    model = world.model(reference=False)
    world.serve(model, APRIL, 100)
    (window,) = world.judge().windows
    assert {(one.verdict, one.why) for one in window.judged.features} == {
        ("unsure", "the model has no reference sample")
    }
    rows = world.rows(1)
    rows["inputs"]["distance"] = ["far"]
    world.serve(model, APRIL, 1, rows=rows)
    (window,) = world.judge().windows
    broken = window.judged.features[0]
    assert (broken.feature, broken.verdict, broken.p) == ("distance", "fail", None)
    assert broken.why == "1 of 101 values are not numbers, such as 'far'"
    assert window.why == "contract broken by `distance`"


def test_a_reference_without_labels_gives_values_and_no_verdict(world: World) -> None:
    world.serve(world.model(label=False), APRIL, 500)
    world.write_labels()
    (window,) = world.judge().windows
    auc = window.judged.performance[0]
    assert auc.value is not None and auc.interval is not None
    assert (auc.verdict, auc.why) == ("unsure", "the model's reference sample has no labels to compare with")


@pytest.mark.parametrize("gone", ["model", "column"])
def test_what_is_not_there_is_said(world: World, gone: str) -> None:
    rows = world.rows(50)
    if gone == "column":
        del rows["inputs"]["temp"]
    world.serve("b3:" + "0" * 64 if gone == "model" else world.model(), APRIL, 50, rows=rows)
    (window,) = world.judge().windows
    if gone == "model":
        assert (window.judged.verdict, window.why) == ("unsure", "the model is not in the local store")
    else:
        assert (window.judged.verdict, window.judged.features[0].why) == ("fail", "the column is absent")


def test_a_reference_that_is_no_parquet_is_said(world: World) -> None:
    world.model()
    path = world.layout.root / "models" / "a"
    (path / "reference.parquet").write_bytes(b"PAR1 not really")
    world.serve(store_path(world.store, path).object, APRIL, 50)
    (window,) = world.judge().windows
    assert window.judged.features[0].why == "`reference.parquet` of the model cannot be read"


def test_a_damaged_model_stops_the_monitor_and_the_run_says_so(world: World) -> None:
    model = world.model()
    world.serve(model, APRIL, 50)
    damaged = world.store.loose.path(model)
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")
    with pytest.raises(Corrupt):
        world.judge()
    (run,) = runs.recent(world.ledger, kind="monitor")
    assert run.status == "failed" and run.error is not None
    assert deployments.windows(world.ledger, "late-arrival") == []


def test_an_unknown_deployment_is_refused_with_a_suggestion(world: World) -> None:
    with pytest.raises(NotFound) as nothing:
        world.judge()
    assert nothing.value.hints == ("serve a model with `drystone serve model:NAME`",)
    world.serve(world.model(), APRIL, 1)
    with pytest.raises(NotFound) as misspelt:
        world.judge(deployment="late-arrivals")
    assert misspelt.value.hints[0] == "a deployment with a similar name exists: `late-arrival`"


def test_a_deployment_without_requests_has_no_windows_and_leaves_no_run(world: World) -> None:
    world.ledger.record(
        DeploymentChanged("late-arrival", "serving", "late-arrival", 1, "b3:" + "0" * 64, "0" * 32, 1)
    )
    report = world.judge()
    assert (report.windows, report.run, report.failed) == ((), None, False)


def test_labels_that_cannot_be_read_leave_no_run(world: World) -> None:
    world.serve(world.model(), APRIL, 50)
    path = world.layout.root / "labels.csv"
    path.write_text("id,label\n")
    with pytest.raises(ProjectInvalid):
        world.judge(labels=path)
    assert runs.recent(world.ledger) == []


def test_strange_lines_are_noted_and_the_rest_is_judged(world: World) -> None:
    world.serve(world.model(), APRIL, 50)
    with (world.requests / "2013-04-10.jsonl").open("a") as log:
        log.write('garbage\n{"id": "torn", ')
    report = world.judge()
    assert report.windows[0].judged.n == 50
    assert report.notes() == [
        "of the request log 1 line passed over as no prediction: `2013-04-10.jsonl:51`",
        "of the request log 1 last line passed over as cut off",
    ]


@pytest.mark.parametrize(
    ("length", "names"), [("day", ["2013-12-31"]), ("week", ["2014-W01"]), ("month", ["2013-12"])]
)
def test_a_window_that_is_not_over_is_judged_and_says_so(world: World, length: Any, names: list[str]) -> None:
    world.serve(world.model(), datetime(2013, 12, 31, tzinfo=UTC), 50)
    report = world.judge(window=length)
    assert [one.name for one in report.windows] == names
    assert not report.windows[0].over


def test_what_the_registry_saves_and_serving_logs_is_what_the_monitor_reads(world: World) -> None:
    rows = world.rows(8000)
    frame = pd.DataFrame(rows["inputs"])[["distance", "temp"]].fillna(50.0)
    label = pd.Series(rows["label"], name="late")
    path = world.layout.root / "models" / "late-arrival"
    estimator = LogisticRegression().fit(frame, label)
    save_model(path, estimator, inputs=frame, label=label)
    model = store_path(world.store, path).object
    writer = RequestWriter(world.layout, "late-arrival")
    event = from_iso("2013-04-10")
    rows_of = frame.to_dict("records")
    answers = estimator.predict(frame), estimator.predict_proba(frame)[:, 1]
    writer.append(
        event,
        [
            Line(
                f"{at:032x}", to_iso(event), to_iso(event), "late-arrival", 1, model, dict(row),
                {"late": bool(late), "probability": float(probability)}, 0.1,
            )
            for at, (row, late, probability) in enumerate(zip(rows_of, *answers, strict=True))
        ],
    )  # fmt: skip
    writer.close()
    table = pa.table({"prediction_id": [f"{at:032x}" for at in range(8000)], "label": label.tolist()})
    parquet.write_table(table, world.layout.root / "truth.parquet")
    (window,) = world.judge(labels=world.layout.root / "truth.parquet").windows
    assert window.judged.verdict == "pass"
    assert {one.verdict for one in window.judged.features} == {"pass"}
    auc = window.judged.performance[0]
    assert auc.metric == "auc" and auc.value == pytest.approx(auc.reference)
