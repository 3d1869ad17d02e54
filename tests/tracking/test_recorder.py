"""A run is recorded from start to end, and its output becomes an object."""

from __future__ import annotations

import pytest

from drystone.core.clock import ManualClock
from drystone.ledger import lineage, runs
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore
from drystone.tracking.recorder import Actor, Recorder

X = "b3:" + "a" * 64


@pytest.fixture
def recorder(ledger: Ledger, clock: ManualClock) -> Recorder:
    return Recorder(ledger, ObjectStore(ledger.layout.objects), clock, Actor("ada", "loom", 42))


def test_a_run_leaves_everything_it_did_in_the_ledger(recorder: Recorder, clock: ManualClock) -> None:
    run = recorder.start(kind="step", name="train", command=["sh", "train.sh"], params={"depth": 3})
    run.tags({"note": "first"})
    run.metrics({"loss": 0.5, "auc": 0.9}, step=2)
    run.reads("data/a", X)
    run.writes("models/m", X, tree=True)
    run.log_output(b"hello ")
    run.log_output(b"world\n")
    clock.advance(2)
    run.finish("succeeded", 0)

    row = runs.find(recorder.ledger, run.id)
    assert (row.kind, row.name, row.status, row.command) == ("step", "train", "succeeded", ("sh", "train.sh"))
    assert (row.user, row.host, row.seconds) == ("ada", "loom", 2.0)
    assert runs.params(recorder.ledger, run.id) == {"depth": 3}
    assert runs.tags(recorder.ledger, run.id) == {"note": "first"}
    assert runs.latest_metrics(recorder.ledger, run.id) == {"auc": 0.9, "loss": 0.5}
    assert [(e.direction, e.path, e.tree) for e in lineage.edges(recorder.ledger, run.id)] == [
        ("read", "data/a", False),
        ("write", "models/m", True),
    ]
    assert row.output is not None
    assert recorder.store.read(row.output) == b"hello world\n"
    assert not list(recorder.ledger.layout.logs.iterdir())


def test_output_can_be_followed_while_the_run_goes_on(recorder: Recorder) -> None:
    run = recorder.start(kind="command", name="x")
    run.log_output(b"so far")
    assert (recorder.ledger.layout.logs / f"{run.id}.log").read_bytes() == b"so far"
    run.finish("succeeded")


def test_a_run_in_progress_is_not_lost(recorder: Recorder) -> None:
    run = recorder.start(kind="command", name="x")
    assert recorder.ledger.mark_lost() == []
    run.finish("failed", 3, "it broke")
    assert recorder.ledger.mark_lost() == []
    row = runs.find(recorder.ledger, run.id)
    assert (row.status, row.exit_code, row.error, row.output) == ("failed", 3, "it broke", None)
