"""Reading the traces of steps."""

from __future__ import annotations

from drystone.ledger.facts import TraceRecorded
from drystone.ledger.ledger import Ledger
from drystone.ledger.names import decoded


def for_step(ledger: Ledger, step: str, limit: int = 20) -> list[TraceRecorded]:
    """Traces of a step, newest first."""
    rows = ledger.query(
        "SELECT fact FROM trace WHERE step = ? ORDER BY time DESC, run DESC LIMIT ?", (step, limit)
    )
    return decoded(rows, TraceRecorded)


def of_object(ledger: Ledger, trace: str) -> TraceRecorded | None:
    """The newest record of a trace by its object."""
    rows = ledger.query(
        "SELECT fact FROM trace WHERE trace = ? ORDER BY time DESC, run DESC LIMIT 1", (trace,)
    )
    return decoded(rows, TraceRecorded)[0] if rows else None


def of_run(ledger: Ledger, run: str) -> TraceRecorded | None:
    """The trace that a run committed, None if it committed none."""
    rows = ledger.query("SELECT fact FROM trace WHERE run = ? LIMIT 1", (run,))
    return decoded(rows, TraceRecorded)[0] if rows else None
