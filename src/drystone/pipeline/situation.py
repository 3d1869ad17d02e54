"""What is known while the steps run: lock, remembered traces, contents, circumstances."""

from __future__ import annotations

from functools import cached_property

from drystone.ledger.facts import Code
from drystone.objects.listing import Stamp, stamp
from drystone.pipeline.attempts import Attempts
from drystone.pipeline.circumstances import Circumstances
from drystone.pipeline.commit import Commit
from drystone.pipeline.explain import Reason
from drystone.pipeline.lookup import Candidate, Decision, Lookup
from drystone.pipeline.present import Present
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.steps import Discovery, Step, shadows
from drystone.pipeline.trace import Trace
from drystone.tracking.environment import site_packages
from drystone.workspace import lockfile
from drystone.workspace.lockfile import Lock


class Situation:
    """The project as one `drystone run` sees it.

    Args:
        rooms: what to work with.
        found: the steps.
    """

    def __init__(self, rooms: Rooms, found: Discovery) -> None:
        self.rooms = rooms
        self.found = found
        self.now = Circumstances(rooms)
        packages = site_packages(rooms.interpreter)
        files = frozenset(step.path for step in found.steps.values() if not shadows(step, packages))
        self.present = Present(rooms.territory, rooms.index, files)
        self.lookup = Lookup(rooms.ledger, rooms.store, self.present)
        self.attempts = Attempts(rooms.layout)
        self.commit = Commit(rooms, self.present, self.attempts)
        self._lock: tuple[Stamp | None, Lock] | None = None

    @cached_property
    def code(self) -> Code:
        """The code as it was before any step ran."""
        return self.rooms.code()

    @property
    def lock(self) -> Lock:
        """The lock as it is now, read again only when it has changed."""
        path = self.rooms.layout.lock
        seen = stamp(path.stat()) if path.exists() else None
        if self._lock is None or self._lock[0] != seen:
            self._lock = (seen, Lock.read(path))
        return self._lock[1]

    @cached_property
    def remembered(self) -> dict[str, Trace]:
        """The last trace of each step that has one."""
        lock = self.lock
        traces = {name: self.lookup.remembered(step, lock) for name, step in self.found.steps.items()}
        return {name: trace for name, trace in traces.items() if trace is not None}

    def decide(self, step: Step) -> Decision:
        """Whether a step must run: also if what it left outside of the project is needed and not there."""
        decision = self.lookup.decide(step, self.lock, self.now)
        left = decision.candidate.trace.left if decision.candidate is not None else {}
        for name in left:
            for other, trace in self.remembered.items():
                needed = other != step.name and (name in trace.reads or name in trace.present)
                if needed and self.present.mark(name) != left[name]:
                    text = f"`{name}`, which `{other}` reads, is not what it left there"
                    return Decision((Reason("gone", text, name),))
        return decision

    def remember(self, step: str, trace: Trace) -> None:
        """A step has a new last trace."""
        self.remembered[step] = trace

    def adopt(self, step: str, candidate: Candidate) -> None:
        """Make a remembered trace the step's last one, in the lock as well."""
        trace, lock = candidate.trace, self.lock
        in_place = all(lock.paths.get(name) == output for name, output in trace.writes.items())
        if lock.steps.get(step) != candidate.id or not in_place:
            self.commit.owe(trace, candidate.id)
            self.commit.lock(trace, candidate.id, self.remembered[step].writes)
        self.remember(step, trace)

    def mend(self, *, everything: bool) -> list[str]:
        """End what killed processes left unfinished, forget steps that are gone; a sentence about each.

        Args:
            everything: whether all steps are about to run, so that one that is gone is gone for good.
        """
        notes = self.commit.recover()
        gone = [step for step in self.lock.steps if step not in self.found.steps] if everything else []
        if gone:
            layout = self.rooms.layout
            lockfile.update(layout.lock, layout.guards, lambda lock: lock.changed(steps=dict.fromkeys(gone)))
            names = ", ".join(f"`{step}`" for step in gone)
            notes.append(f"no longer in `steps/`: {names}; what was written stays as tracked files")
        return notes
