"""The store against a plain dict, while its process is killed at any step and at any instant."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from drystone.objects.hashing import hash_bytes
from drystone.objects.inspection import inspect
from drystone.objects.repair import repair
from drystone.objects.store import ObjectStore

from .stored_elsewhere import content

STEPS = [
    "any",
    "created",
    "written",
    "synced",
    "folder made",
    "renamed",
    "pack written",
    "pack synced",
    "pack renamed",
    "pack indexed",
    "moved",
]
SHARED_MEMORY = ("/dev/shm",)
some = st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True)


class Child:
    """A process with a store that does what it is told until it is killed."""

    breeder: subprocess.Popen[str] | None = None
    pipes = itertools.count()

    def __init__(self, folder: Path, root: Path) -> None:
        if Child.breeder is None:
            program = Path(__file__).with_name("stored_elsewhere.py")
            Child.breeder = subprocess.Popen(
                [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert Child.breeder.stdin is not None
        assert Child.breeder.stdout is not None
        number = next(Child.pipes)
        pipes = [folder / f"orders{number}", folder / f"answers{number}"]
        for pipe in pipes:
            os.mkfifo(pipe)
        Child.breeder.stdin.write(json.dumps([str(root), *map(str, pipes)]) + "\n")
        Child.breeder.stdin.flush()
        self._id = int(Child.breeder.stdout.readline())
        self._orders = pipes[0].open("w")
        self._answers = pipes[1].open()

    def tell(self, order: dict[str, object]) -> bool:
        """Whether it did it; if not, it was killed."""
        try:
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        except BrokenPipeError:
            return False
        answer = self._answers.readline()
        assert answer in ("done\n", ""), answer
        return bool(answer)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._id, signal.SIGKILL)

    def end(self) -> None:
        """Kills it and waits for its death, by which its end of the pipe is closed."""
        self.kill()
        assert self._answers.read() in ("", "done\n")
        with suppress(BrokenPipeError):
            self._orders.close()
        self._answers.close()


class Machine(RuleBasedStateMachine):
    """Kept: numbers whose objects were acknowledged and never collected."""

    kills = 0

    def __init__(self) -> None:
        super().__init__()
        # in memory where there is such a place: what survives SIGKILL does not depend on the disk
        self.folder = Path(
            tempfile.mkdtemp(dir=next((p for p in SHARED_MEMORY if os.access(p, os.W_OK)), None))
        )
        self.root = self.folder / "objects"
        self.kept: set[int] = set()
        self.child: Child | None = None

    def teardown(self) -> None:
        self._end()
        shutil.rmtree(self.folder)

    @rule(numbers=some, do=st.sampled_from(["put", "batch", "batch"]))
    def store_some(self, numbers: list[int], do: str) -> None:
        numbers = numbers if do == "batch" else numbers[:3]
        if self._tell({"do": do, "numbers": numbers}):
            self.kept |= set(numbers)

    @rule(keep=st.sets(st.integers(0, 60)))
    def collect(self, keep: set[int]) -> None:
        self._end()  # what it relied on it no longer does
        self.kept &= keep
        self._tell({"do": "collect", "keep": sorted(self.kept)})

    @rule()
    def restore(self) -> None:
        self._tell({"do": "restore"})

    @rule(at=st.sampled_from(STEPS), after=st.integers(1, 6), numbers=some)
    def be_killed_at_a_step_of_storing(self, at: str, after: int, numbers: list[int]) -> None:
        if self._tell({"do": "die", "at": at, "after": after}):
            self.store_some(numbers, "batch")

    @rule(at=st.sampled_from(STEPS), after=st.integers(1, 6), keep=st.sets(st.integers(0, 60)))
    def be_killed_at_a_step_of_collecting(self, at: str, after: int, keep: set[int]) -> None:
        self._end()
        self.kept &= keep
        if self._tell({"do": "die", "at": at, "after": after}):
            self._tell({"do": "collect", "keep": sorted(self.kept)})

    @rule(delay=st.floats(0, 0.02), numbers=some)
    def be_killed_at_an_instant(self, delay: float, numbers: list[int]) -> None:
        timer = threading.Timer(delay, self._began().kill)
        timer.start()
        if self._tell({"do": "batch", "numbers": numbers}):
            self.kept |= set(numbers)
        timer.join()
        self._end()

    @rule()
    def be_checked_and_mended(self) -> None:
        self._end()
        store = ObjectStore(self.root)
        faults = inspect(store).faults
        assert {fault.why for fault in faults} <= {"it has no index"}  # a pack that nobody was told of
        if faults:
            repair(store, faults)
        assert inspect(ObjectStore(self.root)).faults == []

    @invariant()
    def is_the_dict(self) -> None:
        store = ObjectStore(self.root)
        for number in self.kept:
            assert store.read(hash_bytes(content(number))) == content(number)
        known = {hash_bytes(content(number)) for number in range(61)}
        for name in store:
            assert name in known
            store.verify(name)
        assert not self.root.exists() or store.quarantine.doubt() is None

    def _began(self) -> Child:
        if self.child is None:
            self.child = Child(self.folder, self.root)
        return self.child

    def _tell(self, order: dict[str, object]) -> bool:
        """Whether it did it; if not, it was killed."""
        if self._began().tell(order):
            return True
        Machine.kills += 1
        self._end()
        return False

    def _end(self) -> None:
        if self.child is not None:
            child, self.child = self.child, None
            child.end()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=45, stateful_step_count=35, deadline=None)


def test_there_were_kills_enough() -> None:
    for _ in range(10):
        if Machine.kills <= 150:  # how often a kill hits is a matter of luck and of the machine's load
            run_state_machine_as_test(Machine, settings=settings(TestMachine.settings, max_examples=15))
    assert Machine.kills > 150
    assert Child.breeder is not None
    Child.breeder.communicate()
