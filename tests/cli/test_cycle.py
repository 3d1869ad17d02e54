"""One small project through the verbs, as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Drystone = Callable[..., subprocess.CompletedProcess[str]]

INGEST = "mkdir -p data\nseq 1 100 > data/numbers.txt\n"
TRAIN = """
import json, pathlib
import drystone as ds

numbers = [int(line) for line in open("data/numbers.txt")]
weight = ds.params["train"]["weight"]
for step in range(3):
    ds.log(loss=1 / (step + weight), step=step)
model = pathlib.Path("models/mean")
model.mkdir(parents=True, exist_ok=True)
(model / "mean.json").write_text(json.dumps(weight * sum(numbers) / len(numbers)))
pathlib.Path("metrics.json").write_text(json.dumps({"mean": weight * 50.5, "worst": float("nan")}))
print("trained")
"""


def _call(folder: Path, *words: str) -> None:
    """Run a command that must succeed."""
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after its first run, committed; made once and copied for each test."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "steps").mkdir()
    (folder / "steps" / "ingest.sh").write_text(INGEST)
    (folder / "steps" / "train.py").write_text(TRAIN)
    (folder / "params.toml").write_text("[train]\nweight = 2\n[other]\nunused = 1\n")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    _call(folder, *git, "init", "-q", "-b", "main")
    _call(folder, *git, "add", "-A")
    _call(folder, *git, "commit", "-q", "-m", "steps")
    _call(folder, str(Path(sys.executable).parent / "drystone"), "run")
    _call(folder, *git, "add", "-A")
    _call(folder, *git, "commit", "-q", "-m", "first model")
    return folder


@pytest.fixture
def built(tmp_path: Path, template: Path) -> Path:
    """A copy of the built project, in the folder where `drystone` is called."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _outcomes(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {step["step"]: step["outcome"] for step in json.loads(ended.stdout)["steps"]}


def test_steps_run_once_and_again_only_for_what_they_read(built: Path, drystone: Drystone) -> None:
    assert _outcomes(drystone("run", "--json")) == {"ingest": "unchanged", "train": "unchanged"}
    params = built / "params.toml"
    params.write_text(params.read_text().replace("unused = 1", "unused = 2"))
    assert _outcomes(drystone("run", "--json")) == {"ingest": "unchanged", "train": "unchanged"}
    params.write_text(params.read_text().replace("weight = 2", "weight = 3"))
    assert _outcomes(drystone("run", "--json")) == {"ingest": "unchanged", "train": "ran"}
    said = drystone("why", "train").stdout
    assert "param train.weight 2 -> 3" in said
    assert "data/numbers.txt" in said and "step `ingest`" in said


def test_the_difference_to_the_last_commit_is_told(built: Path, drystone: Drystone) -> None:
    assert drystone("diff").stdout == ""
    params = built / "params.toml"
    params.write_text(params.read_text().replace("weight = 2", "weight = 3"))
    assert drystone("run").returncode == 0
    found = json.loads(drystone("diff", "--json").stdout)
    assert found["params"] == [{"run": "train", "key": "train.weight", "old": 2, "new": 3}]
    assert {change["key"]: (change["old"], change["new"]) for change in found["metrics"]} == {
        "loss": (0.25, 0.2),
        "mean": (101.0, 151.5),
    }
    assert "models/mean/mean.json" in {file["path"] for file in found["files"]}
    versions = drystone("diff", "model:mean@v1", "model:mean@v2").stdout
    assert "train.weight" in versions and "+50.5" in versions


def test_log_show_and_ls_tell_what_there_is(built: Path, drystone: Drystone) -> None:
    listed = json.loads(drystone("log", "--json", "--metric", "mean").stdout)["runs"]
    train = next(run for run in listed if run["name"] == "train" and run["status"] == "succeeded")
    assert train["metrics"] == {"mean": 101.0}
    shown = drystone("show", train["run"][:16])
    assert "trained" in shown.stdout and "train.weight" in shown.stdout
    assert drystone("show", train["run"], "--output").stdout == "trained\n"
    assert "model:mean" in drystone("ls").stdout
    assert drystone("ls", "model:mean").stdout.splitlines()[1].startswith("v1")
    assert "models/mean" in drystone("show", "model:mean@v1").stdout


def test_every_reading_verb_prints_one_document_with_json(built: Path, drystone: Drystone) -> None:
    for words in (
        ("status",), ("log",), ("ls",), ("ls", "model:mean"), ("show", "train"), ("show", "model:mean"),
        ("diff",), ("why", "train"), ("doctor",), ("completion", "bash"),
    ):  # fmt: skip
        ended = drystone(*words, "--json")
        assert ended.returncode == 0, (words, ended.stderr)
        assert isinstance(json.loads(ended.stdout), dict), words


def test_nothing_is_lost_when_the_work_tree_is(built: Path, drystone: Drystone) -> None:
    (built / "models" / "mean" / "mean.json").unlink()
    (built / "data" / "numbers.txt").write_text("spoilt")
    assert "missing" in drystone("status").stdout or "modified" in drystone("status").stdout
    assert _outcomes(drystone("run", "--json")) == {"ingest": "restored", "train": "restored"}
    assert (built / "data" / "numbers.txt").read_text().startswith("1\n2\n")


def test_any_command_is_tracked_in_any_repository(repository: Path, drystone: Drystone) -> None:
    ended = drystone("run", "--", "sh", "-c", "echo hello; echo '{\"auc\": 0.5}' > metrics.json; exit 3")
    assert ended.returncode == 3
    assert ended.stdout == "hello\n"
    listed = json.loads(drystone("log", "--json", "--metric", "auc").stdout)["runs"]
    assert [(run["kind"], run["status"], run["exit_code"]) for run in listed] == [("command", "failed", 3)]
    assert listed[0]["metrics"] == {"auc": 0.5}
    assert "hello" in drystone("show", listed[0]["run"]).stdout


def test_a_broken_lock_is_named_with_its_line(built: Path, drystone: Drystone) -> None:
    lock = built / "drystone.lock"
    text = lock.read_text()
    lock.write_text(text + "nonsense\n")
    for verb in ("run", "status", "diff"):
        ended = drystone(verb)
        assert ended.returncode == 3, verb
        assert f"drystone.lock:{text.count(chr(10)) + 1}\n" in ended.stderr, verb
    assert drystone("doctor").returncode == 3
    assert lock.read_text() == text + "nonsense\n"


def test_a_lost_index_is_rebuilt_and_said(built: Path, drystone: Drystone) -> None:
    before = drystone("log").stdout
    (built / ".drystone" / "ledger.sqlite").write_bytes(b"garbage" * 5000)
    for suffix in ("-wal", "-shm"):
        (built / ".drystone" / f"ledger.sqlite{suffix}").unlink(missing_ok=True)
    ended = drystone("log")
    assert ended.stdout == before
    assert "has been rebuilt" in ended.stderr
    rebuilt = json.loads(drystone("doctor", "--rebuild", "--json").stdout)
    assert rebuilt["healthy"] and rebuilt["rebuilt"]["journals"] > 0
    assert drystone("log").stdout == before


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("why", "trian"), 4, "`train`"),
        (("why", "step:trian"), 4, "`train`"),
        (("why", "model:maen"), 4, "`model:mean`"),
        (("show", "model:mean@v9"), 4, "`drystone ls model:mean`"),
        (("why", "deploy:x"), 4, "drystone serve"),
        (("why", "view:x"), 4, "features/"),
        (("why", "0" * 32), 4, "drystone log"),
        (("why", "modell:mean"), 2, "`model`"),
        (("diff", "nowhere"), 4, "git log"),
        (("run", "trian"), 4, "`train`"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(
    built: Path, drystone: Drystone, words: tuple[str, ...], code: int, hint: str
) -> None:
    ended = drystone(*words)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert hint in ended.stderr


def test_doctor_finds_a_damaged_object(built: Path, drystone: Drystone) -> None:
    assert drystone("doctor").returncode == 0
    locked = next(
        line for line in (built / "drystone.lock").read_text().splitlines() if "numbers.txt" in line
    )
    digits = locked.split()[2].removeprefix("b3:")
    damaged = built / ".drystone" / "objects" / digits[:2] / digits[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    ended = drystone("doctor")
    assert ended.returncode == 3
    assert "data/numbers.txt" in ended.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("why", "step:train@v9"), 2),
        (("why", "train@v9"), 4),
        (("show", "run:0000@v1"), 2),
        (("show", "deploy:x"), 2),
        (("show", "mean@v1"), 0),
        (("show", "model:mean", "--output"), 2),
    ],
)
def test_a_version_is_never_ignored(
    built: Path, drystone: Drystone, words: tuple[str, ...], code: int
) -> None:
    assert drystone(*words).returncode == code


def test_an_id_that_several_runs_begin_with_is_ambiguous(built: Path, drystone: Drystone) -> None:
    listed = json.loads(drystone("log", "--json").stdout)["runs"]
    ended = drystone("why", listed[0]["run"][:4])
    assert ended.returncode == 4
    assert "several runs begin with" in ended.stderr


def test_what_a_run_printed_cannot_steer_the_terminal(repository: Path, drystone: Drystone) -> None:
    assert drystone("run", "--", "printf", "\\033[2Jpwned\\n").returncode == 0
    assert "\x1b" not in drystone("show", "printf").stdout
    assert drystone("show", "printf", "--output").stdout == "\x1b[2Jpwned\n"


def test_numbers_that_json_has_not_are_told_apart(repository: Path, drystone: Drystone) -> None:
    text = '{"a": NaN, "b": Infinity, "c": -Infinity}'
    assert drystone("run", "--", "sh", "-c", f"echo '{text}' > metrics.json").returncode == 0
    shown = json.loads(drystone("show", "sh", "--json").stdout)
    assert shown["metrics"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


def test_a_repository_without_commits_has_an_empty_difference(
    drystone: Drystone, tmp_path: Path, git: Any
) -> None:
    git("init", "-q")
    ended = drystone("diff", "--json")
    assert json.loads(ended.stdout) == {"params": [], "metrics": [], "files": [], "tables": []}
