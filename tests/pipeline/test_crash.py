"""Killed anywhere, the next run brings the project to where a clean one would be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from drystone.core.errors import Conflict
from drystone.ledger import names, runs
from drystone.pipeline.guard import guard

HERE = str(Path(__file__).parents[2])
FAILPOINTS = (
    "attempt written",
    "outputs set aside",
    "ended",
    "outputs stored",
    "trace stored",
    "facts recorded",
    "versions noted",
    "lock written",
    "attempt ended",
    "versions registered",
)
KILLED_AT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.pipeline.conftest import Workshop
shop = Workshop(Path(sys.argv[2]))
def die(name):
    if name == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
shop.failpoint = die
shop.run()
"""


def prepare(shop) -> None:
    shop.write(".gitignore", "data/\nmodels/\n")
    shop.write("source.csv", "1\n")
    shop.step("ingest", "mkdir -p data; cat source.csv > data/raw.txt")
    shop.step("train", "mkdir -p models/m; cat data/raw.txt > models/m/weights; cat data/raw.txt > n.txt")


def change(shop) -> None:
    """What the killed run was about: the first step writes another set of files."""
    shop.write("source.csv", "2\n")
    shop.step("ingest", "mkdir -p data; cat source.csv > data/raw.txt; echo new > data/new.txt")


KILLED_BY_STEP = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.pipeline.conftest import Workshop
Workshop(Path(sys.argv[2])).run()
"""


def test_what_the_user_makes_right_after_a_kill_is_not_taken_for_the_steps(shop) -> None:
    shop.write("in", "1\n")
    shop.step("a.py", "import os; open('out', 'w').write('half'); os.kill(int(open('parent').read()), 9)\n")
    starter = "import os, sys; open(sys.argv[2] + '/parent', 'w').write(str(os.getpid()))\n" + KILLED_BY_STEP
    done = subprocess.run([sys.executable, "-c", starter, HERE, str(shop.root)], check=False)
    assert done.returncode == -signal.SIGKILL
    shop.write("in", "2\n")
    shop.write("new", "mine\n")
    shop.step("a", "cat in > out")
    (shop.root / "steps/a.py").unlink()
    assert shop.run() == {"a": "ran"}
    assert (shop.read("in"), shop.read("new"), shop.read("out")) == ("2\n", "mine\n", "2\n")
    assert "what it had made is in" in shop.last.notes[0]


def kill_at(shop, failpoint: str) -> None:
    shop.ledger.close()
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, HERE, str(shop.root), failpoint],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def tree(root: Path) -> dict[str, bytes]:
    """What the user sees: every file but git's and ours."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".git", ".drystone"} & set(path.relative_to(root).parts)
    }


class Clean(NamedTuple):
    outputs: dict[str, bytes]
    lock: str


def paths(lock: str) -> list[str]:
    return [line for line in lock.splitlines() if line.startswith("path ")]


def outputs(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(root).items() if name != "drystone.lock"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Clean:
    """What a run without any accident gives."""
    root = tmp_path_factory.mktemp("clean")
    subprocess.run(["git", "init", "-q", root], check=True)
    script = "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
    script += "from tests.pipeline.conftest import Workshop; from tests.pipeline import test_crash\n"
    script += (
        "shop = Workshop(Path(sys.argv[2])); test_crash.prepare(shop); test_crash.change(shop); shop.run()\n"
    )
    subprocess.run([sys.executable, "-c", script, HERE, str(root)], check=True)
    return Clean(outputs(root), (root / "drystone.lock").read_text())


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_at_any_point_the_next_run_equals_a_clean_one(shop, failpoint, clean) -> None:
    prepare(shop)
    shop.run()
    change(shop)
    kill_at(shop, failpoint)
    shop.run()
    assert shop.last.error is None
    assert outputs(shop.root) == clean.outputs
    assert paths(shop.read("drystone.lock")) == paths(clean.lock)
    assert [version.version for version in names.versions(shop.ledger, "model", "m")] == [1, 2]
    assert not list(shop.layout.attempts.iterdir())
    assert set(shop.run().values()) == {"unchanged"}
    assert not runs.recent(shop.ledger, status="running")


@pytest.mark.parametrize("failpoint", ["outputs set aside", "ended", "outputs stored", "facts recorded"])
def test_killed_in_the_first_run_nothing_half_made_is_used(shop, failpoint) -> None:
    shop.step("a", "if [ -f b.txt ]; then echo half > b.txt; else echo whole > b.txt; fi")
    kill_at(shop, failpoint)
    shop.run()
    assert shop.read("b.txt") == "whole\n"
    assert set(shop.run().values()) == {"unchanged"}


def test_a_killed_run_is_lost_and_said_so_and_its_leftovers_are_kept(shop) -> None:
    prepare(shop)
    shop.run()
    change(shop)
    kill_at(shop, "ended")
    made = (shop.root / "data/new.txt").stat().st_ctime_ns
    while shop.write("notes.txt", "written by the user meanwhile\n").stat().st_ctime_ns == made:
        pass  # until the clock of the file system has ticked
    last_sign_of_life = made - 1_000_000_000  # which may be a second late
    os.utime(shop.layout.attempts / "ingest.json", ns=(0, last_sign_of_life))
    shop.run()
    assert (shop.root / "notes.txt").exists()
    (note,) = shop.last.notes
    assert note.startswith("step `ingest` was killed in the middle: its previous outputs are back; ")
    lost = runs.recent(shop.ledger, status="lost")
    assert [row.name for row in lost] == ["ingest"]
    kept = shop.layout.state / "leftovers" / lost[0].run
    assert (kept / "data/new.txt").read_text() == "new\n"
    assert (kept / "data/raw.txt").read_text() == "2\n"


def test_what_was_committed_before_the_kill_does_not_run_again(shop) -> None:
    prepare(shop)
    shop.run()
    change(shop)
    kill_at(shop, "facts recorded")
    assert shop.run() == {"ingest": "unchanged", "train": "ran"}
    assert shop.last.notes == (
        "step `ingest` had ended well when its `drystone run` was killed: it is committed now",
    )


def test_a_step_does_not_outlive_its_run(shop) -> None:
    pipe = shop.root / "pipe"
    os.mkfifo(pipe)
    shop.step("a", f"echo $$ > {pipe}; while :; do sleep 1; done")
    process = subprocess.Popen([sys.executable, "-c", KILLED_AT, HERE, str(shop.root), "never"])
    pid = int(pipe.read_text())
    process.kill()
    process.wait()
    descriptor = None
    try:
        descriptor = os.pidfd_open(pid)
        import select

        assert select.select([descriptor], [], [], 10)[0], "the step still runs"
    except ProcessLookupError:
        pass
    finally:
        if descriptor is not None:
            os.close(descriptor)


def test_two_runs_at_once_are_a_conflict_that_says_who_and_since_when(shop) -> None:
    shop.step("a", "true")
    with (
        guard(shop.layout, shop.clock, 4711, wait=False, interrupted=threading.Event()),
        pytest.raises(Conflict) as caught,
    ):
        shop.run()
    assert caught.value.exit == 5
    assert caught.value.because[0].startswith("process 4711 runs steps here since 20")
    assert caught.value.hints == ("wait for it with `drystone run --wait`",)


def test_a_second_run_can_wait_for_the_first(shop) -> None:
    pipe = shop.root / "pipe"
    os.mkfifo(pipe)
    shop.step("a", f"echo started > {pipe}; read go < {pipe}; echo a > a.txt")
    first = subprocess.Popen([sys.executable, "-c", KILLED_AT, HERE, str(shop.root), "never"])
    assert pipe.read_text() == "started\n"
    waiting = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tests.pipeline.conftest import Workshop\n"
        "print(Workshop(Path(sys.argv[2])).run(wait=True))\n"
    )
    second = subprocess.Popen(
        [sys.executable, "-c", waiting, HERE, str(shop.root)], stdout=subprocess.PIPE, text=True
    )
    pipe.write_text("go\n")
    out, _ = second.communicate()
    assert first.wait() == 0
    assert out == "{'a': 'unchanged'}\n"


def test_what_a_killed_step_changed_or_removed_is_put_back(shop) -> None:
    shop.write("log.csv", "row\n")
    shop.write("in/1", "1\n")
    shop.step("a", "echo more >> log.csv; rm -r in; echo a > a.txt")
    kill_at(shop, "ended")
    assert shop.read("log.csv") == "row\nmore\n"
    shop.step("a", "cat log.csv in/1 > a.txt")
    assert shop.run() == {"a": "ran"}
    assert shop.read("a.txt") == "row\n1\n"
