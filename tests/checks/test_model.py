"""Claims about models: quality, slices, the champion, behaviour, speed; and what is not possible."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from drystone.checks.perturbations import jittered, replaced, shuffled
from drystone.core.clock import SystemClock
from drystone.core.errors import Ambiguous, DrystoneError, NotFound, ProjectInvalid, UsageError
from drystone.objects.intake import identify_path
from drystone.registry import aliases

from .conftest import Bench, Project, rows


def judged(bench: Bench, **rest: Any) -> Any:
    return bench.model.on(bench.data("evaluation"), label="late", **rest)


def test_a_metric_is_that_of_the_models_answers_to_the_rows(bench: Bench) -> None:
    table = bench.data("evaluation").table
    answers = bench.model.predictor.predict({name: table[name].to_numpy() for name in ("delay", "hour")})
    measure = judged(bench).metric("auc")
    assert measure.value == pytest.approx(roc_auc_score(table["late"].to_numpy(), answers["probability"]))
    assert measure.n == 3000


def test_the_subject_is_the_model_and_the_rows_are_only_read(bench: Bench, project: Project) -> None:
    assert judged(bench).metric("auc") >= 0.5
    claim = bench.last
    assert claim.subject == identify_path(project.root / "models" / "late-arrival").object
    assert (claim.about, claim.name, claim.scope) == ("model:late-arrival", "auc", "on evaluation")
    assert set(bench.log.judged) == {"model:late-arrival"}
    assert set(bench.log.read) == {"model:late-arrival", "data:evaluation"}


@pytest.mark.parametrize(
    "name", ["accuracy", "recall", "precision", "f1", "brier", "log_loss", "calibration_error"]
)
def test_answers_and_probabilities_are_found_by_their_names(bench: Bench, name: str) -> None:
    assert judged(bench).metric(name).interval is not None


def test_slices_are_the_values_of_a_column_or_quantiles_of_many_numbers(bench: Bench) -> None:
    by_carrier = judged(bench).by("carrier").metric("auc")
    assert list(by_carrier.slices) == ["AA", "B6", "UA"]
    by_delay = judged(bench).by("delay").metric("accuracy")
    assert [estimate.n for estimate in by_delay.slices.values()] == [750] * 4
    assert next(iter(by_delay.slices)).startswith("below -0.")
    assert judged(bench).by("carrier", min_rows=2000).metric("auc").small.keys() == {"AA", "B6", "UA"}


def test_missing_values_are_a_slice_of_their_own(bench: Bench, project: Project) -> None:
    table = rows(300, seed=5)
    table = table.append_column("wind", pa.array([None] * 150 + list(np.linspace(0, 9, 150))))
    project.data("evaluation", table.append_column("tail", pa.array([None, "a", "b"] * 100)))
    assert "missing" in judged(bench).by("wind", min_rows=1).metric("accuracy").slices
    assert list(judged(bench).by("tail", min_rows=1).metric("accuracy").slices) == ["a", "b", "missing"]


def test_a_slice_of_one_class_is_unsure_with_its_reason(bench: Bench) -> None:
    judged(bench).by("late").metric("auc") >= 0.5  # noqa: B015
    assert bench.last.verdict == "unsure"
    assert "both classes are needed" in bench.last.parts[0].why


class Champion:
    """A project whose registered v1 is a poor model and whose champion is a version of choice."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def __call__(self, which: str) -> None:
        self.project.model(which)
        version = self.project.register()
        aliases.move(self.project.ledger, version, "champion", by=None, clock=SystemClock())
        self.project.model("good")


@pytest.fixture
def champion(project: Project) -> Champion:
    return Champion(project)


def test_a_better_model_is_not_worse_than_the_champion(bench: Bench, champion: Champion) -> None:
    champion("poor")
    assert judged(bench).not_worse_than("champion", metric="accuracy", margin=0.01)
    claim = bench.last
    assert (claim.verdict, claim.threshold) == ("pass", "> -0.01")
    assert claim.why == "the value is the difference to `model:late-arrival@v1`"
    assert claim.value is not None
    assert claim.value > 0.1
    assert (claim.opponent, claim.against) == ("champion", bench.log.read["model:late-arrival@v1"].object)


def test_to_name_a_model_is_not_to_judge_it(bench: Bench) -> None:
    named = bench.model("late-arrival")
    assert not bench.log.judged
    assert named.signature.inputs
    assert set(bench.log.judged) == {"model:late-arrival"}


def test_a_worse_model_is_worse_than_the_champion_also_where_lower_is_better(
    bench: Bench, champion: Champion, project: Project
) -> None:
    champion("good")
    project.model("poor")
    judged(bench).not_worse_than("champion", metric="auc")
    judged(bench).not_worse_than("v1", metric="brier")
    assert [claim.verdict for claim in bench.log.claims] == ["fail", "fail"]
    assert bench.last.threshold == "< 0.01"


def test_without_a_champion_there_is_nothing_to_be_worse_than(bench: Bench) -> None:
    assert judged(bench).not_worse_than("champion")
    assert bench.last.why == "no champion yet to compare with"
    assert (bench.last.opponent, bench.last.against) == ("champion", "")


def test_the_champion_is_not_worse_than_itself(bench: Bench, champion: Champion) -> None:
    champion("good")
    assert judged(bench).not_worse_than("champion", margin=0)
    assert "itself" in bench.last.why
    assert bench.last.against == bench.last.subject


def test_a_misspelt_alias_is_no_missing_champion(bench: Bench, champion: Champion) -> None:
    champion("good")
    with pytest.raises(NotFound, match="no alias `champoin`"):
        judged(bench).not_worse_than("champoin")


def test_an_answer_that_must_not_move_is_judged_on_every_row(bench: Bench) -> None:
    on = judged(bench)
    assert on.invariant(lambda columns: columns)
    assert on.invariant(jittered("delay", 1e-4), tolerance=0.01)
    assert not on.invariant(shuffled("delay"), tolerance=0.01)
    assert "rows the answer moves by more than 0.01 when `delay` changes; it moves by up to" in bench.last.why
    assert not on.invariant(replaced("hour", 3), max=0.1)
    assert on.invariant(replaced("hour", 3), max=1)
    assert [claim.name for claim in bench.log.claims][1:3] == [
        "invariant to delay jittered",
        "invariant to delay shuffled",
    ]


def test_direction_is_judged_on_average_or_in_every_row(bench: Bench) -> None:
    on = judged(bench)
    assert on.direction("delay", up="up")
    assert not on.direction("delay", up="down")
    assert on.direction("hour", up="up", by=3, max=0.0)
    assert not on.direction("hour", up="up", by=-3, max=0.0)
    assert "hour + 3" in bench.log.claims[2].why


def test_speed_is_the_median_of_repeated_calls(bench: Bench) -> None:
    on = bench.model.on(bench.data("evaluation"))
    assert on.faster_than(60_000, rows=50)
    assert not on.faster_than(1e-6)
    assert bench.last.n is not None
    assert bench.last.n > 20
    assert bench.last.threshold == "< 1e-06 ms"


def test_labels_of_one_class_leave_auc_unsure(bench: Bench, project: Project) -> None:
    table = rows(200, seed=3)
    project.data("evaluation", table.set_column(4, "late", pa.array([False] * 200)))
    judged(bench).metric("auc") >= 0.5  # noqa: B015
    assert (bench.last.verdict, bench.last.interval) == ("unsure", None)
    assert "no label is true, of 200" in bench.last.why


def test_rows_without_a_label_are_refused_or_dropped_by_name(bench: Bench, project: Project) -> None:
    table = rows(200, seed=3)
    labels = pa.array([None if i % 4 == 0 else value for i, value in enumerate(table["late"].to_pylist())])
    project.data("evaluation", table.set_column(4, "late", labels))
    with pytest.raises(UsageError) as caught:
        judged(bench)
    assert caught.value.message == "50 of 200 rows of `data:evaluation` have no `late`"
    assert 'unlabelled="drop"' in caught.value.hints[0]
    assert judged(bench, unlabelled="drop").metric("brier").n == 150
    assert judged(bench, unlabelled="drop").by("carrier", min_rows=1).metric("accuracy").slices["AA"].n < 150


def test_groups_of_rows_are_drawn_whole(bench: Bench, project: Project) -> None:
    table = rows(100, seed=4)
    many = pa.concat_tables([table] * 10)
    project.data("evaluation", many)
    alone, grouped = (judged(bench, group=group).metric("brier").interval for group in (None, "id"))
    assert alone is not None
    assert grouped is not None
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])


def write_labels_as_numbers(project: Project) -> None:
    table = rows(200, seed=3)
    project.data("evaluation", table.set_column(4, "late", table["late"].cast(pa.int64())))


def test_labels_may_be_zeros_and_ones(bench: Bench, project: Project) -> None:
    write_labels_as_numbers(project)
    assert judged(bench).metric("auc") >= 0.6
    assert judged(bench).metric("recall").value is not None


MISUSE: list[tuple[Any, str]] = [
    (lambda b: judged(b).metric("aucc"), "no metric named `aucc`"),
    (lambda b: b.model.on(b.data("evaluation"), label="lat"), "`data:evaluation` has no column `lat`"),
    (lambda b: b.model.on(b.data("evaluation")).metric("auc"), "`auc` compares answers with labels"),
    (lambda b: judged(b, score="prob").metric("auc"), "`model:late-arrival` has no output `prob`"),
    (lambda b: judged(b, group="house"), "`data:evaluation` has no column `house`"),
    (lambda b: judged(b).by("orign"), "`data:evaluation` has no column `orign`"),
    (lambda b: judged(b).by("id2"), "`data:evaluation` has no column `id2`"),
    (lambda b: judged(b).metric("mae"), "`mae` needs numbers as labels"),
    (lambda b: judged(b).direction("carrier"), "the model has no input `carrier`"),
    (lambda b: judged(b).direction("delay", up="higher"), "`up` is `up` or `down`: `higher`"),
    (lambda b: judged(b).invariant(shuffled("dealy")), "the model has no input `dealy`"),
    (lambda b: judged(b).invariant(lambda c: {"x": c["hour"]}), "the model has no input `x`"),
    (lambda b: judged(b).faster_than(5, rows=0), "a call needs rows"),
    (lambda b: judged(b).metric("auc") >= float("nan"), "a claim needs a number as its threshold"),
    (lambda b: judged(b).by("carrier").metric("auc") <= float("nan"), "a claim needs a number"),
    (lambda b: judged(b).direction("delay", max=float("nan")), "a claim needs a number"),
    (lambda b: b.model("late-arival"), "no model named `late-arival`"),
    (lambda b: b.model("late-arrival@v9"), "no model named `late-arrival`"),
]


@pytest.mark.parametrize(("act", "message"), MISUSE)
def test_misuse_is_explained(bench: Bench, act: Any, message: str) -> None:
    with pytest.raises(DrystoneError) as caught:
        act(bench)
    assert caught.value.message.startswith(message)


def test_a_dataset_without_an_input_of_the_model_is_refused(bench: Bench) -> None:
    bench_data = bench.data("evaluation")
    bench_data._rows()
    with pytest.raises(UsageError, match="has no column `hour`"):
        project_table = bench_data.table.drop_columns(["hour"])
        (bench.subjects.layout.data / "narrow.parquet").write_bytes(_parquet(project_table))
        bench.model.on(bench.data("narrow"), label="late")


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_a_column_with_too_many_values_is_no_slicing(bench: Bench, project: Project) -> None:
    table = rows(200, seed=3).append_column("tail", pa.array([f"N{i}" for i in range(200)]))
    project.data("evaluation", table)
    with pytest.raises(UsageError, match="200 values, too many to slice by"):
        judged(bench).by("tail")


def test_a_model_without_a_signature_is_refused(bench: Bench, project: Project) -> None:
    manifest = project.root / "models" / "late-arrival" / "model.json"
    content = json.loads(manifest.read_text())
    del content["signature"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(ProjectInvalid, match="has no signature"):
        judged(bench)


def test_two_models_and_a_file_named_after_neither_are_ambiguous(project: Project, bench: Bench) -> None:
    project.model("good", "other")
    assert bench.model.subject.name == "late-arrival", "`checks/late_arrival.py` is named after it"
    with pytest.raises(Ambiguous, match="`model` could be any of 2 models"):
        _ = Bench(project, project.root, "checks/quality.py").model.subject


def test_no_model_at_all_is_said(project: Project, bench: Bench) -> None:
    (project.root / "models").rename(project.root / "elsewhere")
    with pytest.raises(NotFound, match="there is no model to check"):
        judged(bench)


def test_rows_that_meet_a_condition_can_be_judged_alone(bench: Bench) -> None:
    half = bench.data("evaluation").where("hour", ">=", 12)
    part = bench.model.on(half, label="late").metric("auc")
    table = bench.data("evaluation").table
    assert part.n == (table["hour"].to_numpy() >= 12).sum()
    assert part >= 0.5
    assert bench.last.scope == "on evaluation where hour >= 12"
