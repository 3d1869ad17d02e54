"""Whole sessions: real pytest processes whose verdicts end up in the ledger."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from drystone.checks.service import Environment, run_checks
from drystone.core.clock import SystemClock
from drystone.core.errors import NotFound, ProjectInvalid
from drystone.ledger import evidence, lineage, runs
from drystone.objects.intake import identify_path
from drystone.registry import gates

from .conftest import Project

VERDICTS = """
    import pytest

    def test_several(data):
        data("training").expect("delay").between(-9, 9).missing()
        data("training").unique("id")

    def test_one(model, data):
        assert model.on(data("evaluation"), label="late").metric("auc") >= 0.7

    def test_doubtful(model, data):
        assert model.on(data("evaluation"), label="late").metric("auc") >= 0.845

    def test_bad(model, data):
        on = model.on(data("evaluation"), label="late")
        on.metric("auc") >= 0.99
        on.metric("brier") <= 0.25
        model.on(data("training"), label="late").metric("auc") >= 0.7

    def test_asserted(model, data):
        assert model.on(data("evaluation"), label="late").metric("auc") >= 0.99
        raise RuntimeError("not reached")

    def test_free(data):
        assert data("training").table.num_rows == 2000

    def test_free_with_a_model(model, data):
        assert model.signature.inputs[0].name in data("training").table.column_names

    def test_free_and_wrong(data):
        data("training").rows(min=1)
        assert data("training").table.num_rows == 7, "seven rows are wanted"

    def test_misused(data):
        data("training").expect("dealy")

    def test_no_subject(tmp_path):
        assert True

    @pytest.mark.skip(reason="not yet")
    def test_left_out(model):
        raise RuntimeError

    @pytest.mark.xfail(reason="known", strict=True)
    def test_expected_to_fail(data):
        data("training").rows(min=10**9)

    @pytest.fixture
    def broken():
        yield
        raise OSError("cannot clean up")

    def test_unclean(data, broken):
        data("training").rows(min=1)
"""


def test_every_way_to_end_becomes_the_right_evidence(project: Project) -> None:
    project.check(VERDICTS)
    session = project.test()
    ended = {one.check.partition("::")[2]: one.verdict for one in session.outcomes}
    assert ended == {
        "test_several": "pass",
        "test_one": "pass",
        "test_doubtful": "unsure",
        "test_bad": "fail",
        "test_asserted": "fail",
        "test_free": "pass",
        "test_free_with_a_model": "pass",
        "test_free_and_wrong": "fail",
        "test_misused": "fail",
        "test_no_subject": "pass",
        "test_left_out": "skipped",
        "test_expected_to_fail": "skipped",
        "test_unclean": "fail",
    }
    records = {
        one.check.removeprefix("checks/flights.py::"): one
        for one in evidence.for_run(project.ledger, session.run)
    }
    model = identify_path(project.root / "models" / "late-arrival").object
    training = identify_path(project.root / "data" / "training.parquet").object
    assert {check: (one.verdict, one.subject == model) for check, one in records.items()} == {
        "test_several[delay between]": ("pass", False),
        "test_several[delay missing]": ("pass", False),
        "test_several[unique id]": ("pass", False),
        "test_one": ("pass", True),
        "test_doubtful": ("unsure", True),
        "test_bad[auc on evaluation]": ("fail", True),
        "test_bad[auc on training]": ("pass", True),
        "test_bad[brier]": ("pass", True),
        "test_asserted": ("fail", True),
        "test_free": ("pass", False),
        "test_free_with_a_model": ("pass", True),
        "test_free_and_wrong[rows]": ("pass", False),
        "test_free_and_wrong": ("fail", False),
        "test_misused": ("fail", False),
        "test_unclean[rows]": ("pass", False),
        "test_unclean": ("fail", False),
    }
    assert {one.subject for one in records.values()} == {model, training}
    one = records["test_one"]
    assert (one.about, one.threshold, one.n) == ("model:late-arrival", ">= 0.7", 3000)
    assert one.interval is not None
    assert one.interval[0] < (one.value or 0) < one.interval[1]
    assert records["test_doubtful"].why.startswith("on evaluation; the value ")
    assert "rows would tell" in records["test_doubtful"].why
    assert records["test_free_and_wrong"].why == "seven rows are wanted"
    assert records["test_misused"].why == "`data:training` has no column `dealy`"
    assert "cannot clean up" in records["test_unclean"].why

    run = runs.get(project.ledger, session.run)
    assert run is not None
    assert (run.kind, run.status, run.exit_code) == ("test", "failed", 1)
    assert run.output is not None
    assert b"1 unsure" in project.store.read(run.output)
    read = {edge.path: edge.object for edge in lineage.edges(project.ledger, session.run)}
    assert read["models/late-arrival"] == model
    assert read["data/evaluation.parquet"] == identify_path(project.root / "data/evaluation.parquet").object
    known = {
        entry["check"]: entry
        for entry in json.loads(runs.tags(project.ledger, session.run)["drystone.checks"])
    }
    assert len(known) == 13
    assert known["checks/flights.py::test_one"] == {
        "check": "checks/flights.py::test_one",
        "kind": "model",
        "about": ["model:late-arrival"],
        "verdict": "pass",
    }
    assert known["checks/flights.py::test_no_subject"]["kind"] == "other"
    assert session.verdict == "fail"
    assert (session.exit_code(strict=False), session.exit_code(strict=True)) == (1, 1)


def test_a_version_is_judged_as_it_is_in_the_store_and_its_gate_reads_that(project: Project) -> None:
    project.model("good")
    version = project.register()
    project.model("poor")
    project.model("good", "other")
    project.check("""
        def test_quality(model, data):
            assert model("late-arrival").on(data("evaluation"), label="late").metric("auc") >= 0.7

        def test_other(model, data):
            assert model("other").on(data("evaluation"), label="late").metric("auc") >= 0.7

        def test_data(data):
            data("training").rows(min=1)
    """)
    session = project.test(version)
    assert {one.check.partition("::")[2]: one.verdict for one in session.outcomes} == {
        "test_quality": "pass",
        "test_other": "skipped",
    }
    (record,) = session.evidence
    assert (record.subject, record.about) == (version.object, "model:late-arrival@v1")
    assert gates.evaluate(project.ledger, version, "champion").passed

    project.test()
    worse = project.register()
    assert not gates.evaluate(project.ledger, worse, "champion").passed, "the model in the work tree is poor"


def test_a_comparison_is_recorded_with_its_opponent_and_the_gate_wants_the_one_there_is(
    project: Project,
) -> None:
    first = project.register()
    project.check("""
        def test_alone(model, data):
            model.on(data("evaluation"), label="late").not_worse_than("champion")

        def test_beside_another(model, data):
            on = model.on(data("evaluation"), label="late")
            on.metric("auc") >= 0.6
            on.not_worse_than("champion")

        def test_idle(model):
            assert model("late-arrival")
    """)
    assert [record.against for record in project.test(first).evidence] == ["", None, ""]
    gates.promote(project.ledger, first, "champion", by=None, clock=SystemClock())
    (project.root / "models" / "late-arrival" / "NOTES").write_text("the same model")
    second = project.register()
    assert {record.against for record in project.test(second).evidence} == {first.object, None}
    gates.promote(project.ledger, second, "champion", by=None, clock=SystemClock())
    refusals = gates.evaluate(project.ledger, first, "champion").refusals
    assert [one.check.partition("::")[2] for one in refusals] == [
        "test_alone",
        "test_beside_another[auc not worse than champion]",
    ]
    assert {one.verdict for one in refusals} == {"missing"}


def test_a_session_about_data_runs_the_checks_of_that_data(project: Project) -> None:
    from drystone.objects.intake import store_path
    from drystone.registry.versions import register

    entry = store_path(project.store, project.root / "data" / "training.parquet")
    version = register(
        project.ledger,
        "data",
        "training",
        object=entry.object,
        path="data/training.parquet",
        size=entry.size,
        run=None,
        clock=SystemClock(),
    )
    project.data("training", pa.table({"id": [1]}))
    project.check("""
        def test_training(data):
            assert data("training").table.num_rows == 2000

        def test_evaluation(data):
            data("evaluation").rows(min=1)

        def test_model(model):
            raise RuntimeError("not about data")
    """)
    session = project.test(version)
    assert {one.check.partition("::")[2]: one.verdict for one in session.outcomes} == {
        "test_training": "pass",
        "test_evaluation": "skipped",
    }
    assert session.outcomes[1].why == "not about data:training@v1"
    assert [one.about for one in session.evidence] == ["data:training@v1"]


def test_a_version_that_the_store_has_lost_is_an_error_and_a_failed_run(project: Project) -> None:
    version = project.register()
    for file in sorted(project.layout.objects.rglob("*"), reverse=True):
        if file.is_file():
            file.chmod(0o644)
            file.unlink()
    project.check("def test_it(model): pass")
    with pytest.raises(NotFound, match="not in the local store"):
        project.test(version)
    assert [run.status for run in runs.recent(project.ledger)] == ["failed"]


def test_a_crash_of_pytest_keeps_the_verdicts_before_it_and_says_so(project: Project) -> None:
    leftover = project.layout.state / "checks" / ("0" * 32)  # of a session that was killed itself
    leftover.mkdir(parents=True)
    project.check("""
        import os, signal

        def test_first(data):
            data("training").rows(min=1)

        def test_second(data):
            os.kill(os.getpid(), signal.SIGKILL)

        def test_third(data):
            pass
    """)
    session = project.test()
    assert session.stopped == "pytest was killed by signal 9 before it was done"
    assert [one.verdict for one in session.evidence] == ["pass"]
    assert [check.partition("::")[2] for check in session.missed] == ["test_second", "test_third"]
    assert session.exit_code(strict=False) == 1
    run = runs.get(project.ledger, session.run)
    assert run is not None
    assert (run.status, run.error) == ("failed", session.stopped)
    assert not list((project.layout.state / "checks").iterdir()), "nothing is left behind"


def test_without_checks_the_error_shows_how_to_begin(project: Project) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        project.test()
    assert caught.value.because == ("there is no folder `checks/`",)
    assert "def test_training_data(data):" in caught.value.hints[0]
    (project.root / "checks").mkdir()
    (project.root / "checks" / "conftest.py").touch()
    (project.root / "checks" / "_helpers.py").touch()
    with pytest.raises(ProjectInvalid) as caught:
        project.test()
    assert caught.value.because == ("`checks/` holds no Python file",)
    assert not runs.recent(project.ledger)


def test_a_project_without_pytest_is_told_by_its_own_words(project: Project, tmp_path: Path) -> None:
    project.check("def test_it(data): pass")
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named pytest' >&2\nexit 1\n")
    fake.chmod(0o755)
    environment = Environment(fake, dict(os.environ))
    session = run_checks(project.layout, project.recorder, environment)
    assert session.stopped == "pytest ended with exit code 1 before it was done"
    assert session.tail == "No module named pytest"
    with pytest.raises(ProjectInvalid, match="cannot be run"):
        run_checks(project.layout, project.recorder, environment._replace(interpreter=tmp_path / "absent"))


def test_a_file_that_cannot_be_read_fails_the_session_and_the_others_count_under_the_projects_settings(
    project: Project,
) -> None:
    (project.root / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\n"
        'addopts = ["--strict-markers", "--strict-config", "--ff", "-q"]\n'
        'testpaths = ["tests"]\npython_files = ["spec_*.py"]\nmarkers = ["slow"]\n'
    )
    project.check("import pytest\n@pytest.mark.slow\ndef test_it(data):\n    data('training').rows(min=1)")
    project.check("import nonexistent_module", "checks/broken.py")
    project.check("raise RuntimeError('not a check')", "tests/spec_other.py")
    project.check("LIMIT = 5", "checks/_limits.py")
    session = project.test()
    assert [one.verdict for one in session.outcomes] == ["pass"]
    assert not (project.root / ".pytest_cache").exists()
    (broken,) = session.broken
    assert broken.path == "checks/broken.py"
    assert "nonexistent_module" in broken.why
    assert session.verdict == "fail"
    version = project.register()
    findings = gates.evaluate(project.ledger, version, "champion").findings
    assert [(one.check, one.verdict) for one in findings] == [("checks/broken.py", "missing")]


def test_an_interrupt_ends_the_process_and_the_run(project: Project) -> None:
    project.check("""
        import pathlib, time

        def test_it(data):
            data("training").rows(min=1)

        def test_forever(data):
            pathlib.Path("started").touch()
            time.sleep(60)
    """)
    main = threading.get_ident()
    listened = threading.Event()

    def interrupt() -> None:
        listened.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    environment = Environment(Path(sys.executable), dict(os.environ))
    with pytest.raises(KeyboardInterrupt):
        run_checks(project.layout, project.recorder, environment, listener=lambda _: listened.set())
    (run,) = runs.recent(project.ledger)
    assert run.status == "killed"
    assert [one.verdict for one in evidence.for_run(project.ledger, run.run)] == ["pass"]


def test_plain_pytest_judges_and_records_nothing(project: Project) -> None:
    project.check(VERDICTS)
    project.layout.lock.write_text("# drystone.lock 1\n")
    before = len(runs.recent(project.ledger))
    done = project.pytest("checks/", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert "1 unsure" in done.stdout
    assert "unsure: too little data to say" in done.stdout
    assert "✗ fail  auc on evaluation 0.8" in done.stdout
    assert "hint: a column with a similar name exists: `delay`" in done.stdout
    assert "checks/flights.py:16" in done.stdout, "a failed claim names its line"
    assert len(runs.recent(project.ledger)) == before


def test_outside_a_project_the_plugin_is_silent_until_a_fixture_is_used(
    tmp_path: Path, project: Project
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "checks").mkdir(parents=True)
    (elsewhere / "checks" / "helper.py").write_text("raise RuntimeError('not a test file here')")
    (elsewhere / "checks" / "test_ours.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    assert not {'numpy', 'pyarrow', 'scipy', 'msgspec', 'drystone.core'} & set(sys.modules)\n"
        "def test_ours(data): pass\n"
    )
    project.root = elsewhere
    done = project.pytest("checks", "-p", "no:cacheprovider")
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "because there is no git repository around `test_ours.py`" in done.stdout
