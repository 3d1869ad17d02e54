"""The ledger of one project: append facts to journals, read them back through the index."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from drystone.core.clock import Clock, SystemClock
from drystone.core.layout import Layout
from drystone.ledger import facts
from drystone.ledger.folder import SUFFIX
from drystone.ledger.guards import guard, prepare_state
from drystone.ledger.identity import clone_id
from drystone.ledger.index import Index
from drystone.ledger.journal import SHARED, JournalWriter, is_being_written


class Rebuilt(NamedTuple):
    """What a rebuild found: how many journals, how many facts, and what was damaged."""

    journals: int
    facts: int
    problems: list[str]


class RunJournal:
    """One writer's journal of one run.

    A run may have several: the supervisor of a step writes one, each process that logs another.
    """

    def __init__(self, path: Path) -> None:
        self._writer = JournalWriter(path)

    def append(self, *records: facts.Fact) -> None:
        """Add facts; they survive the death of this process."""
        self._writer.append([facts.encode(record) for record in records])

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        self._writer.sync()

    def close(self) -> None:
        """Release the journal."""
        self._writer.close()


class Ledger:
    """Facts of one project.

    Journals under `.drystone/journals` are the truth; `.drystone/ledger.sqlite` is an index over them.
    """

    def __init__(self, layout: Layout, clock: Clock, file_clock: Clock, *, in_memory: bool = False) -> None:
        self.layout = layout
        self.clock = clock
        self._file_clock = file_clock
        self._index = Index(layout, file_clock, in_memory=in_memory)

    @classmethod
    def open(
        cls,
        layout: Layout,
        clock: Clock | None = None,
        file_clock: Clock | None = None,
        *,
        in_memory: bool = False,
    ) -> Ledger:
        """Open the ledger of a project, making nothing until something is written or read.

        Args:
            layout: the project.
            clock: dates the facts.
            file_clock: what the times of files are compared with.
            in_memory: whether to leave the file of the index alone; it is made anew from the journals.
        """
        return cls(layout, clock or SystemClock(), file_clock or SystemClock(), in_memory=in_memory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index. The ledger opens it again when it is needed."""
        self._index.close()

    @property
    def recovered(self) -> str | None:
        """A sentence if the index had to be rebuilt or is in memory, else None."""
        return self._index.note

    # -- writing ---------------------------------------------------------------------------------

    def record(self, *records: facts.Fact) -> None:
        """Add facts that belong to no running journal. They are on the disk and readable on return."""
        name = f"{SHARED}{self.clone}{SUFFIX}"
        rows = self._index.query("SELECT end FROM journal WHERE file = ?", (name,))
        writer = JournalWriter(self.layout.journals / name, wait=True, verified=rows[0][0] if rows else 0)
        try:
            writer.append([facts.encode(record) for record in records])
            writer.sync()
        finally:
            writer.close()
        self.refresh()

    def journal(self, run: str, writer: str = "main") -> RunJournal:
        """Open this writer's journal of a run.

        Raises:
            Conflict: the same writer's journal is open in another process.
        """
        prepare_state(self.layout)
        return RunJournal(self.layout.journals / f"{run}.{writer}{SUFFIX}")

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the ledger's guard: nobody else reads, decides and records under it meanwhile."""
        with guard(self.layout, "ledger"):
            yield

    def mark_lost(self, *, dry_run: bool = False) -> list[str]:
        """Record, unless `dry_run`, the end of runs whose writers are all dead without having said it.

        Only runs of this machine whose journals are here, and that nobody holds a lock on, are touched:
        the journal of a run elsewhere may have come here while the run goes on. What a lost run was
        serving is not being served any more.
        """
        # The journals of a run are those whose names begin with its id and a dot; `/` follows the dot.
        unfinished = self.query(
            "SELECT run, file, started_fact FROM run JOIN journal "
            "ON file > run || '.' AND file < run || '/' "
            "WHERE status IS NULL AND started IS NOT NULL ORDER BY run"
        )
        lost = [
            run
            for run, rows in itertools.groupby(unfinished, key=lambda row: row[0])
            if not any(map(self._may_live, rows))
        ]
        if lost and not dry_run:
            now = self.clock.now()
            self.record(*(facts.RunFinished(run=run, status="lost", time=now) for run in lost))
            stopped = [
                msgspec.structs.replace(change, status="stopped", time=now, url=None)
                for change in self._serving()
                if change.run in lost
            ]
            if stopped:
                self.record(*stopped)
        return lost

    def _serving(self) -> list[facts.DeploymentChanged]:
        rows = self.query("SELECT fact, max(time) FROM deployment GROUP BY name")
        last = [facts.decode(row[0]) for row in rows]
        return [
            fact for fact in last if isinstance(fact, facts.DeploymentChanged) and fact.status == "serving"
        ]

    # -- reading ---------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of the up-to-date index. For the modules of this room, which know its tables."""
        return self._index.query(sql, parameters)

    def steady(self) -> Self:
        """From now on look at the journals once, however many questions follow: one picture for a page."""
        self._index.steady = True
        return self

    def refresh(self) -> None:
        """Index whatever the journals hold beyond what was indexed before."""
        self._index.refresh()

    def rebuild(self) -> Rebuilt:
        """Throw the index away and make it anew from the journals."""
        journals = self._index.rebuild()
        return Rebuilt(journals, self._index.indexed, self.problems())

    def problems(self) -> list[str]:
        """Sentences about records that could not be read; empty in a healthy ledger."""
        return self._index.problems()

    def verify(self) -> list[str]:
        """As `problems`, after reading every journal again from its beginning; the index stays as it is."""
        afresh = Index(self.layout, self._file_clock, in_memory=True)
        try:
            return afresh.problems()
        finally:
            afresh.close()

    @property
    def clone(self) -> str:
        """The id of this copy of the project, 32 hex digits; made at the first question."""
        return clone_id(self.layout, self.clock, keep=not self._index.leaves_file_alone)

    def change_clone(self) -> None:
        """Give this copy another id: somebody else has this one as well."""
        clone_id(self.layout, self.clock, other_than=self.clone)

    # -- inside ----------------------------------------------------------------------------------

    def _may_live(self, row: tuple[str, str, bytes]) -> bool:
        """Whether somebody may still write a journal: a process here holds it, or it is a run elsewhere."""
        _, file, blob = row
        started = facts.decode(blob)
        host = started.host if isinstance(started, facts.RunStarted) else None
        return host not in (None, os.uname().nodename) or is_being_written(self.layout.journals / file)
