"""The first page: what needs attention, what is serving, what is new."""

from __future__ import annotations

from shlex import quote

from drystone.core.ids import short
from drystone.ledger import deployments, evidence, names, runs
from drystone.ledger.facts import DeploymentChanged, Evidence
from drystone.monitoring.failures import decisive, drifted, is_breach
from drystone.server import urls
from drystone.server.pages.common import Record, deployment_record, run_record
from drystone.server.reader import Page, Query, Reader
from drystone.server.render import fact
from drystone.server.text import Moment, moment, plural, span

_RECENT = 10
_UNHAPPY = ("failed", "killed", "lost")
_LOOKED_AT = 20
_VERDICTS = 200
_NAMES = 200


def page(reader: Reader, _: Query) -> Page:
    """The state of the project on one screen."""
    serving = deployments.current(reader.ledger)
    newest = _versions(reader)
    return Page(
        "overview.html",
        reader.layout.root.name,
        "drystone ls",
        {
            "project": reader.layout.root.name,
            "attention": [*_ledger(reader), *_windows(reader, serving), *_checks(reader), *_runs(reader)],
            "deployments": [deployment_record(reader, one) for one in serving],
            "versions": newest,
            "runs": [run_record(row) for row in runs.recent(reader.ledger, limit=_RECENT)],
        },
        label="Overview",
    )


def _item(kind: str, what: str, why: str, address: str, command: str, time: int | None) -> Record:
    return {"kind": kind, "what": what, "why": why, "url": address, "command": command, "time": moment(time)}


def _ledger(reader: Reader) -> list[Record]:
    """Damage found in the journals."""
    problems = reader.ledger.problems()
    if not problems:
        return []
    what = f"{plural(len(problems), 'record')} of the ledger {'is' if len(problems) == 1 else 'are'} damaged"
    return [_item("ledger", what, problems[0], "/runs", "drystone doctor", None)]


def _windows(reader: Reader, serving: list[DeploymentChanged]) -> list[Record]:
    """Deployments whose newest window failed, unless they were stopped since."""
    found = []
    for one in serving:
        windows = deployments.windows(reader.ledger, one.name)
        if not windows or windows[-1].verdict != "fail":
            continue
        last = windows[-1]
        if one.status == "stopped" and one.time > last.time:
            continue
        broken = [entry.feature for entry in last.features if is_breach(entry)]
        moved = [entry.feature for entry in drifted(last.features)]
        headline = decisive(last.performance)
        measures = [
            one.metric
            for one in last.performance
            if one.verdict == "fail" and (one != headline or not one.why)
        ]
        reasons = [f"contract broken by {_listed(broken)}"] if broken else []
        reasons += [headline.why] if headline and headline.verdict == "fail" and headline.why else []
        reasons += [f"{_listed(measures)} got worse"] if measures else []
        reasons += [f"drift of {_listed(moved)}"] if moved else []
        what = f"Deployment {one.name} failed its window {span(Moment(last.start), Moment(last.end))}"
        command = f"drystone monitor {quote(one.name)}"
        found.append(_item("window", what, "; ".join(reasons), urls.monitor(one.name), command, last.time))
    return found


def _listed(words: list[str]) -> str:
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def _checks(reader: Reader) -> list[Record]:
    """Names about which the newest verdict of a check is `fail`, whichever version it judged."""
    newest: dict[tuple[str, str], Evidence] = {}
    for one in evidence.recent(reader.ledger, _VERDICTS):
        newest.setdefault((one.about.partition("@")[0], one.check), one)  # newest first
    failed: dict[str, list[Evidence]] = {}
    for one in newest.values():
        if one.verdict == "fail":
            failed.setdefault(one.about, []).append(one)
    found = []
    for about, verdicts in failed.items():
        checks = _listed([one.check.rpartition("::")[2] for one in verdicts])
        what = f"{about} failed {plural(len(verdicts), 'check')}"
        address = urls.run(verdicts[0].run)
        found.append(_item("check", what, checks, address, "drystone test", verdicts[0].time))
    return found


def _runs(reader: Reader) -> list[Record]:
    """Names whose newest run went wrong. What has succeeded since needs no attention."""
    rows = [row for status in _UNHAPPY for row in runs.recent(reader.ledger, status=status, limit=_LOOKED_AT)]
    found: list[Record] = []
    seen: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: row.run, reverse=True):
        if (row.kind, row.name) in seen:
            continue
        seen.add((row.kind, row.name))
        last = runs.recent(reader.ledger, kind=row.kind, name=row.name, limit=1)
        if last and last[0].run == row.run:
            why = row.error or (
                f"exit code {row.exit_code}" if row.exit_code is not None else "it did not say how it ended"
            )
            what = (
                f"{row.kind.capitalize()} {row.name} {'was ' if row.status != 'failed' else ''}{row.status}"
            )
            command = f"drystone show run:{short(row.run)}"
            found.append(_item("run", what, why, urls.run(row.run), command, row.finished))
    return found


def _versions(reader: Reader) -> list[Record]:
    """The newest version of each model, then of each dataset, newest first."""
    found: list[Record] = []
    for kind in ("model", "data"):
        every = [
            names.newest(reader.ledger, kind, name) for name in names.names(reader.ledger, kind)[:_NAMES]
        ]
        newest = sorted((one for one in every if one is not None), key=lambda one: -one.time)[:5]
        for one in newest:
            aliases = names.aliases(reader.ledger, kind, one.name)
            found.append({**fact(one), "aliases": {alias: move.version for alias, move in aliases.items()}})
    return found
