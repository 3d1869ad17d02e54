"""A project with steps, run for real."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.ledger.facts import Code
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore
from drystone.pipeline.engine import run_steps
from drystone.pipeline.results import Event, PipelineResult, RunOptions, StepResult
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.settings import PipelineSettings
from drystone.tracking.recorder import Actor, Recorder
from drystone.workspace.git import Git
from drystone.workspace.lockfile import Lock


class Workshop:
    """A git repository with steps, and everything that is needed to run them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root)
        self.clock = SystemClock()
        self.store = ObjectStore(self.layout.objects)
        self.ledger = Ledger.open(self.layout, self.clock)
        self.variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
        self.events: list[Event] = []
        self.failpoint: Callable[[str], None] | None = None
        self.pure: frozenset[str] = frozenset()
        self.last: PipelineResult | None = None

    def rooms(self) -> Rooms:
        return Rooms(
            layout=self.layout,
            store=self.store,
            ledger=self.ledger,
            recorder=Recorder(
                self.ledger, self.store, self.clock, Actor("ada", os.uname().nodename, os.getpid())
            ),
            git=Git(self.root),
            code=Code,
            clock=self.clock,
            settings=PipelineSettings(
                interpreter=Path(sys.executable), variables=self.variables, pid=os.getpid(), pure=self.pure
            ),
            failpoint=self.failpoint,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def step(self, name: str, text: str) -> Path:
        """A step; the suffix says in what language, `.sh` if there is none."""
        return self.write(f"steps/{name}" if "." in name else f"steps/{name}.sh", text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def run(self, *steps: str, **options: object) -> dict[str, str]:
        """Run; what became of each step."""
        self.events = []
        self.last = run_steps(self.rooms(), RunOptions(steps=steps, **options), self.events.append)  # type: ignore[arg-type]
        return {result.step: result.outcome for result in self.last.steps}

    def result(self, step: str) -> StepResult:
        """What became of a step in the last run."""
        assert self.last is not None
        return next(result for result in self.last.steps if result.step == step)

    @property
    def lock(self) -> Lock:
        return Lock.read(self.layout.lock)


@pytest.fixture
def shop(repository: Path) -> Iterator[Workshop]:
    made = Workshop(repository)
    yield made
    made.ledger.close()


@pytest.fixture
def workshop() -> type[Workshop]:
    """To make another project with."""
    return Workshop
