"""A test session for people: rows to show, and a Markdown report that also does as a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from drystone.checks.claims import MARKS, Claim, Part, found
from drystone.checks.conversation import CheckSession
from drystone.checks.outcome import Outcome
from drystone.core.clock import to_iso
from drystone.core.ids import short

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@!])")
#: Verdicts in the order in which they need attention.
ORDER = {"fail": 0, "unsure": 1, "pass": 2, "skipped": 3}


class Row(NamedTuple):
    """One row of a report: a claim, or a test that made none.

    Attributes:
        file: of the check; `test` its name in there, `claim` what it claims, "" where it claims nothing.
        verdict: `pass`, `fail`, `unsure` or `skipped`.
        measured: value, interval and n in words, "" where nothing was measured.
        required: the threshold in words.
        why: a sentence, "" where the numbers say it all.
        at: file and line of the claim.
        about: references of what was judged; `scope` on which rows.
        interval: the one that the verdict rests on, if one does, with the `value` in it.
    """

    file: str
    test: str
    claim: str
    verdict: str
    measured: str
    required: str
    why: str
    at: str
    about: str
    scope: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    parts: tuple[Part, ...] = ()


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """The rows of a report in the order of the tests."""
    return [row for one in outcomes for row in rows_of(one)]


def rows_of(one: Outcome) -> list[Row]:
    """The rows of one test."""
    file, _, test = one.check.partition("::")
    those = [_claim_row(file, test, claim) for claim in one.claims]
    if one.why or not those:
        about = ", ".join(one.subjects)
        those.append(Row(file, test, "", one.verdict, "", "", one.why, one.at, about))
    return those


class Line(NamedTuple):
    """One line for a terminal: a verdict, a test, what was found, and a sentence about it."""

    verdict: str
    test: str
    found: str
    why: str


def base(check: str) -> str:
    """The test without the parameters of one of its cases."""
    return check.partition("[")[0]


def lines(cases: Sequence[Outcome]) -> list[Line]:
    """The cases of one test on as few lines as tell all that did not pass."""
    if len(cases) > 1 and all(one.verdict == "pass" for one in cases):
        name = base(cases[0].check).partition("::")[2]
        claims = sum(len(one.claims) for one in cases)
        held = f", {claims} claims hold{_unopposed(cases)}" if claims else ""
        return [Line("pass", name, f"{len(cases)} cases{held}", "")]
    return [line for one in cases for line in _lines_of(one)]


def _lines_of(one: Outcome) -> list[Line]:
    those = rows_of(one)
    if one.verdict == "pass" and len(those) > 1:
        return [Line("pass", those[0].test, f"{len(those)} claims hold{_unopposed([one])}", "")]
    told = [row for row in those if row.verdict != "pass" or one.verdict == "pass"]
    return [_line(row) for row in told]


def _unopposed(cases: Sequence[Outcome]) -> str:
    """The claims that hold for want of a version to compare with."""
    those = [claim for one in cases for claim in one.claims if claim.against == ""]
    return "".join(f"; {claim.name} {claim.measured}" for claim in those)


def _line(row: Row) -> Line:
    words = " ".join(filter(None, (row.claim, row.measured)))
    required = f", required {row.required}" if row.required else ""
    if row.verdict == "pass" or not row.why:
        return Line(row.verdict, row.test, words + required, "")
    return Line(row.verdict, row.test, words + required, row.why + (f" ({row.at})" if row.at else ""))


def _claim_row(file: str, test: str, claim: Claim) -> Row:
    return Row(
        file,
        test,
        claim.name,
        claim.verdict,
        claim.measured,
        claim.threshold,
        claim.why,
        claim.at,
        claim.about,
        claim.scope,
        claim.value,
        None if claim.exact else claim.interval,
        claim.parts,
    )


def summary(session: CheckSession) -> str:
    """`5 pass, 1 fail, 2 unsure`, and what else went wrong."""
    counts = [f"{session.count(verdict)} {verdict}" for verdict in MARKS if session.count(verdict)]
    if session.broken:
        counts.append(f"{len(session.broken)} not readable")
    if session.missed:
        counts.append(f"{len(session.missed)} not run")
    return ", ".join(counts) or "no check ran"


def subjects(session: CheckSession) -> str:
    """What was judged, in words."""
    return ", ".join(session.about) or "what lies in the work tree"


def markdown(session: CheckSession) -> str:
    """The report as GitHub-flavoured Markdown: what needs attention first, then everything."""
    text = [
        f"## {MARKS[session.verdict]} Checks: {session.verdict}",
        "",
        f"{summary(session)}, of {_escape(subjects(session))}.",
        "",
    ]
    if session.stopped:
        text += [f"**The session is not whole: {_escape(session.stopped)}.**", ""]
    for broken in session.broken:
        text += [f"**{_escape(broken.path)} could not be read:**", "", *_block(broken.why), ""]
    everything = sorted(rows(session.outcomes), key=lambda row: ORDER[row.verdict])
    if everything:
        text += ["| verdict | check | found | required | why |", "|---|---|---|---|---|"]
        text += [_markdown_row(row) for row in everything]
    for row in everything:
        if row.parts:
            text += ["", f"<details><summary>{_escape(row.test)}: {_escape(row.claim)}</summary>", ""]
            text += ["| verdict | slice | found | why |", "|---|---|---|---|"]
            text += [
                f"| {_verdict(part.verdict)} | {_escape(part.name)} "
                f"| {found(part.value, part.interval, part.n)} | {_escape(part.why)} |"
                for part in row.parts
            ]
            text += ["", "</details>"]
    commit = f", commit {session.commit[:12]}" if session.commit else ""
    text += [
        "",
        f"Run {short(session.run)}{commit}, {to_iso(session.started)}, {session.seconds:.1f} s.",
        "",
    ]
    return "\n".join(text)


def _markdown_row(row: Row) -> str:
    check = f"{_escape(row.file)}<br>**{_escape(row.test)}**"
    if row.claim:
        check += f"<br>{_escape(f'{row.claim} {row.scope}')}"
    cells = [_verdict(row.verdict), check, _escape(row.measured), _escape(row.required), _escape(row.why)]
    return f"| {' | '.join(cells)} |"


def _verdict(verdict: str) -> str:
    return f"{MARKS[verdict]} {verdict}"


def _escape(text: str) -> str:
    """Text that Markdown leaves alone, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def _block(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]
