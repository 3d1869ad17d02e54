"""Recording one run from its start to its end. Every kind of run goes through here."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from drystone.core.clock import Clock
from drystone.core.ids import new_id
from drystone.ledger.facts import (
    Code,
    Edge,
    Fact,
    OutputCaptured,
    Params,
    Points,
    RunFinished,
    RunKind,
    RunStarted,
    Scalar,
    Status,
    Tags,
)
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore


class Actor(NamedTuple):
    """Who runs, where; the faces find out and hand it in."""

    user: str | None = None
    host: str | None = None
    pid: int | None = None


class ActiveRun:
    """A run that is being recorded. Its journal is locked by this process until `finish`.

    Attributes:
        id: the run's id.
    """

    def __init__(self, recorder: Recorder, started: RunStarted) -> None:
        self.id = started.run
        self._recorder = recorder
        self._journal = recorder.ledger.journal(started.run)
        self._log = recorder.ledger.layout.logs / f"{started.run}.log"
        self._log_size = 0
        self._lock = threading.Lock()
        self.record(started)

    def record(self, *facts: Fact) -> None:
        """Add any facts."""
        with self._lock:
            self._journal.append(*facts)

    def params(self, values: Mapping[str, Scalar]) -> None:
        """Record parameters, by dotted key."""
        if values:
            self.record(Params(self.id, dict(values)))

    def tags(self, values: Mapping[str, str]) -> None:
        """Record labels."""
        if values:
            self.record(Tags(self.id, dict(values), self._recorder.clock.now()))

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record one point of each metric; NaN and infinities are values like any other."""
        now = self._recorder.clock.now()
        self.record(*(Points(self.id, key, [step], [now], [value]) for key, value in values.items()))

    def reads(self, path: str, object_id: str, *, tree: bool = False) -> None:
        """Record that the run read `path` when it was this object."""
        self.record(Edge(self.id, "read", path, object_id, tree))

    def writes(self, path: str, object_id: str, *, tree: bool = False) -> None:
        """Record that the run wrote this object to `path`."""
        self.record(Edge(self.id, "write", path, object_id, tree))

    def log_output(self, data: bytes) -> None:
        """Append to the run's captured output; it can be followed in `.drystone/logs/RUN.log`."""
        with self._lock:
            if not self._log_size:
                self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as file:
                file.write(data)
            self._log_size += len(data)

    def finish(self, status: Status, exit_code: int | None = None, error: str | None = None) -> None:
        """Record the end; what the run printed becomes an object. The facts are on disk on return."""
        if self._log_size:
            output = self._recorder.store.put_file(self._log)
            self.record(OutputCaptured(self.id, output, self._log_size))
        self.record(RunFinished(self.id, status, self._recorder.clock.now(), exit_code, error))
        self._journal.sync()
        self._journal.close()
        self._log.unlink(missing_ok=True)


class Recorder:
    """Starts runs.

    Args:
        ledger: where their facts go.
        store: where their output goes.
        clock: tells the time.
        actor: who runs them.
    """

    def __init__(self, ledger: Ledger, store: ObjectStore, clock: Clock, actor: Actor | None = None) -> None:
        self.ledger = ledger
        self.store = store
        self.clock = clock
        self.actor = actor or Actor()

    def start(
        self,
        *,
        kind: RunKind,
        name: str,
        command: Sequence[str] = (),
        code: Code | None = None,
        environment: str | None = None,
        parent: str | None = None,
        params: Mapping[str, Scalar] | None = None,
        experiment: str = "default",
    ) -> ActiveRun:
        """Begin a run: its start is in its journal on return."""
        now = self.clock.now()
        run = ActiveRun(
            self,
            RunStarted(
                run=new_id(now),
                kind=kind,
                name=name,
                time=now,
                experiment=experiment,
                command=tuple(command),
                parent=parent,
                user=self.actor.user,
                host=self.actor.host,
                pid=self.actor.pid,
                code=code,
                environment=environment,
            ),
        )
        run.params(params or {})
        return run
