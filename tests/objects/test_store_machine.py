"""The store against a plain dict, while its process is killed at any step and at any instant."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from drystone.objects.hashing import hash_bytes
from drystone.objects.inspection import inspect
from drystone.objects.repair import repair
from drystone.objects.store import ObjectStore
from tests.objects.stored_elsewhere import content

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
]
some = st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True)


class Machine(RuleBasedStateMachine):
    """Kept: numbers whose objects were acknowledged and never collected."""

    kills = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.root = self.folder / "objects"
        self.kept: set[int] = set()
        self.child: subprocess.Popen[bytes] | None = None

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

    @rule(at=st.sampled_from(STEPS), after=st.integers(1, 12))
    def be_killed_at_a_step(self, at: str, after: int) -> None:
        self._tell({"do": "die", "at": at, "after": after})

    @rule(delay=st.floats(0, 0.02), numbers=some)
    def be_killed_at_an_instant(self, delay: float, numbers: list[int]) -> None:
        timer = threading.Timer(delay, self._child().kill)
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

    def _child(self) -> subprocess.Popen[bytes]:
        if self.child is None:
            program = Path(__file__).with_name("stored_elsewhere.py")
            self.child = subprocess.Popen(
                [sys.executable, program, self.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self.child

    def _tell(self, order: dict[str, object]) -> bool:
        """Whether it did it; if not, it was killed."""
        child = self._child()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(order).encode() + b"\n")
            child.stdin.flush()
            if child.stdout.readline() == b"done\n":
                return True
        except BrokenPipeError:
            pass
        assert child.wait() == -9
        Machine.kills += 1
        self._end()
        return False

    def _end(self) -> None:
        if self.child is not None:
            child, self.child = self.child, None
            child.kill()
            child.communicate()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_there_were_kills() -> None:
    assert Machine.kills > 100 or not Machine.kills
