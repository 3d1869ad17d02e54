"""`drystone run` as a person or a script calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "drystone", "run"]


def drystone(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=root, capture_output=True, text=True, check=False)


def step(root: Path, name: str, text: str) -> None:
    (root / "steps").mkdir(exist_ok=True)
    (root / "steps" / name).write_text(text)


def test_one_aligned_line_per_step_on_standard_output(repository) -> None:
    step(repository, "ingest.sh", "mkdir -p data; echo 1 > data/raw.txt")
    step(repository, "fit.sh", "cat data/raw.txt > fit.txt")
    first = drystone(repository)
    assert first.returncode == 0
    lines = first.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["ingest", "ran"], ["fit", "ran"]]
    assert lines[2:] == ["registered  data:raw@v1  by ingest"]
    assert lines[0].index("ran") == lines[1].index("ran")
    assert lines[0].endswith("it never ran")
    assert "ingest  starts: it never ran\n" in first.stderr
    assert "\n2 ran in " in first.stderr
    assert drystone(repository).stdout == "ingest  unchanged\nfit     unchanged\n"


def test_a_failure_shows_what_was_printed_and_exits_with_1(repository) -> None:
    step(repository, "fit.sh", "echo no data >&2; exit 3")
    done = drystone(repository)
    assert done.returncode == 1
    assert "| no data" in done.stdout
    assert "error: step `fit` failed with exit code 3\n  at steps/fit.sh\n" in done.stderr


def test_json_is_one_document(repository) -> None:
    step(repository, "fit.sh", "echo 1 > fit.txt")
    document = json.loads(drystone(repository, "--json").stdout)
    (only,) = document["steps"]
    assert (only["step"], only["outcome"], only["because"]) == ("fit", "ran", "it never ran")
    assert document["error"] is None


def test_a_dry_run_tells_and_does_nothing(repository) -> None:
    step(repository, "fit.sh", "echo 1 > fit.txt")
    done = drystone(repository, "--dry-run")
    assert done.stdout.split() == ["fit", "would-run", "it", "never", "ran"]
    assert not (repository / "fit.txt").exists()


def test_a_tracked_command_keeps_its_output_and_exit_code(repository) -> None:
    done = drystone(repository, "--", "sh", "-c", "echo hi; exit 9")
    assert (done.returncode, done.stdout) == (9, "hi\n")
    assert "is on record: `drystone show " in done.stderr


def test_a_file_that_is_no_step_is_mentioned(repository) -> None:
    step(repository, "fit.sh", "true")
    step(repository, "notes.txt", "hello")
    told = [[*COMMAND[:-1], "status", *words] for words in ((), ("--json",))]
    plain, document = (
        subprocess.run(words, cwd=repository, capture_output=True, text=True, check=True) for words in told
    )
    assert "note: `steps/notes.txt` is not a step because it is not executable" in plain.stderr
    assert list(json.loads(document.stdout)["others"]) == ["steps/notes.txt"]
    assert "note: `steps/notes.txt` is not a step because it is not executable" in drystone(repository).stderr


@pytest.mark.parametrize("words", [["--timeout", "0"], ["--timeout", "nan"], ["--force", "--", "true"]])
def test_calls_that_make_no_sense_exit_with_2(repository, words) -> None:
    assert drystone(repository, *words).returncode == 2


def test_outside_of_a_repository_it_says_so(tmp_path) -> None:
    done = drystone(tmp_path)
    assert done.returncode == 3
    assert "hint: make it one with `git init`" in done.stderr


def test_an_interrupt_puts_everything_back_and_exits_with_130(repository) -> None:
    pipe = repository / "pipe"
    os.mkfifo(pipe)
    step(repository, "fit.sh", f"echo half > fit.txt; echo now > {pipe}; while :; do sleep 1; done")
    process = subprocess.Popen(COMMAND, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pipe.read_text()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert not (repository / "fit.txt").exists()


def test_a_tracked_command_keeps_its_two_streams_apart(repository) -> None:
    done = drystone(repository, "--", "sh", "-c", "echo out; echo err >&2")
    assert done.stdout == "out\n"
    assert done.stderr.startswith("err\n")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM")])
def test_a_tracked_command_gets_the_signal_that_we_get(repository, number, name) -> None:
    script = f"trap 'echo bye; exit 5' {name}; echo ready; while :; do sleep .1; done"
    process = subprocess.Popen(
        [*COMMAND, "--", "sh", "-c", script], cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.communicate()[0] == b"bye\n"
    assert process.returncode == 5


def test_a_tracked_command_that_was_stopped_in_time_is_said_to_be(repository) -> None:
    done = drystone(repository, "--timeout", "0.2", "--", "sleep", "60")
    assert "stopped after 0.2 s\n" in done.stderr
    assert done.returncode == 128 + signal.SIGTERM


def test_a_damaged_lock_does_not_come_between_a_command_and_its_exit_code(repository) -> None:
    (repository / "drystone.lock").write_text("<<<<<<< HEAD\n")
    done = drystone(repository, "--", "sh", "-c", """echo '{"auc": 0.5}' > metrics.json; exit 7""")
    assert done.returncode == 7
    assert "warning: tracked files that it read outside `data/` and `models/` are not told" in done.stderr


def test_a_command_may_be_named_in_bytes_that_are_no_text(repository) -> None:
    done = subprocess.run(
        [*COMMAND, "--", "printf", b"%s", b"\xff"], cwd=repository, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"\xff")


def test_a_run_within_a_run_knows_its_parent(repository) -> None:
    step(repository, "fit.sh", "echo 1 > fit.txt")
    done = drystone(repository, "--json", "--", *COMMAND)
    outer = json.loads(done.stdout)["run"]
    log = subprocess.run(
        [*COMMAND[:-1], "log", "--json"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert f'"parent": "{outer}"' in log.stdout


def test_without_an_identity_for_its_versions_nothing_runs(repository) -> None:
    step(repository, "fit.sh", "mkdir -p data; echo 1 > data/fit.txt")
    (repository / ".drystone").mkdir()
    (repository / ".drystone/clone").write_text("damaged\n")
    done = drystone(repository)
    assert done.returncode == 3
    assert not (repository / "data").exists()
