"""Making an execution last: outputs, trace, facts, versions, lock, in this order, each safe to repeat."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from drystone.core.errors import DrystoneError, NotFound
from drystone.core.ids import new_id
from drystone.ledger import runs, traces
from drystone.ledger.facts import Edge, Fact, RunFinished, TraceRecorded, VersionRegistered
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
from drystone.objects.tree import walk
from drystone.pipeline import assets
from drystone.pipeline.attempts import Attempt, Attempts
from drystone.pipeline.present import Present
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.trace import Trace, load
from drystone.pipeline.tracing import unit
from drystone.tracking.recorder import ActiveRun
from drystone.workspace import lockfile
from drystone.workspace.ignore import keep_out_of_git
from drystone.workspace.lockfile import Lock, LockedPath

#: Nanoseconds by which times of files lag behind the clock, and by which a sign of life may be late.
_TICK = 20_000_000
_BEAT = 1_000_000_000


class Commit:
    """Makes executions last, undoes those that nobody finished, and restores outputs.

    The facts are the point of no return: before them an execution is undone, after them it is
    finished, by this process or by the next one.
    """

    def __init__(self, rooms: Rooms, present: Present, attempts: Attempts) -> None:
        self._rooms = rooms
        self._present = present
        self._attempts = attempts
        self._ignored: set[str] = set()

    def store_outputs(self, names: Iterable[str]) -> dict[str, LockedPath]:
        """Store what stands at these paths."""
        rooms = self._rooms
        keep = partial(store_path, rooms.store, known=rooms.index)
        return {name: LockedPath.of(keep(rooms.layout.root / name)) for name in names}

    def record(self, run: ActiveRun, trace: Trace, trace_id: str) -> None:
        """Record the facts of a success and end its run."""
        recorded = TraceRecorded(
            run=run.id,
            step=trace.step,
            command=" ".join(trace.command),
            trace=trace_id,
            label=trace.label,
            time=self._rooms.clock.now(),
        )
        run.record(*self._edges(trace), recorded)
        run.finish("succeeded", trace.exit_code)

    def conclude(self, attempt: Attempt, trace: Trace, trace_id: str) -> tuple[str, ...]:
        """Write the lock, forget the attempt; gives sentences that a person should know.

        What it made becomes versions only once the whole `drystone run` is over: see `register`.
        """
        rooms = self._rooms
        self.owe(trace, trace_id)
        self._keep_out_of_git(trace.writes)
        rooms.failpoint("versions noted")
        self.lock(trace, trace_id, attempt.previous)
        rooms.failpoint("lock written")
        kept = self._attempts.keep_edited(attempt)
        self._attempts.end(attempt)
        rooms.failpoint("attempt ended")
        return tuple(
            f"`{name}` had been edited; the edited one is now `{refuge}`" for name, refuge in kept.items()
        )

    def _keep_out_of_git(self, outputs: Iterable[str]) -> None:
        """Data and models are kept by content, so git ignores their folders unless it has files there."""
        written = {name.partition("/")[0] for name in outputs if "/" in name} & {"data", "models"}
        git = self._rooms.git
        folders = [
            f"{folder}/" for folder in sorted(written - self._ignored - git.is_tracked(sorted(written)))
        ]
        with suppress(DrystoneError):  # somebody's `.gitignore` takes them back in, and may
            keep_out_of_git(git, folders)
        self._ignored |= written

    def owe(self, trace: Trace, trace_id: str) -> None:
        """Note that the datasets and models of a step's last trace are to be registered."""
        if assets.are_among(trace.writes):
            self._attempts.owe(trace.step, trace_id)
        else:
            self._attempts.settle(trace.step)

    def register(self, standing: Collection[str]) -> dict[str, list[VersionRegistered]]:
        """Make versions of what is owed.

        An execution that came too early, as on a first run in the wrong order, is superseded by a later one
        of the same `drystone run`: it must not become a version.

        Args:
            standing: steps whose last trace stands; what others owe stays owed.

        Returns:
            the versions by step.
        """
        rooms, locked, registered = self._rooms, Lock.read(self._rooms.layout.lock).steps, {}
        for step, trace_id in self._attempts.owed().items():
            if locked.get(step) == trace_id and step in standing:
                trace = load(rooms.store, trace_id)
                found = assets.found(rooms.store, rooms.layout.root, trace.writes)
                registered[step] = assets.publish(rooms.ledger, rooms.clock, found, trace.run)
                rooms.failpoint("versions registered")
            if locked.get(step) != trace_id or step in standing:
                self._attempts.settle(step)
        return registered

    def lock(self, trace: Trace, trace_id: str, previous: Iterable[str]) -> Lock:
        """Make the lock say that this trace is the step's last, and its outputs what it wrote."""
        gone = {name: None for name in previous if name not in trace.writes}

        def change(lock: Lock) -> Lock:
            return lock.changed(paths={**gone, **trace.writes}, steps={trace.step: trace_id})

        return lockfile.update(self._rooms.layout.lock, self._rooms.layout.guards, change)

    def restore(self, outputs: Mapping[str, LockedPath]) -> list[str]:
        """Make these paths be these outputs, from the store.

        Returns:
            sentences about what stood there and was moved away because the store did not have it.
        """
        notes = []
        for name, output in outputs.items():
            path = self._rooms.layout.root / name
            if (
                os.path.lexists(path)
                and not self._present.is_output(name, output)
                and not self._is_stored(name)
            ):
                notes.append(self._take_away(name))
            restore(self._rooms.store, output.entry(name), path, known=self._rooms.index)
        return notes

    def _is_stored(self, name: str) -> bool:
        """Whether what stands at a path could be had again from the store."""
        try:
            there = self._present.output(name)
        except DrystoneError:  # no output at all, a pipe perhaps
            return False
        return there is not None and self._rooms.store.has(there.object)

    def _take_away(self, name: str) -> str:
        refuge = self._attempts.take_away(name, new_id(self._rooms.clock.now()))
        return f"`{name}` had been edited; the edited one is now `{refuge}`"

    def make(self, folders: Iterable[str]) -> None:
        """Make folders that a step had made, where they are missing."""
        for name in folders:
            (self._rooms.layout.root / name).mkdir(parents=True, exist_ok=True)

    def clear(self, outputs: Mapping[str, LockedPath]) -> list[str]:
        """Remove outputs that a step no longer has; what was edited is moved away, and said."""
        notes = []
        for name, output in outputs.items():
            path = self._rooms.layout.root / name
            if self._present.is_output(name, output):
                shutil.rmtree(path) if output.kind == "tree" else path.unlink()
            elif os.path.lexists(path):
                notes.append(self._take_away(name))
        return notes

    def recover(self) -> list[str]:
        """Bring every attempt that nobody finished to its end; a sentence about each."""
        notes = []
        for attempt in self._attempts.unfinished():
            committed = self._committed(attempt)
            if committed is not None:
                notes.append(self._finish(attempt, *committed))
            else:
                notes.append(self._undo(attempt))
        if notes:
            self._rooms.ledger.mark_lost()
        return notes

    def _finish(self, attempt: Attempt, trace_id: str, trace: Trace) -> str:
        row = runs.get(self._rooms.ledger, attempt.run)
        if row is not None and row.finished is None:
            now = self._rooms.clock.now()
            self._rooms.ledger.record(RunFinished(attempt.run, "succeeded", now, trace.exit_code))
        self.restore(trace.writes)
        self.conclude(attempt, trace, trace_id)
        return f"step `{attempt.step}` had ended well when its `drystone run` was killed: it is committed now"

    def _undo(self, attempt: Attempt) -> str:
        moved = self._attempts.put_back(attempt, self._strays(attempt))
        damaged = {
            name: output
            for name, output in attempt.previous.items()
            if name not in attempt.edited and not self._present.is_output(name, output)
        }
        for name, before in self._attempts.kept(attempt).items():
            if not self._present.is_output(name, before):
                damaged[name] = before
        with suppress(NotFound):  # not in the store either: the step will run again and make it
            self.restore(damaged)
        self._attempts.end(attempt)
        kept = f"; what it had made is in `.drystone/leftovers/{attempt.run}`" if moved else ""
        return f"step `{attempt.step}` was killed in the middle: its previous outputs are back{kept}"

    def _committed(self, attempt: Attempt) -> tuple[str, Trace] | None:
        """The trace that an attempt recorded before it was killed, if it came that far."""
        for recorded in traces.for_step(self._rooms.ledger, attempt.step):
            if recorded.run == attempt.run:
                try:
                    return recorded.trace, load(self._rooms.store, recorded.trace)
                except DrystoneError:
                    return None
        return None

    def _strays(self, attempt: Attempt) -> list[str]:
        """What the killed execution made and is nobody else's: what it was seen to write, else files that
        changed while it lived.
        """
        territory, root = self._rooms.territory, self._rooms.layout.root
        first, last = attempt.started - _TICK, self._attempts.last_alive(attempt) + _BEAT
        locked = Lock.read(self._rooms.layout.lock).paths
        found = []
        noted = self._attempts.wrote(attempt)
        for name in noted or ():
            path = territory.path(name)
            if territory.owner(path) == "project" and (path.is_symlink() or path.is_file()):
                found.append(name)
        for here, folders, files in os.walk(root) if noted is None else ():
            folders[:] = [
                folder
                for folder in folders
                if territory.owner(Path(here, folder)) == "project"
                and Path(here, folder) not in self._sources()
            ]
            for file in files:
                path = Path(here, file)
                with suppress(FileNotFoundError):
                    if territory.owner(path) == "project" and first <= path.lstat().st_ctime_ns <= last:
                        found.append(territory.name(path))
        theirs = self._rooms.git.is_tracked(found)
        return [
            name for name in found if name not in theirs and (name not in locked or name in attempt.previous)
        ]

    def _sources(self) -> tuple[Path, ...]:
        layout = self._rooms.layout
        return (layout.steps, layout.features, layout.checks)

    def _edges(self, trace: Trace) -> list[Fact]:
        """What a trace read and wrote as data; the code it read is told by the run's commit."""
        rooms = self._rooms
        lock = Lock.read(rooms.layout.lock).paths
        code = rooms.git.is_tracked(name for name in trace.reads if not Path(name).is_absolute())
        edges: list[Fact] = []
        trees = set()
        for name, object_id in trace.reads.items():
            if not rooms.territory.may_be_data(name):
                continue
            if name in lock or name not in code or name.startswith(("data/", "models/")):
                edges.append(Edge(trace.run, "read", name, object_id))
                if (tree := lock.get(unit(name))) is not None and tree.kind == "tree":
                    trees.add(unit(name))
        edges += [Edge(trace.run, "read", name, lock[name].object, tree=True) for name in sorted(trees)]
        for name, output in trace.writes.items():
            edges.append(Edge(trace.run, "write", name, output.object, tree=output.kind == "tree"))
            if output.kind == "tree":
                edges += [
                    Edge(trace.run, "write", f"{name}/{below}", file.object)
                    for below, file in walk(rooms.store, output.entry(name))
                ]
        known = {name for name, output in trace.writes.items() if output.kind == "tree"}
        edges += [
            Edge(trace.run, "write", asset.path, asset.entry.object, tree=True)
            for asset in assets.found(rooms.store, rooms.layout.root, trace.writes)
            if asset.entry.kind == "tree" and asset.path not in known
        ]
        return edges
