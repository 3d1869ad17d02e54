"""Reading the verdicts of checks."""

from __future__ import annotations

from drystone.ledger.facts import Evidence
from drystone.ledger.ledger import Ledger
from drystone.ledger.names import decoded


def for_subject(ledger: Ledger, object_id: str) -> list[Evidence]:
    """The newest verdict of every check on this object, by check."""
    rows = ledger.query(
        'SELECT fact, "check", max(time) FROM evidence WHERE subject = ? GROUP BY "check" ORDER BY "check"',
        (object_id,),
    )
    return decoded(rows, Evidence)


def for_run(ledger: Ledger, run: str) -> list[Evidence]:
    """All verdicts of one test run, by check."""
    rows = ledger.query('SELECT fact FROM evidence WHERE run = ? ORDER BY "check", time', (run,))
    return decoded(rows, Evidence)


def recent(ledger: Ledger, limit: int = 50) -> list[Evidence]:
    """The newest verdicts, newest first."""
    return decoded(
        ledger.query("SELECT fact FROM evidence ORDER BY time DESC, id DESC LIMIT ?", (limit,)), Evidence
    )
