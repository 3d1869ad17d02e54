"""One execution of a step: observed, and either committed whole or undone."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from drystone.core.errors import DrystoneError, WorkFailed
from drystone.ledger import runs
from drystone.ledger.facts import Code, Status
from drystone.pipeline import metrics, variables
from drystone.pipeline.attempts import Attempt, Attempts
from drystone.pipeline.capture import Capture
from drystone.pipeline.circumstances import Circumstances
from drystone.pipeline.commit import Commit
from drystone.pipeline.explain import Reason, sentence
from drystone.pipeline.flow import Lookups
from drystone.pipeline.keeping import Keeping
from drystone.pipeline.observation import Observation
from drystone.pipeline.observer import observe
from drystone.pipeline.present import Present
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.steps import Step
from drystone.pipeline.trace import Trace, encode
from drystone.pipeline.tracing import Account, Findings, unit
from drystone.tracking import parameters
from drystone.tracking.parameters import NAMES
from drystone.tracking.recorder import ActiveRun
from drystone.workspace.lockfile import Lock, LockedPath

_SHOWN = 3


class Committed(NamedTuple):
    """A successful execution."""

    run: str
    trace: Trace
    notes: tuple[str, ...]


class Failure(NamedTuple):
    """An execution that was undone.

    Attributes:
        lookups: what it may have missed, or been refused.
        may_wait: whether it failed by itself, so that what it missed may be why.
    """

    run: str
    error: DrystoneError
    tail: str
    seconds: float
    lookups: Lookups
    may_wait: bool
    notes: tuple[str, ...] = ()


Objection = Callable[[Findings], DrystoneError | None]


class Job(NamedTuple):
    """What to execute, and why.

    Attributes:
        previous: the step's last trace, if any.
        objection: says what is wrong with a successful execution's effects, given everybody else's.
    """

    step: Step
    reasons: tuple[Reason, ...]
    now: Circumstances
    code: Code
    previous: Trace | None
    timeout: float | None
    objection: Objection


class Execution:
    """Executes a job.

    Args:
        rooms: what to work with.
        present: contents of files.
        attempts: keeps the previous outputs safe.
        commit: makes a success last.
    """

    def __init__(self, rooms: Rooms, present: Present, attempts: Attempts, commit: Commit) -> None:
        self._rooms = rooms
        self._present = present
        self._attempts = attempts
        self._commit = commit

    def execute(self, job: Job) -> Committed | Failure:
        """Execute a step. Its outputs are then in place and committed, or the previous ones are back."""
        rooms, step = self._rooms, job.step
        environment = job.now.stored_environment(python=step.is_python)
        run = rooms.recorder.start(
            kind="step",
            name=step.name,
            command=step.command,
            code=job.code,
            environment=environment,
            parent=rooms.parent,
        )
        run.tags({"drystone.reason": sentence(job.reasons)})
        writes = job.previous.writes if job.previous else {}
        attempt = Attempt(
            run=run.id,
            step=step.name,
            started=rooms.clock.now(),
            previous=writes,
            edited=tuple(name for name in writes if not self._present.is_output(name, writes[name])),
            made=job.previous.made if job.previous else (),
        )
        try:
            self._attempts.begin(attempt)
            rooms.failpoint("attempt written")
            self._attempts.set_aside(attempt)
            rooms.failpoint("outputs set aside")
        except (OSError, DrystoneError) as problem:
            # Whatever was moved aside is brought back by the next `drystone run`, which finds the attempt.
            run.finish("failed", error=str(problem))
            raise
        tail, keeping = Capture(run, rooms.layout), Keeping(rooms, self._attempts, attempt)
        with self._attempts.alive(attempt), self._attempts.writing(attempt) as note:
            seen = self._observe(job, run.id, tail, keeping, note)
        rooms.failpoint("ended")
        return self._judge(job, run, attempt, seen, tail, keeping.kept)

    def _observe(
        self, job: Job, run: str, tail: Capture, keeping: Keeping, note: Callable[[str], None]
    ) -> Observation:
        rooms, settings = self._rooms, self._rooms.settings
        given = variables.constructed(settings.variables, settings.passed) | {
            "DRYSTONE_RUN": run,
            "DRYSTONE_ROOT": str(rooms.layout.root),
            "DRYSTONE_PARAMS": str(job.now.snapshot),
        }
        return observe(
            job.step.arguments(rooms.interpreter),
            cwd=rooms.layout.root,
            env=given,
            root=rooms.layout.root,
            output=tail.write,
            ignore=rooms.territory.unseen,
            keep=keeping.take,
            wrote=lambda path: note(rooms.territory.name(path)),
            timeout=job.timeout,
            interrupted=rooms.interrupted,
        )

    def _judge(
        self,
        job: Job,
        run: ActiveRun,
        attempt: Attempt,
        seen: Observation,
        tail: Capture,
        kept: Mapping[str, LockedPath],
    ) -> Committed | Failure:
        rooms = self._rooms
        account = Account(seen, rooms.territory, self._present, attempt.started, attempt.previous, kept)
        found = account.findings()
        status, error = _ending(job, seen)
        try:
            error = (
                error
                or _consumption(job.step, found)
                or job.objection(found)
                or _change(job.step, found, observed=not seen.changed)
            )
            if error is None:
                trace, notes = self._trace(job, run, seen, found)
                trace_id = rooms.store.put_bytes(encode(trace))
                rooms.failpoint("trace stored")
                self._commit.record(run, trace, trace_id)
                rooms.failpoint("facts recorded")
        except (OSError, sqlite3.Error) as problem:
            error = WorkFailed(f"step `{job.step.name}` could not be committed", because=str(problem).lower())
        except DrystoneError as problem:
            error = problem
        if error is None:
            return Committed(run.id, trace, (*notes, *self._commit.conclude(attempt, trace, trace_id)))
        if not self._attempts.have_room():
            error = _full(error)
        notes = self._undo(attempt, found, kept)
        tail.finish(status, seen.exit_code, error.message)
        notes = (*notes, *filter(None, [tail.problem]))
        self._attempts.end(attempt)
        # Where it was refused a path, it may be granted it once another step no longer writes there.
        seen_paths = frozenset((*found.reads, *found.present, *found.outputs))
        lookups = Lookups(seen_paths, frozenset(found.absent), frozenset(found.listed))
        may_wait = seen.ended == "exited" and seen.exit_code != 0
        return Failure(run.id, error, tail.text, seen.seconds, lookups, may_wait, notes)

    def _trace(
        self, job: Job, run: ActiveRun, seen: Observation, found: Findings
    ) -> tuple[Trace, tuple[str, ...]]:
        """Store the outputs and say what happened; also what a person should know of it."""
        rooms, step = self._rooms, job.step
        writes = self._commit.store_outputs(found.outputs)
        rooms.failpoint("outputs stored")
        # What the step's own processes recorded as asked for; a parameter may be asked for that is not there.
        tables = parameters.asked_tables(runs.tags(rooms.ledger, run.id))
        recorded = {**runs.params(rooms.ledger, run.id), **tables}
        asked = {key: value for key, value in recorded.items() if key in job.now.params or value is None}
        python = step.is_python or any(path.name.startswith("python") for path in seen.reads)
        own = self._present.content(step.path)
        trace = Trace(
            step=step.name,
            file=step.path,
            command=step.command,
            label=seen.label,
            why=seen.why,
            environment=job.now.stored_environment(python=python),
            environments={prefix: job.now.stored_installed(prefix) for prefix in found.prefixes},
            python=python,
            variables=dict(job.now.variables),
            reads={**({step.path: own} if own else {}), **found.reads},
            absent=found.absent,
            present=found.present,
            metadata=found.metadata,
            listed=found.listed,
            scanned=tuple(name for name in found.scanned if name in found.listed),
            programs=dict(job.now.programs.used(seen)),
            params=asked,
            writes=writes,
            made=found.made,
            left=found.left,
            unrepeatable=_unrepeatable(found),
            run=run.id,
            exit_code=seen.exit_code,
            seconds=seen.seconds,
            cpu=seen.cpu,
            peak=seen.peak,
        )
        numbers = metrics.read(rooms.layout.root, [name for name in writes if metrics.is_metrics(name)])
        run.metrics(numbers.values)
        if any(name in parameters.FILES for name in found.reads):
            # It read the file itself, so no one can say which of them: all, for the record.
            run.params(
                {key: value for key, value in job.now.params.items() if key not in asked and key[-1] != NAMES}
            )
        run.tags(_costs(seen) | {f"drystone.warning.{n}": text for n, text in enumerate(numbers.warnings, 1)})
        return trace, (*numbers.warnings, *filter(None, (trace.unrepeatable, trace.why)))

    def _tracked(self, names: Collection[str]) -> set[str]:
        try:
            return self._rooms.git.is_tracked(names)
        except DrystoneError:  # it removed the repository, perhaps: nobody can say, so all stay
            return set(names)

    def _undo(self, attempt: Attempt, found: Findings, before: Mapping[str, LockedPath]) -> tuple[str, ...]:
        """Put everything back as it was; what the execution made is kept aside."""
        rooms = self._rooms
        locked = Lock.read(rooms.layout.lock).paths
        others = {
            name: locked[name]
            for name in (*found.outputs, *found.modified, *found.consumed)
            if name in locked and name not in attempt.previous
        }
        changed = {name: file for name, file in before.items() if not self._present.is_output(name, file)}
        theirs = {unit(name) for name in changed} - others.keys()
        others |= {name: file for name, file in changed.items() if unit(name) not in others}
        kept = self._tracked(found.outputs) | set(found.modified) | (theirs - changed.keys())
        strays = [
            name for name in found.outputs if name not in kept or name in others or name in attempt.previous
        ]
        moved = self._attempts.put_back(attempt, strays, found.made)
        notes = []
        for name, output in others.items():
            try:
                notes += self._commit.restore({name: output})
            except DrystoneError as error:  # not in this store, as in a fresh clone
                notes.append(f"`{name}` is no longer what `drystone.lock` says: {error.message}")
        if not moved:
            return tuple(notes)
        folder = self._attempts.leftovers(attempt.run).relative_to(rooms.layout.root)
        more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
        names = ", ".join(f"`{name}`" for name in moved[:_SHOWN])
        return (*notes, f"what it had made of {names}{more} is in `{folder}`")


def _ending(job: Job, seen: Observation) -> tuple[Status, DrystoneError | None]:
    """How the run is recorded if it is undone, and the error if the command itself did not succeed."""
    name, at = f"step `{job.step.name}`", job.step.path
    match seen.ended:
        case "interrupted":
            return "killed", WorkFailed(f"{name} was interrupted", at=at)
        case "timeout":
            return "killed", WorkFailed(
                f"{name} did not end within {job.timeout:g} s",
                at=at,
                hints=["give it longer with `drystone run --timeout SECONDS`"],
            )
        case "signal":
            number = seen.exit_code - 128
            known = number in {each.value for each in signal.Signals}
            title = signal.Signals(number).name if known else f"signal {number}"
            because = ["the machine may have run out of memory"] if title == "SIGKILL" else []
            return "killed", WorkFailed(f"{name} was killed by {title}", at=at, because=because)
    if seen.exit_code:
        return "failed", WorkFailed(f"{name} failed with exit code {seen.exit_code}", at=at)
    return "failed", None


def _full(error: DrystoneError) -> WorkFailed:
    """The error with what is probably behind it."""
    because, hints = [*error.because, "the disk is full"], ["see what is full with `df -h`"]
    return WorkFailed(error.message, at=error.at, because=because, hints=hints)


def _consumption(step: Step, found: Findings) -> DrystoneError | None:
    """A step must not remove what it did not make: nobody could run it again."""
    if not found.consumed:
        return None
    return WorkFailed(
        f"step `{step.name}` removed `{found.consumed[0]}`, which it had not made",
        at=step.path,
        because="an input that is gone after the first run cannot be read by a second",
        hints=[f"copy instead of moving, e.g. `cp {found.consumed[0]} data/NAME`"],
    )


def _change(step: Step, found: Findings, *, observed: bool) -> DrystoneError | None:
    """Nor change what it did not make: each run would start from another state."""
    if not found.modified:
        return None
    name = found.modified[0]
    read = f"read `{name}` and then wrote it"
    how = read if observed else f"ran unobserved and may have {read}"
    return WorkFailed(
        f"step `{step.name}` changed `{name}`, which it had not made",
        at=step.path,
        because=f"it {how}, so each run would start from another state",
        hints=[f"write the result to another path; if it is this step's own, remove it first: `rm {name}`"],
    )


def _unrepeatable(found: Findings) -> str:
    """Why the trace of this execution never stands in for another."""
    if found.edited:
        return f"`{found.edited[0]}` was edited while it ran"
    if found.beyond:
        return f"it wrote `{found.beyond[0]}`, which is outside the project and so not kept"
    return ""


def _costs(seen: Observation) -> dict[str, str]:
    return {
        "drystone.label": seen.label,
        "drystone.seconds": f"{seen.seconds:.3f}",
        "drystone.cpu_seconds": f"{seen.cpu:.3f}",
        "drystone.peak_bytes": str(seen.peak),
    }
