"""`drystone test` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.ledger import runs

from .conftest import LONELY, Project

CHECKS = """
    def test_rows(data):
        data("training").rows(min=1)

    def test_auc(model, data):
        assert model.on(data("evaluation"), label="late").metric("auc") >= 0.845
"""


def drystone(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drystone", *arguments],
        cwd=project.root,
        env={**os.environ, **LONELY},
        capture_output=True,
        text=True,
    )


def test_verdicts_go_to_stdout_and_a_report_lies_beside(project: Project, tmp_path: Path) -> None:
    project.check(CHECKS)
    done = drystone(project, "test", "--report", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "checks/flights.py"
    assert lines[1].split(maxsplit=3) == ["✓", "pass", "test_rows", "rows 2,000, required >= 1"]
    assert lines[2].split()[:5] == ["?", "unsure", "test_auc", "auc", "0.844"]
    assert "rows would tell" in lines[3]
    assert lines[4].startswith("unsure: 1 unsure, 1 pass")
    assert "a gate wants `pass`" in done.stderr
    assert [run.status for run in runs.recent(project.ledger)] == ["succeeded"], "unsure is no failure"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checks.html", "checks.md"]


def test_strict_makes_unsure_a_failure_and_json_is_one_document(project: Project) -> None:
    project.check(CHECKS)
    version = project.register()
    done = drystone(project, "test", f"late-arrival@v{version.version}", "--strict", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["verdict"], document["exit"]) == ("unsure", 1)
    assert document["counts"] == {"pass": 0, "fail": 0, "unsure": 1, "skipped": 0}
    assert document["about"] == ["model:late-arrival@v1"]
    (record,) = document["evidence"]
    assert (record["subject"], record["verdict"]) == (version.object, "unsure")
    assert Path(document["reports"]["html"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("test",), 3, "there are no checks in this project"),
        (("test", "nothing"), 4, "no data or model named"),
    ],
)
def test_what_cannot_be_tested_is_an_error(
    project: Project, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = drystone(project, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error: {message}")
    assert "hint:" in done.stderr


def test_a_broken_file_of_checks_is_an_error_with_the_end_of_what_pytest_said(project: Project) -> None:
    project.check("def test_it(:", "checks/broken.py")
    done = drystone(project, "test")
    assert done.returncode == 1
    assert "error: the checks did not all run: 1 of the files in `checks/` cannot be read" in done.stderr
    assert "at checks/broken.py" in done.stderr
    assert "SyntaxError" in done.stderr


def test_a_version_that_no_check_is_about_is_not_passed_over_in_silence(project: Project) -> None:
    project.check("def test_auc(model, data):\n    model('late-arrival').on(data('evaluation'))")
    project.model("good", "other")
    project.register("other")
    done = drystone(project, "test", "model:other@v1")
    assert done.returncode == 1
    assert "error: the checks did not all run: no check is about model:other@v1" in done.stderr
