"""`add`, `status`, `checkout` and `diff` as they are typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.cli.main import main
from drystone.objects.hashing import hash_bytes

Run = Callable[..., str]
Drystone = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def drystone(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drystone:
    """Runs a verb at the root; gives exit code, standard output and standard error."""
    monkeypatch.chdir(root)
    capsys.readouterr()

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def data(root: Path) -> Path:
    (root / "data").mkdir()
    (root / "data" / "a.csv").write_text("1,2\n")
    return root / "data"


def test_a_file_goes_round(drystone: Drystone, data: Path, sh: Run) -> None:
    code, out, err = drystone("add", "data/a.csv")
    assert (code, out.split()) == (0, ["added", "data/a.csv", hash_bytes(b"1,2\n")[:11], "4", "bytes"])
    assert err == "commit it with `git add drystone.lock .gitignore && git commit`\n"
    sh("add", "drystone.lock", ".gitignore")
    sh("commit", "-qm", "data")
    (data / "a.csv").write_text("1,2,3\n")
    (data / "new").write_text("")
    code, out, _ = drystone("status")
    assert code == 0
    assert out.splitlines()[1:] == ["tracked: 1 modified", "  modified  data/a.csv", "  unknown   data/new"]
    assert drystone("diff")[1].splitlines()[-1].strip() == "~ data/a.csv  4 -> 6 bytes"
    code, out, err = drystone("checkout", "data")
    assert (code, out) == (5, "")
    assert "hint: keep them with `drystone add data/a.csv`" in err
    code, out, err = drystone("checkout", "--force")
    assert (code, out) == (0, "restored  data/a.csv\n")
    assert (data / "a.csv").read_text() == "1,2\n"
    os.system(err.split("`")[3])  # the command that brings the replaced content back
    assert (data / "a.csv").read_text() == "1,2,3\n"


def test_documents_are_one_json_value_each(drystone: Drystone, data: Path, sh: Run) -> None:
    odd = os.fsdecode(b"odd\n\xff")
    (data / odd).mkdir()
    (data / odd / "x").write_text("x")
    (added,) = json.loads(drystone("add", f"data/{odd}", "--json")[1])["added"]
    assert (added["path"], added["outcome"]) == ("data/odd%0A%FF", "added")
    assert set(added["locked"]) == {"object", "kind", "size", "executable"}
    sh("add", "drystone.lock")
    sh("commit", "-qm", "data")
    (data / odd / "x").write_text("xy")
    status = json.loads(drystone("status", "--json")[1])
    assert (status["clean"], status["unknown"]) == (False, ["data/a.csv"])
    (tracked,) = status["tracked"]
    assert (tracked["path"], tracked["state"]) == ("data/odd%0A%FF", "modified")
    (change,) = json.loads(drystone("diff", "--json")[1])["files"]
    assert (change["path"], change["old"]["size"], change["new"]["size"]) == ("data/odd%0A%FF/x", 1, 2)
    done = json.loads(drystone("checkout", "--force", "--json")[1])
    assert (done["restored"], done["saved"][0]["path"]) == (["data/odd%0A%FF"], "data/odd%0A%FF/x")


def test_dry_runs_change_nothing(drystone: Drystone, data: Path, root: Path) -> None:
    code, out, err = drystone("add", "--dry-run", "data")
    assert (code, out.split()[:2], err) == (0, ["added", "data"], "nothing was done (--dry-run)\n")
    assert not (root / "drystone.lock").exists()
    drystone("add", "data")
    (data / "a.csv").unlink()
    assert drystone("checkout", "--dry-run")[1] == "would restore  data\n"
    assert not (data / "a.csv").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["add", "nothing"], 4, "there is no `nothing`"),
        (["add", "../elsewhere"], 2, "is outside of the project"),
        (["add", "drystone.lock"], 2, "`drystone.lock` cannot be tracked"),
        (["checkout", "nothing"], 4, "`nothing` is not tracked"),
        (["checkout", "--git", "nope"], 4, "no git revision named `nope`"),
        (["diff", "nope"], 4, "`nope`"),
    ],
)
def test_errors_say_what_was_wrong(
    drystone: Drystone, root: Path, words: list[str], code: int, message: str
) -> None:
    found, out, err = drystone(*words)
    assert (found, out) == (code, "")
    assert message in err.splitlines()[0]


def test_a_corrupt_lock_is_exit_3(drystone: Drystone, data: Path, root: Path, sh: Run) -> None:
    drystone("add", "data")
    sh("add", "drystone.lock")
    sh("commit", "-qm", "data")
    (root / "drystone.lock").write_text("<<<<<<< HEAD\n")
    for words in (["status"], ["add", "data"], ["checkout"], ["diff"]):
        code, _, err = drystone(*words)
        assert code == 3
        assert err.splitlines()[0] == "error: `drystone.lock` has unresolved merge conflicts"


def test_a_lock_that_is_a_folder_gets_a_way_out(drystone: Drystone, data: Path, root: Path) -> None:
    (root / "drystone.lock").mkdir()
    for words in (["status"], ["add", "data"], ["checkout"], ["fsck"], ["git-merge", "--ours"]):
        code, _, err = drystone(*words)
        assert (code, err.splitlines()[0]) == (3, "error: `drystone.lock` is a folder, and must be a file")
        assert "hint: move it away with `mv drystone.lock drystone.lock.folder`" in err
    os.system(f"cd {root} && {err.split('`')[3]}")  # the command that the hint gives
    assert drystone("add", "data")[0] == 0


def test_status_does_not_advise_to_keep_what_a_killed_step_left_half_made(
    drystone: Drystone, data: Path, root: Path
) -> None:
    drystone("add", "data/a.csv")
    (data / "a.csv").write_text("ha")
    attempts = root / ".drystone" / "attempts"
    attempts.mkdir()
    (attempts / "ingest.json").write_text("{}")
    code, _, err = drystone("status")
    assert code == 0
    assert "`ingest` began and has not ended" in err
    assert "drystone add" not in err
    assert json.loads(drystone("status", "--json")[1])["begun"] == ["ingest"]
    (attempts / "ingest.json").unlink()
    assert "keep changes with `drystone add PATH`" in drystone("status")[2]


def test_two_dashes_end_the_options(drystone: Drystone, root: Path) -> None:
    (root / "-dash").write_text("1")
    assert drystone("add", "--", "-dash")[0] == 0
    (root / "-dash").unlink()
    assert drystone("checkout", "--", "-dash")[0] == 0
    assert (root / "-dash").read_text() == "1"
    (root / "plain").write_text("2")
    assert drystone("add", "plain", "--", "-dash")[0] == 0
    assert drystone("checkout", "plain", "--", "-dash")[0] == 0
    assert drystone("status", "--")[0] == 0
    assert drystone("undo", "--dry-run", "--")[0] == 0
    code, _, err = drystone("pull", "--", "-dash")
    assert (code, "no remote is configured" in err) == (4, True)
    code, _, err = drystone("status", "--", "--json")
    assert (code, "--json" in err) == (2, True)


def test_one_path_that_cannot_be_read_is_told_and_the_others_too(
    drystone: Drystone, root: Path, data: Path
) -> None:
    (root / "other").write_text("1")
    assert drystone("add", "data", "other")[0] == 0
    (root / "other").write_text("22")
    (data / "a.csv").write_text("changed\n")
    (data / "a.csv").chmod(0)
    caps = "-dac_override,-dac_read_search"  # without which the modes of files count for root, too
    drop = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"] if os.geteuid() == 0 else []
    if drop and shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no `setpriv`")
    words = [*drop, str(Path(sys.executable).parent / "drystone"), "status"]
    told = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "tracked: 1 modified, 1 unreadable" in told.stdout
    assert "  modified  other" in told.stdout
    assert "unreadable  data  (`data` cannot be read" in told.stdout
    assert "data/a.csv): permission denied)" in told.stdout
    found = json.loads(subprocess.run([*words, "--json"], cwd=root, capture_output=True).stdout)
    assert not found["clean"]
    assert [item["state"] for item in found["tracked"]] == ["unreadable", "modified"]
    assert "permission denied" in found["tracked"][0]["why"]


def test_a_pipe_in_a_tracked_folder_is_told_and_the_others_too(
    drystone: Drystone, root: Path, data: Path
) -> None:
    (root / "other").write_text("1")
    assert drystone("add", "data", "other")[0] == 0
    os.mkfifo(data / "pipe")
    code, out, _ = drystone("status")
    assert code == 0
    assert "tracked: 1 clean, 1 unreadable" in out
