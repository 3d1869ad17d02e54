"""Whether a step must run: looks for a trace that saw exactly what is there now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from drystone.core.errors import DrystoneError
from drystone.ledger import traces
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk
from drystone.pipeline.circumstances import Circumstances
from drystone.pipeline.explain import Reason, differences
from drystone.pipeline.present import Present
from drystone.pipeline.steps import Step
from drystone.pipeline.trace import Trace, load
from drystone.workspace.lockfile import Lock, LockedPath

_CANDIDATES = 20


class Candidate(NamedTuple):
    """A trace and its id."""

    id: str
    trace: Trace


class Decision(NamedTuple):
    """What to do about a step.

    Attributes:
        reasons: why it must run; empty if it need not.
        candidate: the trace that stands in for an execution, if one does.
        restore: outputs that are missing or different in the work tree.
    """

    reasons: tuple[Reason, ...]
    candidate: Candidate | None = None
    restore: tuple[str, ...] = ()


class Lookup:
    """Remembers traces and compares them with the present."""

    def __init__(self, ledger: Ledger, store: ObjectStore, present: Present) -> None:
        self._ledger = ledger
        self._store = store
        self._present = present
        self._loaded: dict[str, Trace | DrystoneError] = {}

    def remembered(self, step: Step, lock: Lock) -> Trace | None:
        """The last known trace of a step: the lock's, else the newest that can be read."""
        return next((found.trace for found in self._candidates(step, lock, [])), None)

    def decide(self, step: Step, lock: Lock, now: Circumstances) -> Decision:
        """Find a trace that stands in for an execution of the step, or why there is none."""
        reasons: list[Reason] = []
        first: tuple[Reason, ...] | None = None
        for candidate in self._candidates(step, lock, reasons):
            found = differences(candidate.trace, step, now, self._present, self._store)
            if first is None:  # told to the user in full; of the others only whether they fit matters
                first = tuple(found)
                fits = not first
            else:
                fits = next(found, None) is None
            if fits and (reuse := self._reuse(candidate)) is not None:
                return reuse
            if fits:
                reasons.append(self._not_stored(step, candidate.trace))
        told = (*(first or ()), *dict.fromkeys(reasons))
        return Decision(told or (Reason("never-ran", "it never ran", step.name),))

    def _reuse(self, candidate: Candidate) -> Decision | None:
        """Reuse of a trace, None if outputs are neither in place nor in the store."""
        outputs = candidate.trace.writes
        restore = tuple(name for name in outputs if not self._present.is_output(name, outputs[name]))
        if all(self._is_stored(name, outputs[name]) for name in restore):
            return Decision((), candidate, restore)
        return None

    def _is_stored(self, name: str, output: LockedPath) -> bool:
        """Whether the store can restore an output, of a tree every file."""
        try:
            files = walk(self._store, output.entry(name))
            return all(self._store.has(file.object) for _, file in files)
        except DrystoneError:  # a tree that is not here, or damaged
            return False

    def _not_stored(self, step: Step, trace: Trace) -> Reason:
        missing = next(
            name
            for name, output in trace.writes.items()
            if not self._present.is_output(name, output) and not self._is_stored(name, output)
        )
        return Reason("not-stored", f"`{missing}` is not in the local store", step.name)

    def _candidates(self, step: Step, lock: Lock, problems: list[Reason]) -> Iterator[Candidate]:
        """Traces that can be read: the lock's, then those of the ledger, newest first."""
        seen = set()
        locked = lock.steps.get(step.name)
        if locked is not None:
            seen.add(locked)
            trace = self._load(locked)
            if isinstance(trace, Trace):
                yield Candidate(locked, trace)
            else:
                problems.append(Reason("not-stored", f"its trace cannot be used: {trace.message}", step.name))
        for recorded in traces.for_step(self._ledger, step.name, _CANDIDATES):
            if recorded.trace not in seen:
                seen.add(recorded.trace)
                trace = self._load(recorded.trace)
                if isinstance(trace, Trace):
                    yield Candidate(recorded.trace, trace)

    def _load(self, trace_id: str) -> Trace | DrystoneError:
        if trace_id not in self._loaded:
            try:
                self._loaded[trace_id] = load(self._store, trace_id)
            except DrystoneError as error:
                self._loaded[trace_id] = error
        return self._loaded[trace_id]
