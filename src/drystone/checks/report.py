"""A test session for people: rows to show, and a Markdown report that also does as a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
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
    """One line of a report: a claim, or a test that made none.

    Attributes:
        file: of the check; `test` its name in there, `claim` what it claims, "" where it claims nothing.
        verdict: `pass`, `fail`, `unsure` or `skipped`.
        measured: value, interval and n in words, "" where nothing was measured.
        required: the threshold in words.
        why: a sentence, "" where the numbers say it all.
        at: file and line of the claim.
        about: references of what was judged.
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
    parts: tuple[Part, ...] = ()


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """The lines of a report in the order of the tests."""
    return [row for one in outcomes for row in rows_of(one)]


def rows_of(one: Outcome) -> list[Row]:
    """The lines of one test."""
    file, _, test = one.check.partition("::")
    lines = [_claim_row(file, test, claim) for claim in one.claims]
    if one.why or not lines:
        about = ", ".join(one.subjects)
        lines.append(Row(file, test, "", one.verdict, "", "", one.why, one.at, about))
    return lines


def _claim_row(file: str, test: str, claim: Claim) -> Row:
    return Row(
        file,
        test,
        claim.name,
        claim.verdict,
        found(claim.value, claim.interval, claim.n) if claim.n is not None or claim.value is not None else "",
        claim.threshold,
        claim.why,
        claim.at,
        claim.about,
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
    lines = [
        f"## {MARKS[session.verdict]} Checks: {session.verdict}",
        "",
        f"{summary(session)}, of {_escape(subjects(session))}.",
        "",
    ]
    if session.stopped:
        lines += [f"**The session is not whole: {_escape(session.stopped)}.**", ""]
    for broken in session.broken:
        lines += [f"**{_escape(broken.path)} could not be read:**", "", *_block(broken.why), ""]
    everything = sorted(rows(session.outcomes), key=lambda row: ORDER[row.verdict])
    if everything:
        lines += ["| verdict | check | found | required | why |", "|---|---|---|---|---|"]
        lines += [_markdown_row(row) for row in everything]
    for row in everything:
        if row.parts:
            lines += ["", f"<details><summary>{_escape(row.test)}: {_escape(row.claim)}</summary>", ""]
            lines += ["| verdict | slice | found | why |", "|---|---|---|---|"]
            lines += [
                f"| {_verdict(part.verdict)} | {_escape(part.name)} "
                f"| {found(part.value, part.interval, part.n)} | {_escape(part.why)} |"
                for part in row.parts
            ]
            lines += ["", "</details>"]
    commit = f", commit {session.commit[:12]}" if session.commit else ""
    lines += [
        "",
        f"Run {short(session.run)}{commit}, {to_iso(session.started)}, {session.seconds:.1f} s.",
        "",
    ]
    return "\n".join(lines)


def write(session: CheckSession, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write `STEM.md` and `STEM.html`.

    Raises:
        OSError: the folder cannot be written.
    """
    from drystone.checks.report_html import html

    folder.mkdir(parents=True, exist_ok=True)
    text, page = folder / f"{stem}.md", folder / f"{stem}.html"
    text.write_text(markdown(session), encoding="utf-8")
    page.write_text(html(session), encoding="utf-8")
    return text, page


def _markdown_row(row: Row) -> str:
    check = f"{_escape(row.file)}<br>**{_escape(row.test)}**" + (
        f"<br>{_escape(row.claim)}" if row.claim else ""
    )
    cells = [_verdict(row.verdict), check, _escape(row.measured), _escape(row.required), _escape(row.why)]
    return f"| {' | '.join(cells)} |"


def _verdict(verdict: str) -> str:
    return f"{MARKS[verdict]} {verdict}"


def _escape(text: str) -> str:
    """Text that Markdown leaves alone, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def _block(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]
