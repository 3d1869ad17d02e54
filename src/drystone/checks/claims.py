"""Claims: what a check says must hold, and the rule by which it does, does not, or is not known to.

This module and what it imports are light; a pytest session that makes no claim pays nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import msgspec

from drystone.checks.subject import Subject
from drystone.ledger.facts import Verdict

Operator = Literal[">=", ">", "<=", "<"]
_HERE = str(Path(__file__).parent)
#: The words of a verdict in order of weight, and the mark that goes with each.
MARKS: dict[str, str] = {"fail": "✗", "unsure": "?", "pass": "✓", "skipped": "-"}


class Part(msgspec.Struct, frozen=True):
    """One line of a claim that was judged in parts, such as a slice of the rows."""

    name: str
    verdict: Verdict
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    why: str = ""


class Claim(msgspec.Struct, frozen=True):
    """A claim and its verdict, as it is recorded.

    Attributes:
        name: what was measured, e.g. `auc`; without the threshold, so that it names the claim for good.
        exact: whether the value is judged as it is; the interval then is for those who take the rows for
            a sample, and no verdict rests on it.
        scope: on which rows, e.g. `on training where month == 3`, "" for all rows of the subject.
        subject: the object judged, "" where nothing is recorded.
        about: the reference of the subject, e.g. `model:late-arrival`.
        threshold: what must hold, e.g. `>= 0.7`.
        why: one sentence for people.
        at: file and line that made the claim.
        parts: how it came about, where it was judged in parts.
        opponent: of a comparison with another version, the alias or version it was asked for by.
        against: the object of that version, "" if there is none yet; None of any other claim.
    """

    name: str
    subject: str
    about: str
    verdict: Verdict
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    threshold: str = ""
    why: str = ""
    at: str = ""
    parts: tuple[Part, ...] = ()
    scope: str = ""
    exact: bool = False
    opponent: str = ""
    against: str | None = None

    @property
    def measured(self) -> str:
        """What was found, in words."""
        if self.against == "":
            return f"(no {self.opponent} yet to compare with)"
        return found(self.value, None if self.exact else self.interval, self.n)

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two claims of one test share."""
        return self.name, self.scope, self.about


class Judgement:
    """What a comparison such as `measure >= 0.7` gives: false only when the verdict is `fail`.

    `assert` in front of it is welcome and makes a failed claim end the test there; the claim is
    recorded either way.

    Attributes:
        claim: what was claimed and found.
    """

    def __init__(self, log: ClaimLog, claim: Claim) -> None:
        self._log, self.claim = log, claim

    @property
    def verdict(self) -> Verdict:
        """`pass`, `fail` or `unsure`."""
        return self.claim.verdict

    def __bool__(self) -> bool:
        if self.claim.verdict == "fail":
            self._log.denied = self.claim
        return self.claim.verdict != "fail"

    def __repr__(self) -> str:
        claim = self.claim
        return f"{claim.name} {claim.measured}, required {claim.threshold}: {claim.verdict}"


class ClaimLog:
    """The claims that one test made and the subjects it looked at, in order.

    Attributes:
        claims: as they were made.
        judged: subjects that the test is about, by reference.
        read: all subjects that it used.
        denied: the failed claim that code of the test looked at last, probably by `assert`.
        elsewhere: the model that the test asked for in a session about others.
    """

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.judged: dict[str, Subject] = {}
        self.read: dict[str, Subject] = {}
        self.denied: Claim | None = None
        self.elsewhere: str | None = None

    def look_at(self, subject: Subject, *, judged: bool = True) -> None:
        """Note that the test reads a subject and, unless it only helps to judge another, judges it."""
        self.read[subject.about] = subject
        if judged:
            self.judged[subject.about] = subject

    def add(self, claim: Claim) -> Judgement:
        """Keep a claim, with the place it was made at; a second one of that name is numbered."""
        taken = {other.key for other in self.claims}
        name, number = claim.name, 1
        while (name, claim.scope, claim.about) in taken:
            number += 1
            name = f"{claim.name} #{number}"
        kept = msgspec.structs.replace(claim, name=name, at=caller())
        self.claims.append(kept)
        return Judgement(self, kept)


def decide(interval: tuple[float, float], operator: Operator, threshold: float) -> Verdict:
    """`pass` if every value of the interval satisfies the claim, `fail` if none does, else `unsure`.

    At the 95 % level a `pass` or `fail` is wrong in at most 2.5 % of samples, whatever their size; a
    small sample has a wide interval and is `unsure`.
    """
    low, high = interval
    least, most = (low, high) if operator[0] == ">" else (-high, -low)
    bound = threshold if operator[0] == ">" else -threshold
    if operator[-1] == "=":
        return "pass" if least >= bound else "fail" if most < bound else "unsure"
    return "pass" if least > bound else "fail" if most <= bound else "unsure"


def holds(value: float, operator: Operator, threshold: float) -> bool:
    """Whether a number satisfies the claim: the rule for what is known exactly."""
    return decide((value, value), operator, threshold) == "pass"


def worst(verdicts: list[Verdict]) -> Verdict:
    """`fail` if any is, else `unsure` if any is, else `pass`."""
    return "fail" if "fail" in verdicts else "unsure" if "unsure" in verdicts else "pass"


def number(value: float) -> str:
    """A number for people: four significant digits, thousands separated."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def found(value: float | None, interval: tuple[float, float] | None, n: int | None) -> str:
    """`0.741 [0.733, 0.749] n=12,000`, without what is unknown or said twice."""
    words = [] if value is None else [number(value)]
    if interval is not None:
        words.append(f"[{number(interval[0])}, {number(interval[1])}]")
    if n is not None and n != value:
        words.append(f"n={n:,}")
    return " ".join(words)


def caller() -> str:
    """`FILE:LINE` of the nearest frame outside this room, "" if there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_HERE):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""
