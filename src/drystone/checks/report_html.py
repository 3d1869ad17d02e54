"""The report of a test session as one HTML page: no script, nothing fetched, under 100 KB."""

from __future__ import annotations

from html import escape

from drystone.checks.claims import MARKS, Part, found
from drystone.checks.conversation import CheckSession
from drystone.checks.report import ORDER, Row, rows, subjects, summary
from drystone.core.clock import to_iso

#: Bytes of rows; what does not fit is only counted.
_ROOM = 80_000

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --paper: #fff; --line: #d0d7de;
  --pass: #116329; --fail: #a40e26; --unsure: #7a4b00; --skipped: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa5b1; --paper: #0d1117;
  --line: #30363d; --pass: #56d364; --fail: #ff9d94; --unsure: #e3b341; --skipped: #9aa5b1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font: 1.05rem ui-monospace, monospace; margin: 2.25rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .dim { color: var(--dim); } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; font-weight: 600; color: var(--dim); }
tbody th { font-weight: 400; overflow-wrap: anywhere; min-width: 14rem; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { font-weight: 700; white-space: nowrap; }
.pass { color: var(--pass); } .fail { color: var(--fail); }
.unsure { color: var(--unsure); } .skipped { color: var(--skipped); }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); font-size: .85rem; }
summary { cursor: pointer; padding: .3rem 0; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""


def html(session: CheckSession) -> str:
    """The whole page. Every text of the session is escaped."""
    verdict = session.verdict
    body = [
        f"<h1>Checks: {_verdict(verdict)}</h1>",
        f"<p>{escape(summary(session))}, of {escape(subjects(session))}</p>",
        f'<p class="dim">run {escape(session.run)}{_commit(session)}, {to_iso(session.started)}, '
        f"{session.seconds:.1f} s</p>",
        *_troubles(session),
        *_files(rows(session.outcomes)),
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Checks: {escape(verdict)}</title>",
            f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
            *body,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _troubles(session: CheckSession) -> list[str]:
    lines = []
    if session.stopped:
        lines.append(
            f'<p><strong class="fail">The session is not whole: {escape(session.stopped)}</strong></p>'
        )
    for broken in session.broken:
        lines.append(f"<h2>{escape(broken.path)} could not be read</h2><pre>{escape(broken.why)}</pre>")
    if session.missed:
        names = "".join(f"<li>{escape(check)}</li>" for check in session.missed[:50])
        lines.append(f"<h2>Not run</h2><ul>{names}</ul>")
    if session.stopped and session.tail:
        lines.append(f"<pre>{escape(session.tail)}</pre>")
    return lines


def _files(everything: list[Row]) -> list[str]:
    """A table for each file of checks; where room is short, what failed has it first."""
    kept: set[int] = set()
    room = _ROOM
    for number in sorted(range(len(everything)), key=lambda each: ORDER[everything[each].verdict]):
        size = len(_row(everything[number]).encode())
        if size <= room:
            room -= size
            kept.add(number)
    by_file: dict[str, list[Row]] = {}
    for number in sorted(kept):
        by_file.setdefault(everything[number].file, []).append(everything[number])
    lines = [line for file, those in by_file.items() for line in _table(file, those)]
    left = len(everything) - len(kept)
    return [*lines, f"<p>{left} more lines are left out for want of room.</p>"] if left else lines


def _table(file: str, those: list[Row]) -> list[str]:
    return [
        f'<h2>{escape(file)}</h2>\n<div class="scroll"><table><caption>Checks of {escape(file)}</caption>',
        f"<thead><tr>{_heads('verdict', 'check', 'found', 'required', 'why')}</tr></thead><tbody>",
        *map(_row, those),
        "</tbody></table></div>",
    ]


def _heads(*names: str) -> str:
    return "".join(f'<th scope="col">{name}</th>' for name in names)


def _row(row: Row) -> str:
    claim = f'<br><span class="dim">{escape(row.claim)}</span>' if row.claim else ""
    where = f'<br><span class="dim">{escape(row.at)}</span>' if row.at and row.verdict != "pass" else ""
    about = f'<br><span class="dim">{escape(row.about)}</span>' if row.about else ""
    return (
        f'<tr><td>{_verdict(row.verdict)}</td><th scope="row">{escape(row.test)}{claim}{about}</th>'
        f'<td class="number">{escape(row.measured)}</td><td>{escape(row.required)}</td>'
        f"<td>{escape(row.why)}{where}{_parts(row.parts)}</td></tr>"
    )


def _parts(parts: tuple[Part, ...]) -> str:
    if not parts:
        return ""
    lines = "".join(
        f'<tr><td>{_verdict(part.verdict)}</td><th scope="row">{escape(part.name)}</th>'
        f'<td class="number">{escape(found(part.value, part.interval, part.n))}</td>'
        f"<td>{escape(part.why)}</td></tr>"
        for part in parts
    )
    return (
        f"<details><summary>{len(parts)} slices</summary><table><caption>Slices</caption><thead><tr>"
        f"{_heads('verdict', 'slice', 'found', 'why')}"
        f"</tr></thead><tbody>{lines}</tbody></table></details>"
    )


def _verdict(verdict: str) -> str:
    return (
        f'<span class="verdict {verdict}"><span aria-hidden="true">{MARKS[verdict]}</span> {verdict}</span>'
    )


def _commit(session: CheckSession) -> str:
    return f", commit {escape(session.commit[:12])}" if session.commit else ""
