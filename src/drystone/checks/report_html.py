"""The report of a test session as one HTML page: no script, nothing fetched, under 100 KB."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from drystone.checks.claims import MARKS, Part, found
from drystone.checks.conversation import CheckSession
from drystone.checks.report import ORDER, Row, markdown, rows, subjects, summary
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
h2 { font: 600 1rem/1.5 ui-monospace, monospace; margin: 2.25rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .dim { color: var(--dim); } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .55rem 1rem .55rem 0;
  border-top: 1px solid var(--line); }
th[scope=col] { border-top: 0; font-weight: 400; color: var(--dim); padding-block: .25rem; }
th[scope=row] { font-weight: 400; overflow-wrap: anywhere; width: 99%; min-width: 14rem; }
th b { font-weight: 600; } th p { font-size: .88rem; }
td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.verdict { font-weight: 700; } .pass { color: var(--pass); } .fail { color: var(--fail); }
.unsure { color: var(--unsure); } .skipped { color: var(--skipped); }
svg { display: block; margin-top: .35rem; }
svg .axis { stroke: var(--dim); } svg .bar { stroke: currentColor; stroke-width: 3; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); font-size: .85rem; }
summary { cursor: pointer; padding: .3rem 0; } details table { margin-bottom: .5rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""
_THRESHOLD = re.compile(r"[<>]=? (-?[0-9][0-9,]*(?:\.[0-9]+)?(?:e-?[0-9]+)?)")
_WIDE, _HIGH = 168, 14


def write(session: CheckSession, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write both reports, `STEM.md` and `STEM.html`.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text, page = folder / f"{stem}.md", folder / f"{stem}.html"
    text.write_text(markdown(session), encoding="utf-8")
    page.write_text(html(session), encoding="utf-8")
    return text, page


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
        f"<h2>{escape(file)}</h2>",
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(file)}">',
        f"<table><caption>Checks of {escape(file)}</caption>",
        f"<thead><tr>{_heads('verdict', 'check', 'found', 'required')}</tr></thead><tbody>",
        *map(_row, those),
        "</tbody></table></div>",
    ]


def _heads(*names: str) -> str:
    return "".join(f'<th scope="col">{name}</th>' for name in names)


def _row(row: Row) -> str:
    claim = f" {escape(row.claim)}" if row.claim else ""
    notes = [row.why, " ".join(filter(None, (row.about, row.scope)))]
    if row.verdict in ("fail", "unsure"):
        notes.append(row.at)
    below = "".join(f'<p class="dim">{escape(note)}</p>' for note in notes if note)
    return (
        f"<tr><td>{_verdict(row.verdict)}</td>"
        f'<th scope="row"><b>{escape(row.test)}</b>{claim}{below}{_parts(row.parts)}</th>'
        f"<td>{escape(row.measured)}{_picture(row)}</td><td>{escape(row.required)}</td></tr>"
    )


def _picture(row: Row) -> str:
    """The interval as a bar with its value, and the threshold as a line across; the text says the same."""
    wanted = _THRESHOLD.match(row.required)
    if row.interval is None or row.value is None or wanted is None:
        return ""
    threshold = float(wanted[1].replace(",", ""))
    low, high = min(row.interval[0], threshold), max(row.interval[1], threshold)
    margin = 0.1 * (high - low) or 1.0
    scale = _WIDE / (high - low + 2 * margin)
    at = [round((x - low + margin) * scale, 1) for x in (*row.interval, row.value, threshold)]
    middle = _HIGH / 2
    return (
        f'<svg width="{_WIDE}" height="{_HIGH}" aria-hidden="true" class="{row.verdict}">'
        f'<line class="axis" x1="{at[3]}" x2="{at[3]}" y1="0" y2="{_HIGH}" stroke-dasharray="2 2"/>'
        f'<line class="bar" x1="{at[0]}" x2="{at[1]}" y1="{middle}" y2="{middle}"/>'
        f'<circle cx="{at[2]}" cy="{middle}" r="4" fill="currentColor"/></svg>'
    )


def _parts(parts: tuple[Part, ...]) -> str:
    if not parts:
        return ""
    lines = "".join(
        f'<tr><td>{_verdict(part.verdict)}</td><th scope="row">{escape(part.name)}'
        + (f'<p class="dim">{escape(part.why)}</p>' if part.why else "")
        + f"</th><td>{escape(found(part.value, part.interval, part.n))}</td></tr>"
        for part in parts
    )
    return (
        f"<details><summary>{len(parts)} slices</summary><table><caption>Slices</caption>"
        f"<thead><tr>{_heads('verdict', 'slice', 'found')}</tr></thead><tbody>{lines}</tbody></table>"
        "</details>"
    )


def _verdict(verdict: str) -> str:
    return (
        f'<span class="verdict {verdict}"><span aria-hidden="true">{MARKS[verdict]}</span> {verdict}</span>'
    )


def _commit(session: CheckSession) -> str:
    return f", commit {escape(session.commit[:12])}" if session.commit else ""
