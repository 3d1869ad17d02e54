"""Whatever a step does, the last good outputs stay, and what happened is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drystone.core.errors import Conflict, NotFound, WorkFailed
from drystone.ledger import runs
from drystone.pipeline import territory
from drystone.pipeline.results import StepStarted


def good(shop) -> None:
    """Two steps that have run well once, both on `source.csv`."""
    shop.write("source.csv", "1\n")
    shop.step("ingest", "mkdir -p data; cat source.csv > data/raw.txt; cat source.csv > data/more.txt")
    shop.step("train", "cat data/raw.txt > model.txt")
    shop.step("other", "echo other > other.txt")
    shop.run()


def test_a_failed_step_leaves_its_previous_outputs(shop) -> None:
    good(shop)
    lock = shop.layout.lock.read_bytes()
    shop.step("ingest", "mkdir -p data; echo half > data/raw.txt; echo new > data/new.txt; exit 1")
    shop.step("other", "echo second > other.txt")
    assert shop.run() == {"other": "ran", "ingest": "failed", "train": "blocked"}
    assert shop.read("data/raw.txt") == shop.read("data/more.txt") == "1\n"
    assert not (shop.root / "data/new.txt").exists()
    assert shop.read("other.txt") == "second\n"
    assert shop.result("train").because == "`ingest` failed"
    assert isinstance(shop.last.error, WorkFailed)
    kept = shop.layout.state / "leftovers" / shop.result("ingest").run / "data"
    assert (kept / "raw.txt").read_text() == "half\n"
    assert (kept / "new.txt").read_text() == "new\n"
    assert lock.splitlines()[2:4] == shop.layout.lock.read_bytes().splitlines()[2:4]


def test_a_failed_step_runs_again_next_time(shop) -> None:
    good(shop)
    shop.step("ingest", "exit 1")
    shop.run()
    assert shop.run()["ingest"] == "failed"
    assert runs.get(shop.ledger, shop.result("ingest").run).status == "failed"


def test_a_step_that_takes_too_long_is_killed(shop) -> None:
    good(shop)
    shop.step("ingest", "mkdir -p data; echo half > data/raw.txt; while :; do sleep 1; done")
    assert shop.run("ingest", timeout=0.3) == {"ingest": "failed"}
    assert shop.last.error.message == "step `ingest` did not end within 0.3 s"
    assert shop.read("data/raw.txt") == "1\n"
    assert runs.get(shop.ledger, shop.result("ingest").run).status == "killed"


def test_a_step_killed_by_a_signal_is_said_to_be(shop) -> None:
    good(shop)
    shop.step("ingest", "mkdir -p data; echo half > data/raw.txt; kill -9 $$")
    shop.run("ingest")
    assert shop.last.error.message == "step `ingest` was killed by SIGKILL"
    assert shop.read("data/raw.txt") == "1\n"


def test_an_interrupted_step_is_undone_and_nothing_more_runs(shop) -> None:
    good(shop)
    shop.step("ingest", "mkdir -p data; echo half > data/raw.txt; while :; do sleep 1; done")
    shop.step("other", "while :; do sleep 1; done")
    rooms = shop.rooms()
    started = threading.Event()

    def stop() -> None:
        started.wait(20)
        rooms.interrupted.set()

    from drystone.pipeline.engine import run_steps
    from drystone.pipeline.results import RunOptions

    thread = threading.Thread(target=stop)
    thread.start()
    result = run_steps(
        rooms, RunOptions(), lambda event: started.set() if isinstance(event, StepStarted) else None
    )
    thread.join()
    assert result.interrupted
    assert len([step for step in result.steps if step.outcome == "failed"]) == 1
    assert shop.read("data/raw.txt") == "1\n"


def test_a_step_must_not_remove_its_input(shop) -> None:
    good(shop)
    shop.step("train", "mv data/raw.txt model.txt")
    assert shop.run()["train"] == "failed"
    assert shop.last.error.message == "step `train` removed `data/raw.txt`, which it had not made"
    assert shop.read("data/raw.txt") == "1\n"
    assert shop.read("model.txt") == "1\n"
    assert shop.run()["ingest"] == "unchanged"


def test_two_steps_must_not_write_one_path(shop) -> None:
    good(shop)
    shop.step("second", "echo second > data/raw.txt")
    assert shop.run() == {
        "ingest": "unchanged",
        "train": "unchanged",
        "other": "unchanged",
        "second": "failed",
    }
    assert isinstance(shop.last.error, Conflict)
    assert shop.last.error.message == "two steps write `data/raw.txt`: `ingest` and `second`"
    assert shop.read("data/raw.txt") == "1\n"
    assert shop.run()["ingest"] == "unchanged"


def test_a_path_may_move_from_one_step_to_another(shop) -> None:
    shop.step("b", "echo b > b.txt; echo shared > shared.txt")
    shop.run()
    shop.step("a", "echo shared > shared.txt")
    shop.step("b", "echo b > b.txt")
    assert shop.run() == {"b": "ran", "a": "ran"}
    assert shop.read("shared.txt") == "shared\n"
    assert shop.run() == {"b": "unchanged", "a": "unchanged"}


def test_a_reader_that_opens_a_file_for_writing_too_is_no_second_writer(shop) -> None:
    shop.step("a", "echo a > a.txt")
    shop.step("b.py", "open('b.txt', 'w').write(open('a.txt', 'r+').read())\n")
    assert shop.run() == {"a": "ran", "b": "ran"}


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    "script",
    [
        "echo again >> in.txt",
        "n=$(cat in.txt); echo $n$n > in.txt; echo $n > out.txt",
        "{ cat in.txt; echo 2; } > new.txt; mv new.txt in.txt",
        "sed -i s/1/2/ in.txt",
        "python3 -c \"import os; open('in.txt').read(); os.truncate('in.txt', 1)\"",
    ],
)
def test_a_step_must_not_change_its_input_which_is_put_back(shop, git, script: str, tracked: bool) -> None:
    shop.write("in.txt", "1\n")
    shop.step("a", script)
    if tracked:
        git("add", "in.txt")
    for _ in range(2):
        assert shop.run() == {"a": "failed"}
        assert shop.last.error.message == "step `a` changed `in.txt`, which it had not made"
        assert shop.read("in.txt") == "1\n"
    assert not (shop.root / "out.txt").exists()


@pytest.mark.parametrize("script", ["rm in/1", "rm -r in", "mv in out", "mv in/1 out; echo x >> out"])
def test_an_input_that_a_step_removed_is_put_back(shop, script: str) -> None:
    shop.write("in/1", "1\n").chmod(0o755)
    shop.write("in/2", "2\n")
    shop.step("a", script)
    assert shop.run() == {"a": "failed"}
    assert (shop.read("in/1"), shop.read("in/2")) == ("1\n", "2\n")
    assert os.access(shop.root / "in/1", os.X_OK)
    assert not (shop.root / "out").exists()


def test_what_a_failed_step_changed_is_put_back(shop) -> None:
    shop.write("log.csv", "row\n")
    shop.step("a", "echo more >> log.csv; exit 1")
    assert shop.run() == {"a": "failed"}
    assert shop.read("log.csv") == "row\n"


def test_an_input_that_is_written_with_what_it_held_is_an_input(shop) -> None:
    shop.write("in.txt", "1\n")
    shop.step("a", "n=$(cat in.txt); echo $n > in.txt; echo $n > out.txt")
    assert shop.run() == {"a": "ran"}
    assert list(shop.lock.paths) == ["out.txt"]
    assert shop.run() == {"a": "unchanged"}


def test_a_step_that_writes_outside_the_project_is_never_reused(shop, tmp_path_factory, monkeypatch) -> None:
    outside = tmp_path_factory.mktemp("outside") / "result.txt"
    shop.step("a", f"echo a > {outside}")
    shop.run()
    assert shop.run() == {"a": "unchanged"}, "a temporary file is nobody's result"
    monkeypatch.setattr(territory, "_TEMPORARY", ())
    shop.step("a", f"echo b > {outside}")
    shop.run()
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because.startswith(f"it wrote `{outside}`, which is outside the project")


def test_a_file_edited_while_the_step_runs_is_used_once_and_not_again(shop) -> None:
    shop.write("source.csv", "1\n")
    helper = shop.root / ".drystone-test-pipe"
    os.mkfifo(helper)
    writer = threading.Thread(target=_edit_when_asked, args=(helper, shop.root / "source.csv"))
    shop.step("a", f"cat source.csv > a.txt; echo now > {helper}; cat {helper} > /dev/null")
    writer.start()
    assert shop.run("a") == {"a": "ran"}
    writer.join()
    assert shop.read("a.txt") == "1\n"
    assert shop.result("a").notes == ("`source.csv` was edited while it ran",)
    helper.unlink()
    shop.step("a", "cat source.csv > a.txt")
    assert shop.run("a") == {"a": "ran"}
    assert shop.read("a.txt") == "2\n"


def _edit_when_asked(pipe: Path, file: Path) -> None:
    pipe.read_text()
    file.write_text("2\n")
    pipe.write_text("done\n")


def test_a_full_disk_fails_the_step_and_keeps_what_was_there(shop) -> None:
    """The limit on a file's size stands for the disk: writing beyond it fails in the same place."""
    good(shop)
    shop.step("ingest", "mkdir -p data; head -c 4000000 /dev/zero > data/raw.txt")
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from tests.pipeline.conftest import Workshop\n"
        "shop = Workshop(Path(sys.argv[1]))\n"
        "def full(name):\n"
        "    if name == 'ended':\n"
        "        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "shop.failpoint = full\n"
        "print(shop.run('ingest')['ingest'], shop.last.error.message)\n"
    )
    here = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script, str(shop.root), here], capture_output=True, text=True, check=False
    )
    assert done.stdout == "failed the object store cannot be written\n", done.stderr
    assert shop.read("data/raw.txt") == "1\n"


def test_two_files_of_one_name_are_a_conflict(shop) -> None:
    shop.step("a.py", "")
    shop.step("a.sh", "")
    with pytest.raises(Conflict) as caught:
        shop.run()
    assert caught.value.at == ("steps/a.py", "steps/a.sh")


def test_a_project_without_steps_says_so(shop) -> None:
    shop.write("steps/notes.txt", "hello\n")
    with pytest.raises(NotFound) as caught:
        shop.run()
    assert caught.value.because[0].startswith("`steps/notes.txt` is not a step because it is not executable")


def test_a_step_that_is_gone_is_forgotten_and_its_outputs_stay(shop) -> None:
    good(shop)
    (shop.root / "steps/other.sh").unlink()
    shop.run()
    assert shop.last.notes == ("no longer in `steps/`: `other`; what was written stays as tracked files",)
    assert "other" not in shop.lock.steps
    assert shop.read("other.txt") == "other\n"


def test_a_damaged_object_is_made_again(shop) -> None:
    good(shop)
    stored = shop.store.loose.path(shop.lock.paths["data/raw.txt"].object)
    stored.chmod(0o644)
    stored.write_text("2\n")
    (shop.root / "data/raw.txt").unlink()
    assert shop.run()["ingest"] == "ran"
    assert shop.read("data/raw.txt") == "1\n"


def test_a_step_that_speaks_to_the_network_runs_each_time_unless_it_is_pure(shop) -> None:
    shop.step(
        "fetch.py",
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.connect(('192.0.2.1', 9))\n"
        "open('a.txt', 'w').write('a')\n",
    )
    shop.run()
    assert shop.run() == {"fetch": "ran"}
    assert "impure" in shop.result("fetch").because
    shop.pure = frozenset(["fetch"])
    assert shop.run() == {"fetch": "unchanged"}


def test_a_step_that_asks_a_service_of_this_machine_runs_each_time(shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shop.step(
            "a.py",
            f"import socket; socket.create_connection(('127.0.0.1', {port}))\nopen('a.txt', 'w').write('a')",
        )
        shop.run()
        assert shop.run() == {"a": "ran"}
    assert f"it connected to port {port} of this machine" in shop.result("a").because


def test_outputs_come_back_also_when_a_step_removed_the_repository(shop) -> None:
    shop.step("a", "echo old > a.txt")
    shop.run()
    shop.step("a", "rm -rf .git; echo new > a.txt; exit 1")
    assert shop.run() == {"a": "failed"}
    assert shop.read("a.txt") == "old\n"
