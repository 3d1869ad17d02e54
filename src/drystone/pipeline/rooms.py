"""What the pipeline works with: the rooms below it, opened by whoever opens the project."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from drystone.core.clock import Clock
from drystone.core.ids import is_run_id
from drystone.core.layout import Layout
from drystone.ledger.facts import Code
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore
from drystone.pipeline.settings import PipelineSettings
from drystone.pipeline.steps import interpreter
from drystone.pipeline.territory import Territory
from drystone.tracking import environment
from drystone.tracking.recorder import Recorder
from drystone.workspace.git import Git
from drystone.workspace.statindex import StatIndex


class Rooms:
    """The rooms of one project.

    Args:
        layout: where everything lies.
        store: its objects; `ledger` its facts; `recorder` records runs in it; `git` its work tree.
        code: tells the state of the code, keeping uncommitted changes as an object.
        clock: tells the time.
        settings: who runs, and with what.
        interrupted: set when the user wants to stop.
        failpoint: called with the name of each durable step of a commit, so that tests can stop there.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        store: ObjectStore,
        ledger: Ledger,
        recorder: Recorder,
        git: Git,
        code: Callable[[], Code],
        clock: Clock,
        settings: PipelineSettings,
        interrupted: threading.Event | None = None,
        failpoint: Callable[[str], None] | None = None,
    ) -> None:
        self.layout = layout
        self.store = store
        self.ledger = ledger
        self.recorder = recorder
        self.git = git
        self.code = code
        self.clock = clock
        self.settings = settings
        self.interrupted = interrupted or threading.Event()
        self.failpoint = failpoint or (lambda _name: None)
        self.received: int = signal.SIGTERM

    def interrupt(self, number: int) -> None:
        """The edge received this signal: what runs is to stop."""
        self.received = number
        self.interrupted.set()

    @property
    def parent(self) -> str | None:
        """The run within whose command this process works, if it is of the same project."""
        variables = self.settings.variables
        run = variables.get("DRYSTONE_RUN", "")
        here = variables.get("DRYSTONE_ROOT") == str(self.layout.root)
        return run if here and is_run_id(run) else None

    @cached_property
    def interpreter(self) -> Path:
        """The project's Python."""
        return interpreter(self.layout.root, self.settings.interpreter)

    @cached_property
    def territory(self) -> Territory:
        """Whose a path is."""
        own = environment.stood_for(self.interpreter)
        return Territory(self.layout.root, own, self.settings.variables.get("TMPDIR"))

    @cached_property
    def index(self) -> StatIndex:
        """What is known of files' contents."""
        return StatIndex(self.layout.stat_index, clock=self.clock, read_only=self.store.read_only)
