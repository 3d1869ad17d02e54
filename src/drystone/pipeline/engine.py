"""Running the steps: each until everything that it looked at has come to rest.

Nothing is declared. The order comes from remembered traces. Where there are none, a step is simply
tried: if it fails, or succeeds, having looked at something that another step then writes, it is tried
again after that one. What comes to rest is what a run in the right order would have given.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from drystone.core.errors import Conflict, DrystoneError, NotFound, WorkFailed
from drystone.ledger.facts import Tags
from drystone.objects.atomic import explained
from drystone.pipeline import closing, flow
from drystone.pipeline.execution import Execution, Failure, Job
from drystone.pipeline.explain import Reason, sentence
from drystone.pipeline.flow import Flow, Lookups
from drystone.pipeline.guard import guard
from drystone.pipeline.judgement import objection
from drystone.pipeline.lookup import Candidate, Decision
from drystone.pipeline.plan import plan
from drystone.pipeline.results import (
    Listener,
    Outcome,
    PipelineResult,
    RunOptions,
    StepFinished,
    StepRegistered,
    StepResult,
    StepStarted,
    StepWaiting,
)
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.situation import Situation
from drystone.pipeline.steps import Step, discover, select
from drystone.pipeline.trace import Trace

_NOTHING: frozenset[str] = frozenset()


def run_steps(rooms: Rooms, options: RunOptions, listener: Listener = lambda _event: None) -> PipelineResult:
    """Bring the outputs of the steps up to date.

    What a step does wrong is in the result, not raised.

    Args:
        rooms: what to work with.
        options: what the user asked for.
        listener: told as each step begins and ends.

    Raises:
        NotFound: there are no steps, or none of a name that was asked for.
        Conflict: two files are one step, or another process runs the steps.
        Corrupt: the lock or an attempt cannot be read.
        ProjectInvalid: the parameters cannot be read.
    """
    began = time.monotonic()
    found = discover(rooms.layout.root)
    wanted = [step.name for step in select(found, list(options.steps))]
    if not found.steps:
        because = [f"`{path}` is not a step because {why}" for path, why in found.others.items()]
        raise NotFound("there are no steps here", because=because, hints=["make one, e.g. `steps/train.py`"])
    notes: list[str] = []
    steps: list[StepResult] = []
    error: DrystoneError | None = None
    hold = guard(
        rooms.layout, rooms.clock, rooms.settings.pid, wait=options.wait, interrupted=rooms.interrupted
    )
    try:
        if options.dry_run:
            steps = plan(Situation(rooms, found), wanted, options, listener)
        else:
            with hold as held:
                if held:
                    situation = Situation(rooms, found)
                    notes = situation.mend(everything=not wanted)
                    steps, error = _Work(situation, options, wanted, listener).done()
    except (OSError, sqlite3.Error) as problem:
        raise _unwritable(problem, rooms.layout.root) from problem
    finally:
        rooms.index.close()
    return PipelineResult(
        steps=tuple(steps),
        others=found.others,
        notes=tuple(notes),
        seconds=time.monotonic() - began,
        interrupted=rooms.interrupted.is_set(),
        error=error,
    )


def _unwritable(problem: OSError | sqlite3.Error, root: Path) -> DrystoneError:
    message = "the steps could not be run to the end"
    if isinstance(problem, OSError):
        return explained(problem, message, Path(problem.filename or root))
    return WorkFailed(message, because=str(problem), hints=["see what is full with `df -h`"])


class _Work:
    """The state of one `drystone run`.

    Every step is in exactly one of: `todo`, `settled` (its last trace stands), `failures`, or it was
    not selected.
    """

    def __init__(
        self, situation: Situation, options: RunOptions, wanted: list[str], listener: Listener
    ) -> None:
        self._situation = situation
        self._options = options
        self._wanted = wanted
        self._tell = listener
        self._steps = situation.found.steps
        self._execution = Execution(situation.rooms, situation.present, situation.attempts, situation.commit)
        self._todo = flow.closure(wanted, situation.remembered) if wanted else set(self._steps)
        self._settled: dict[str, Trace] = {}
        self._failures: dict[str, Failure] = {}
        self._executions: Counter[str] = Counter()
        self._runs: dict[str, str] = {}
        self._results: dict[str, StepResult] = {}
        self._sort()

    def done(self) -> tuple[list[StepResult], DrystoneError | None]:
        """Work until nothing more can be done; the steps' results and what to raise."""
        interrupted = self._situation.rooms.interrupted
        while not interrupted.is_set():
            name = self._next()
            if name is not None:
                self._advance(self._steps[name])
            elif not self._widen():
                break
        self._register()
        ends = closing.close(self._failures, self._waiting(), self._situation)
        for result in ends.results:
            self._results[result.step] = result
            self._tell(StepFinished(result))
        return list(self._results.values()), ends.error

    def _register(self) -> None:
        """What stands at the end becomes versions; a run that was stopped leaves that to the next one."""
        if self._situation.rooms.interrupted.is_set():
            return
        for name, versions in self._situation.commit.register(self._settled).items():
            if name in self._results:
                self._results[name] = replace(self._results[name], published=tuple(versions))
            self._tell(StepRegistered(name, tuple(versions)))

    # -- what next -------------------------------------------------------------------------------

    def _sort(self) -> None:
        """Put the steps in order, as far as is known by now."""
        remembered = self._situation.remembered
        self._order = flow.order(self._steps, remembered)
        self._cursor = 0
        sources = Flow.of(remembered)
        self._upstream = {
            name: set(sources.sources(Lookups.of(trace), listings=False)) - {name}
            for name, trace in remembered.items()
        }

    def _next(self) -> str | None:
        waiting = self._waiting()
        while self._cursor < len(self._order):
            name = self._order[self._cursor]
            if name in self._todo and name not in waiting:
                return name
            self._cursor += 1
        return None

    def _waiting(self) -> dict[str, str]:
        """Steps that are not tried because one that they need failed, with that one."""
        waiting: dict[str, str] = {}
        for name in self._order if self._failures else ():  # whoever is needed comes first
            if name in self._todo:
                for other in sorted(self._upstream.get(name, ())):
                    if other in self._failures or other in waiting:
                        waiting.setdefault(name, waiting.get(other, other))
        return waiting

    def _widen(self) -> bool:
        """Where only some steps were asked for: take in those that may write what these miss."""
        if not self._wanted or not self._failures:
            return False
        outside = set(self._steps) - self._todo - self._settled.keys() - self._failures.keys()
        likely = {
            other
            for failure in self._failures.values()
            if failure.may_wait
            for other in closing.likely_writers(failure, dict.fromkeys(outside, _NOTHING), self._situation)
        }
        if not any(failure.may_wait for failure in self._failures.values()):
            return False
        more = likely or {name for name in outside if name not in self._situation.remembered}
        self._todo |= (
            flow.closure(more, self._situation.remembered) - self._settled.keys() - self._failures.keys()
        )
        self._cursor = 0
        return bool(more)

    # -- one step --------------------------------------------------------------------------------

    def _advance(self, step: Step) -> None:
        decision = self._decide(step)
        if decision.candidate is not None:
            try:
                self._reuse(step, decision.candidate, decision.restore)
                return
            except DrystoneError as error:  # an object of the store is damaged: make it again
                decision = Decision((Reason("not-stored", error.message, step.name),))
        self._execute(step, decision.reasons)

    def _decide(self, step: Step) -> Decision:
        asked = not self._wanted or step.name in self._wanted
        if self._options.force and asked and not self._executions[step.name]:
            return Decision((Reason("forced", "`--force` was given", step.name),))
        return self._situation.decide(step)

    def _reuse(self, step: Step, candidate: Candidate, restore: tuple[str, ...]) -> None:
        situation, trace = self._situation, candidate.trace
        before = situation.remembered[step.name].writes
        stale = {name: output for name, output in before.items() if name not in trace.writes}
        notes = situation.commit.restore({name: trace.writes[name] for name in restore})
        notes += situation.commit.clear(stale)
        situation.commit.make(trace.made)
        situation.adopt(step.name, candidate)
        self._rest(step.name, trace)
        if step.name not in self._results:
            outcome: Outcome = "restored" if restore or stale else "unchanged"
            self._finish(StepResult(step.name, outcome, notes=tuple(notes)))
        self._wake((*restore, *stale), step.name)

    def _execute(self, step: Step, reasons: tuple[Reason, ...]) -> None:
        situation, name = self._situation, step.name
        if not self._executions:
            situation.rooms.ledger.record()  # who could not register versions is told before the work
        self._executions[name] += 1
        self._tell(StepStarted(name, reasons))
        previous = situation.remembered.get(name)
        outcome = self._execution.execute(
            Job(
                step=step,
                reasons=reasons,
                now=situation.now,
                code=situation.code,
                previous=previous,
                timeout=self._options.timeout,
                objection=lambda found: (
                    objection(name, found, situation.remembered, self._settled, situation.lock)
                    or self._restless(name)
                ),
            )
        )
        self._supersede(name, outcome.run)
        if isinstance(outcome, Failure):
            self._fail(name, outcome)
            return
        self._rest(name, outcome.trace)
        situation.remember(name, outcome.trace)
        if (
            previous is None
            or Lookups.of(previous) != Lookups.of(outcome.trace)
            or (previous.writes.keys() != outcome.trace.writes.keys())
        ):
            self._sort()
        self._finish(
            StepResult(
                name,
                "ran",
                because=sentence(reasons),
                reasons=reasons,
                run=outcome.run,
                seconds=outcome.trace.seconds,
                notes=outcome.notes,
            )
        )
        self._wake(_changed(previous, outcome.trace), name)

    def _supersede(self, name: str, run: str) -> None:
        """An execution before this one came too early: its run says so."""
        rooms, earlier = self._situation.rooms, self._runs.get(name)
        if earlier is not None:
            rooms.ledger.record(Tags(earlier, {"drystone.superseded_by": run}, rooms.clock.now()))
        self._runs[name] = run

    def _restless(self, name: str) -> Conflict | None:
        """Steps that change what each other lists or reads, for ever."""
        if self._executions[name] <= len(self._steps) + 1:
            return None
        others = ", ".join(
            f"`{other}`" for other, times in self._executions.items() if times > 2 and other != name
        )
        return Conflict(
            f"step `{name}` does not come to rest: it ran {self._executions[name]} times",
            because=f"what it looks at is changed again and again by {others or 'other steps'}",
        )

    def _fail(self, name: str, failure: Failure) -> None:
        self._todo.discard(name)
        self._failures[name] = failure
        if self._next() is not None:
            among = dict.fromkeys(self._todo, _NOTHING)
            waits = closing.likely_writers(failure, among, self._situation)
            self._tell(StepWaiting(name, failure.run, closing.awaiting(waits)))

    def _rest(self, name: str, trace: Trace) -> None:
        self._todo.discard(name)
        self._failures.pop(name, None)
        self._settled[name] = trace

    def _wake(self, changed: Collection[str], by: str) -> None:
        """Look again at every step that looked at what has just changed."""
        if not changed:
            return
        writes = Flow({by: changed})
        self._cursor = 0
        looked = {name: Lookups.of(trace) for name, trace in self._settled.items()}
        looked |= {name: failure.lookups for name, failure in self._failures.items()}
        for name, lookups in looked.items():
            if name != by and writes.sources(lookups):
                self._settled.pop(name, None)
                self._failures.pop(name, None)
                self._todo.add(name)

    def _finish(self, result: StepResult) -> None:
        self._results[result.step] = result
        self._tell(StepFinished(result))


def _changed(before: Trace | None, after: Trace) -> list[str]:
    """Paths that are not what they were, new folders among them."""
    old = before.writes if before else {}
    changed = [name for name in {**old, **after.writes} if old.get(name) != after.writes.get(name)]
    changed += [name for name, mark in after.left.items() if before is None or before.left.get(name) != mark]
    return [*changed, *(folder for folder in after.made if before is None or folder not in before.made)]
