"""Reading the verdicts of checks."""

from __future__ import annotations

from drystone.ledger.facts import Evidence
from drystone.ledger.ledger import Ledger
from drystone.ledger.names import decoded


def for_subject(ledger: Ledger, object_id: str) -> list[Evidence]:
    """The newest verdict of every check on this object, by check.

    A test that was denied a claim left one record, under its own name; one that came to its end left
    one for each claim. Whichever came later stands, and the other does not.
    """
    rows = ledger.query(
        'SELECT fact, "check", max(time) FROM evidence WHERE subject = ? GROUP BY "check" ORDER BY "check"',
        (object_id,),
    )
    found = decoded(rows, Evidence)
    by_check = {one.check: one for one in found}
    outdated = set()
    for claim in found:
        for test in (by_check[name] for name in _tests(claim.check) if name in by_check):
            if test.run != claim.run:
                outdated.add(min(test, claim, key=lambda one: one.time).id)
    return [one for one in found if one.id not in outdated]


def _tests(check: str) -> list[str]:
    """What the test of a check may be called: all that stands before one of its brackets."""
    return [check[:position] for position, sign in enumerate(check) if sign == "["]


def for_run(ledger: Ledger, run: str) -> list[Evidence]:
    """All verdicts of one test run, by check."""
    rows = ledger.query('SELECT fact FROM evidence WHERE run = ? ORDER BY "check", time', (run,))
    return decoded(rows, Evidence)


def recent(ledger: Ledger, limit: int = 50) -> list[Evidence]:
    """The newest verdicts, newest first."""
    return decoded(
        ledger.query("SELECT fact FROM evidence ORDER BY time DESC, id DESC LIMIT ?", (limit,)), Evidence
    )
