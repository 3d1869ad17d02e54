"""`import drystone as ds` in any Python script of any git repository, with nothing set up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.core.layout import Layout
from drystone.ledger import runs
from drystone.ledger.ledger import Ledger


def _script(repository: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (repository / "train.py").write_text(text)
    return subprocess.run(
        [sys.executable, "train.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.fixture
def found(repository: Path) -> Ledger:
    with Ledger.open(Layout(repository)) as ledger:
        yield ledger  # type: ignore[misc]


def test_a_script_that_logs_is_a_run_with_code_and_environment(repository: Path, found: Ledger) -> None:
    ended = _script(
        repository, "import drystone as ds\nfor i in range(3): ds.log(loss=1 / (i + 1))\nds.tag(note='x')\n"
    )
    assert ended.returncode == 0, ended.stderr
    (row,) = runs.recent(found)
    assert (row.kind, row.name, row.status) == ("script", "train", "succeeded")
    assert runs.history(found, row.run, "loss")[-1][::2] == (2, 1 / 3)
    assert runs.tags(found, row.run) == {"note": "x"}
    assert row.code is not None and row.code.commit and row.code.dirty and row.code.changes
    assert row.environment is not None


def test_a_script_that_fails_is_a_failed_run(repository: Path, found: Ledger) -> None:
    ended = _script(repository, "import drystone as ds\nds.log(loss=1)\nraise ValueError('no data')\n")
    assert "ValueError: no data" in ended.stderr
    (row,) = runs.recent(found)
    assert (row.status, row.error) == ("failed", "ValueError: no data")


def test_a_killed_script_is_lost_but_its_points_are_not(repository: Path, found: Ledger) -> None:
    text = (
        "import drystone as ds, os, signal\n"
        "for i in range(5000): ds.log(loss=i)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert _script(repository, text).returncode == -signal.SIGKILL
    found.mark_lost()
    (row,) = runs.recent(found)
    assert row.status == "lost"
    assert len(runs.history(found, row.run, "loss")) >= 4096


def test_parameters_are_recorded_when_they_are_read(repository: Path, found: Ledger) -> None:
    (repository / "params.toml").write_text("seed = 1\n[train]\ndepth = 3\n")
    ended = _script(repository, "import drystone as ds\nassert ds.params['train']['depth'] == 3\n")
    assert ended.returncode == 0, ended.stderr
    assert runs.params(found, runs.recent(found)[0].run) == {"train.depth": 3}


def test_runs_nest_and_an_exception_fails_only_its_own(repository: Path, found: Ledger) -> None:
    text = """
import drystone as ds
with ds.run("search", params={"grid": {"depth": 2}}):
    for fold in range(2):
        try:
            with ds.run(f"fold-{fold}", experiment="folds"):
                ds.log(auc=fold)
                if fold: raise RuntimeError("bad fold")
        except RuntimeError:
            pass
"""
    ended = _script(repository, text)
    assert ended.returncode == 0, ended.stderr
    rows = {row.name: row for row in runs.recent(found)}
    assert {name: row.status for name, row in rows.items()} == {
        "search": "succeeded",
        "fold-0": "succeeded",
        "fold-1": "failed",
    }
    assert rows["fold-0"].parent == rows["search"].run
    assert rows["fold-1"].error == "RuntimeError: bad fold"
    assert [row.name for row in runs.recent(found, experiment="folds")] == ["fold-1", "fold-0"]
    assert runs.params(found, rows["search"].run) == {"grid.depth": 2}


def test_inside_a_run_everything_lands_in_it_from_every_process(repository: Path, found: Ledger) -> None:
    run = "0" * 32
    text = """
import drystone as ds, multiprocessing
def work(n): ds.log(**{f"worker{n}": n})
if __name__ == "__main__":
    ds.log(loss=1)
    children = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    ds.log(loss=2)
"""
    ended = _script(repository, text, DRYSTONE_RUN=run, DRYSTONE_ROOT=str(repository))
    assert ended.returncode == 0, ended.stderr
    assert runs.latest_metrics(found, run) == {"loss": 2.0, "worker0": 0.0, "worker1": 1.0, "worker2": 2.0}
    assert runs.recent(found) == []  # no run of its own


def test_outside_a_repository_the_error_says_what_to_do(tmp_path: Path) -> None:
    ended = _script(tmp_path, "import drystone as ds\nds.log(loss=1)\n")
    assert ended.returncode == 1
    assert "NotARepository" in ended.stderr


def test_importing_drystone_loads_nothing_heavy() -> None:
    program = (
        "import sys, drystone\n"
        "print([m for m in sys.modules if m.startswith(('drystone.', 'msgspec', 'sqlite3'))])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import drystone

    with pytest.raises(AttributeError, match="lgo"):
        drystone.lgo  # noqa: B018


def test_views_can_be_asked_for_again_and_after_their_room_was_imported(repository: Path) -> None:
    (repository / "features").mkdir()
    (repository / "features" / "rain.sql").write_text(
        "-- keys: place\nSELECT 1 AS place, TIMESTAMP '2026-01-01' AS ts, 2 AS mm"
    )
    text = (
        "import drystone.features.api, drystone as ds, pyarrow as pa, datetime\n"
        "spine = pa.table({'place': [1], 'ts': [datetime.datetime(2026, 1, 2)]})\n"
        "for _ in range(2): assert ds.views('rain').at(spine)['mm'].to_pylist() == [2]\n"
    )
    ended = _script(repository, text)
    assert ended.returncode == 0, ended.stderr


def test_a_script_that_leaves_by_sys_exit_with_a_failure_is_a_failed_run(
    repository: Path, found: Ledger
) -> None:
    ended = _script(repository, "import drystone as ds, sys\nds.log(loss=1)\nsys.exit('no data')\n")
    assert ended.returncode == 1
    (row,) = runs.recent(found)
    assert (row.status, row.error) == ("failed", "exit: no data")


def test_threads_with_runs_of_their_own_do_not_mix_and_others_log_into_the_main_one(
    repository: Path, found: Ledger
) -> None:
    text = """
import drystone as ds, threading
gate = threading.Barrier(3)
def fold(n):
    with ds.run(f"fold-{n}"):
        gate.wait()
        ds.log(**{f"k{n}": n})
        gate.wait()
with ds.run("main"):
    helper = threading.Thread(target=lambda: ds.log(helped=1)); helper.start(); helper.join()
    folds = [threading.Thread(target=fold, args=(n,)) for n in range(3)]
    for one in folds: one.start()
    for one in folds: one.join()
"""
    ended = _script(repository, text)
    assert ended.returncode == 0, ended.stderr
    metrics = {row.name: runs.latest_metrics(found, row.run) for row in runs.recent(found)}
    assert metrics == {"main": {"helped": 1.0}, **{f"fold-{n}": {f"k{n}": float(n)} for n in range(3)}}


def test_forked_workers_log_into_the_run_of_their_parent(repository: Path, found: Ledger) -> None:
    text = """
import drystone as ds, multiprocessing, os, sys
def work(n): ds.log(**{f"w{n}": n})
if __name__ == "__main__":
    ds.log(loss=1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(4)); pool.close(); pool.join()
    with ds.run("outer"):
        child = os.fork()
        if child == 0: sys.exit(0)
        os.waitpid(child, 0)
"""
    ended = _script(repository, text)
    assert ended.returncode == 0, ended.stderr
    rows = {row.name: row for row in runs.recent(found)}
    assert {name: row.status for name, row in rows.items()} == {"train": "succeeded", "outer": "succeeded"}
    assert set(runs.latest_metrics(found, rows["train"].run)) == {"loss", "w0", "w1", "w2", "w3"}


def test_an_impossible_step_is_refused_and_costs_no_other_point(repository: Path, found: Ledger) -> None:
    text = (
        "import drystone as ds\nds.log(loss=1)\n"
        "try: ds.log(loss=2, step=2**63)\nexcept Exception as e: print(e)\n"
    )
    ended = _script(repository, text)
    assert ended.stdout == "a step must fit into 64 bits\n"
    assert runs.latest_metrics(found, runs.recent(found)[0].run) == {"loss": 1.0}
