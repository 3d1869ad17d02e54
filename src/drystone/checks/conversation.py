"""A test session as it comes in from the pytest process, and what the record keeps of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from drystone.checks import outcome
from drystone.checks.claims import worst
from drystone.checks.outcome import Collected, Finished, Outcome, Session, Uncollected
from drystone.core.clock import Clock
from drystone.core.ids import new_id
from drystone.ledger.facts import Edge, Evidence, Verdict
from drystone.tracking.recorder import ActiveRun

#: Tag of a test run: JSON list of every check there was, what it is about, how it ended, and by which
#: alias or version its comparisons found their opponent. A file that could not be read is in it as a
#: check of models that did not run: nobody can tell what it holds.
CATALOGUE = "drystone.checks"
_TAIL_LINES = 25


class CheckSession(NamedTuple):
    """How a test session ended.

    Attributes:
        run: its run.
        started: nanoseconds since the epoch; `seconds` how long it took.
        about: references of the versions it was asked to judge; empty for the work tree.
        outcomes: how each test ended, in order.
        evidence: what was recorded.
        broken: files of checks that could not be read.
        missed: tests that were found and neither run nor left out.
        stopped: why the session ended before its end, "" if it did not.
        tail: the last lines that pytest printed, where something is broken or stopped.
        commit: of the code, None where there is none.
    """

    run: str
    started: int
    seconds: float
    about: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    evidence: tuple[Evidence, ...]
    broken: tuple[Uncollected, ...]
    missed: tuple[str, ...]
    stopped: str
    tail: str
    commit: str | None

    @property
    def verdict(self) -> Verdict:
        """`fail` if a check failed or the session is not whole, `unsure` if a check is, else `pass`."""
        if self.broken or self.stopped or self.missed:
            return "fail"
        return worst([one.verdict for one in self.outcomes if one.verdict != "skipped"])

    def count(self, verdict: str) -> int:
        """How many tests ended so."""
        return sum(one.verdict == verdict for one in self.outcomes)

    def exit_code(self, *, strict: bool) -> int:
        """1 if the verdict is `fail`, or `unsure` where that is not enough, else 0."""
        return int(self.verdict == "fail" or (strict and self.verdict == "unsure"))


class Conversation:
    """What the pytest process says, turned into facts of the run."""

    def __init__(self, run: ActiveRun, clock: Clock, listener: Callable[[Outcome], None]) -> None:
        self._run, self._clock, self._listener = run, clock, listener
        self._started, self._begun = clock.now(), time.monotonic()
        self._outcomes: dict[str, Outcome] = {}
        self._evidence: dict[str, tuple[Evidence, ...]] = {}
        self._collected: dict[str, str] = {}
        self._broken: list[Uncollected] = []
        self._read: set[tuple[str, str]] = set()
        self._finished: int | None = None
        self._printed = b""

    def hear(self, line: bytes) -> None:
        """Take one line of the outcomes file."""
        match outcome.decode(line):
            case Collected(checks):
                self._collected.update(checks)
            case Uncollected() as broken:
                self._broken.append(broken)
            case Finished(status):
                self._finished = status
            case Outcome() as one:
                self._settle(one)

    def print(self, data: bytes) -> None:
        """Take what pytest printed."""
        self._run.log_output(data)
        self._printed = (self._printed + data)[-20_000:]

    def _settle(self, one: Outcome) -> None:
        # A test whose clean-up fails reports twice; the later report is the whole truth.
        facts = tuple(evidence_of(one, self._run.id, self._clock))
        for read in one.reads:
            if read.object and (read.place, read.object) not in self._read:
                self._read.add((read.place, read.object))
                self._run.record(Edge(self._run.id, "read", read.place, read.object, read.tree))
        self._run.record(*facts)
        self._outcomes[one.check] = one
        self._evidence[one.check] = facts
        self._listener(one)

    def close(self, status: int, session: Session, commit: str | None) -> CheckSession:
        """End the run and say how it went."""
        stopped = self._stopped(status, [one.about for one in session.given])
        missed = (
            [check for check in self._collected if check not in self._outcomes] if not session.given else []
        )
        result = CheckSession(
            run=self._run.id,
            started=self._started,
            seconds=time.monotonic() - self._begun,
            about=tuple(one.about for one in session.given),
            outcomes=tuple(self._outcomes.values()),
            evidence=tuple(fact for facts in self._evidence.values() for fact in facts),
            broken=tuple(self._broken),
            missed=tuple(missed),
            stopped=stopped,
            tail=self._tail() if stopped or self._broken else "",
            commit=commit,
        )
        self._run.tags({CATALOGUE: self._catalogue()})
        failed = result.verdict == "fail"
        error = stopped or (f"{result.count('fail') + len(result.broken)} checks failed" if failed else None)
        self._run.finish("failed" if failed else "succeeded", int(failed), error)
        return result

    def _catalogue(self) -> str:
        entries = []
        for check, kind in {
            **self._collected,
            **{one.check: one.kind for one in self._outcomes.values()},
        }.items():
            one = self._outcomes.get(check)
            about, verdict = (one.about, one.verdict) if one is not None else ((), None)
            entry: dict[str, object] = {"check": check, "kind": kind, "about": about, "verdict": verdict}
            if one is not None and (opponents := self._opponents(one)):
                entry["opponents"] = opponents
            entries.append(entry)
        entries += [{"check": broken.path, "kind": "model"} for broken in self._broken]
        return msgspec.json.encode(entries).decode()

    def _opponents(self, one: Outcome) -> dict[str, str]:
        """By the check of its record, what each comparison of a test was made with."""
        recorded = [claim for claim in one.claims if claim.subject]
        pairs = zip(self._evidence[one.check], recorded, strict=False)  # one more record says why it failed
        return {fact.check: claim.opponent for fact, claim in pairs if claim.opponent}

    def _stopped(self, status: int, given: list[str]) -> str:
        if self._finished is None:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with exit code {status}"
            return f"pytest {how} before it was done"
        match self._finished:
            case 2:
                return "the session was interrupted"
            case 3:
                return "pytest failed by itself"
            case 4:
                return "pytest did not understand how it was called"
            case 5 if not self._broken:
                return f"no check is about {', '.join(given)}" if given else "no file in `checks/` has a test"
        if given and all(one.verdict == "skipped" for one in self._outcomes.values()):
            return f"no check is about {', '.join(given)}"
        return ""

    def _tail(self) -> str:
        return "\n".join(self._printed.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:])


def evidence_of(one: Outcome, run: str, clock: Clock) -> Iterator[Evidence]:
    """The records of one test: one for each claim, or one for each subject of a test without claims.

    A test that failed by something else than its claims has a record of that too. A test that was
    skipped, or judged no object, has none; one without claims judges a model by loading it, and a
    dataset by reading it, not by naming it.
    """
    if one.verdict == "skipped":
        return
    several = len(one.claims) > 1 or (bool(one.claims) and bool(one.why))
    names = Counter((claim.name, claim.about) for claim in one.claims)

    def record(check: str, subject: str, about: str, verdict: Verdict, why: str) -> Evidence:
        now = clock.now()
        return Evidence(new_id(now), check, subject, about, verdict, run, now, why=why)

    for claim in one.claims:
        if claim.subject:
            twin = names[claim.name, claim.about] > 1
            name = f"{claim.name} {claim.scope}".rstrip() if twin else claim.name
            check = f"{one.check}[{name}]" if several else one.check
            why = "; ".join(filter(None, (claim.scope, claim.why)))
            yield msgspec.structs.replace(
                record(check, claim.subject, claim.about, claim.verdict, why),
                value=claim.value,
                interval=claim.interval,
                n=claim.n,
                threshold=claim.threshold,
                against=claim.against,
            )
    if one.why or not one.claims:
        for about, subject in one.subjects.items():
            if subject and one.verdict != "unsure":
                yield record(one.check, subject, about, one.verdict, one.why)
