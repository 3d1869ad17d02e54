"""Copies that push, are interrupted, pull and forget, against a plain dict of what must be there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from obstore.store import MemoryStore
from tests.objects.remote.world import content, noise, pull, push

from drystone.core.errors import RemoteUnavailable
from drystone.objects.entry import Entry
from drystone.objects.intake import store_path
from drystone.objects.remote.bucket import Bucket
from drystone.objects.store import ObjectStore

COPIES = st.integers(0, 2)
NAMES = st.sampled_from(["a", "b", "sub/a", "sub/deep/c", "large"])
LARGE = noise(3 << 20)


class Copies(RuleBasedStateMachine):
    """Three stores and one bucket."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.bucket = Bucket(MemoryStore(), "lab", "memory://")
        self.stores = [ObjectStore(self.folder / str(number) / "objects") for number in range(3)]
        self.work: list[dict[str, bytes]] = [{}, {}, {}]
        self.pushed: dict[str, dict[str, bytes]] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def stored(self, copy: int) -> Entry:
        tree = self.folder / f"tree{copy}"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for name, data in self.work[copy].items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(data)
        return store_path(self.stores[copy], tree)

    @rule(copy=COPIES, name=NAMES, number=st.integers(0, 9))
    def change(self, copy: int, name: str, number: int) -> None:
        data = b"%d" % number * 50
        self.work[copy][name] = (
            LARGE[: number << 18] + data + LARGE[number << 18 :] if name == "large" else data
        )

    @rule(copy=COPIES, name=NAMES)
    def remove(self, copy: int, name: str) -> None:
        self.work[copy].pop(name, None)

    @rule(copy=COPIES)
    def push(self, copy: int) -> None:
        root = self.stored(copy)
        push(self.stores[copy], self.bucket, root)
        self.pushed[root.object] = dict(self.work[copy])

    @rule(copy=COPIES, allowed=st.integers(0, 5))
    def push_and_be_cut_off(self, copy: int, allowed: int) -> None:
        root = self.stored(copy)
        put, left = self.bucket.put, [allowed]

        def failing(key: str, data: bytes | Path) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise RemoteUnavailable("the cable was cut")
            put(key, data)

        self.bucket.put = failing  # type: ignore[method-assign]
        try:
            push(self.stores[copy], self.bucket, root)
        except RemoteUnavailable:
            pass
        else:
            self.pushed[root.object] = dict(self.work[copy])
        finally:
            self.bucket.put = put  # type: ignore[method-assign]

    @precondition(lambda self: self.pushed)
    @rule(copy=COPIES, which=st.integers(0, 100))
    def pull(self, copy: int, which: int) -> None:
        tree = sorted(self.pushed)[which % len(self.pushed)]
        root = Entry("data", "tree", tree, 0)
        assert not pull(self.stores[copy], self.bucket, root).lacking
        assert content(self.stores[copy], root) == self.pushed[tree]
        self.work[copy] = dict(self.pushed[tree])

    @rule(copy=COPIES)
    def lose_everything_that_was_not_pushed(self, copy: int) -> None:
        shutil.rmtree(self.folder / str(copy), ignore_errors=True)
        self.stores[copy] = ObjectStore(self.folder / str(copy) / "objects")

    @invariant()
    def whatever_was_pushed_is_there(self) -> None:
        if not self.pushed:
            return
        tree = max(self.pushed)
        fresh = ObjectStore(self.folder / "fresh" / "objects")
        assert not pull(fresh, self.bucket, Entry("data", "tree", tree, 0)).lacking
        shutil.rmtree(self.folder / "fresh")


TestCopies = Copies.TestCase
TestCopies.settings = settings(max_examples=12, stateful_step_count=15, deadline=None, derandomize=True)
