"""Runs: the list, one run, two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from shlex import join

from drystone.core.errors import UsageError
from drystone.core.ids import short
from drystone.ledger import deployments, evidence, lineage, runs
from drystone.ledger.runs import RunRow
from drystone.server import urls
from drystone.server.pages import curves, output
from drystone.server.pages.common import (
    Record,
    describing_json,
    edge_record,
    run_record,
    verdict_order,
    with_versions,
)
from drystone.server.reader import PAGE_ROWS, Page, Query, Reader
from drystone.server.render import fact
from drystone.server.text import duration, size

KINDS = ("step", "command", "script", "test", "serve", "monitor")
STATUSES = ("running", "succeeded", "failed", "killed", "lost")
_FILTERS = ("kind", "status", "name", "experiment")
_COLUMNS = 12
_SUGGESTIONS = 40
_RUNS = ("Runs", "/runs")
#: Labels that Drystone itself gives; the page shows them in words.
_OWN_TAGS = "drystone."


def listing(reader: Reader, query: Query) -> Page:
    """Runs, newest first; metric columns only as picked in the address."""
    filters = {key: query.one(key) for key in _FILTERS}
    columns = query.many("metric", _COLUMNS)
    token = query.one("page")
    before = None if token is None else urls.read_token(token)
    rows = runs.recent(reader.ledger, **filters, limit=PAGE_ROWS + 1, before=before)
    more, rows = len(rows) > PAGE_ROWS, rows[:PAGE_ROWS]
    picked = runs.latest_of(reader.ledger, [row.run for row in rows], columns) if columns else {}
    following = urls.paging_token(rows[-1].run) if more else None
    address = {**filters, "metric": columns}
    return Page(
        "runs.html",
        "Runs",
        _log_command(filters, columns),
        {
            "runs": [{**run_record(row), "metrics": picked.get(row.run, {})} for row in rows],
            "filters": filters,
            "columns": columns,
            "next": following,
        },
        {
            "kinds": KINDS,
            "statuses": STATUSES,
            "next": following and urls.with_query("/runs", {**address, "page": following}),
            "first": urls.with_query("/runs", address) if before else None,
            "removals": [
                (key, urls.with_query("/runs", {**address, "metric": [one for one in columns if one != key]}))
                for key in columns
            ],
            "suggestions": _suggestions(reader, rows, columns),
            "filtered": any(filters.values()),
        },
    )


def _log_command(filters: Mapping[str, str | None], columns: list[str]) -> str:
    words = ["drystone", "log"] + ([filters["name"]] if filters["name"] else [])
    for key in ("kind", "status", "experiment"):
        words += [f"--{key}", value] if (value := filters[key]) else []
    return join([*words, *(word for key in columns for word in ("--metric", key))])


def _suggestions(reader: Reader, rows: list[RunRow], columns: list[str]) -> list[str]:
    """Metrics one could pick: those of the newest runs shown."""
    found: dict[str, None] = {}
    for row in rows[:3]:
        found |= dict.fromkeys(runs.latest_metrics(reader.ledger, row.run))
    return sorted(set(found) - set(columns))[:_SUGGESTIONS]


def detail(reader: Reader, query: Query) -> Page:
    """Everything about one run."""
    row = reader.run(query.path["run"])
    ledger = reader.ledger
    tags = runs.tags(ledger, row.run)
    metrics = runs.latest_metrics(ledger, row.run)
    environment, problem = describing_json(reader.store, row.environment)
    edges = with_versions(
        reader,
        [{"direction": edge.direction, **edge_record(edge)} for edge in lineage.edges(ledger, row.run)],
    )
    parent = runs.get(ledger, row.parent) if row.parent else None
    before = _previous(reader, row)
    drawn = curves.of_run(reader, row.run, metrics, query)
    return Page(
        "run.html",
        f"{row.name}",
        f"drystone show run:{short(row.run)}",
        {
            "run": run_record(row),
            "reason": tags.get("drystone.reason"),
            "params": runs.params(ledger, row.run),
            "conflicts": runs.conflicts(ledger, row.run),
            "tags": tags,
            "metrics": metrics,
            "charts": drawn.data,
            "reads": [edge for edge in edges if edge["direction"] == "read"],
            "writes": [edge for edge in edges if edge["direction"] == "write"],
            "evidence": sorted(map(fact, evidence.for_run(ledger, row.run)), key=verdict_order),
            "environment": environment,
            "environment_problem": problem,
            "output": output.tail(reader, row),
            "parent": None if parent is None else run_record(parent),
            "previous": None if before is None else before.run,
        },
        {
            "drawn": drawn,
            "path": urls.run(row.run),
            "deployment": _deployment(reader, row),
            "tags": {key: value for key, value in tags.items() if not key.startswith(_OWN_TAGS)},
            "measured": _measured(tags),
            "warnings": [value for key, value in tags.items() if key.startswith(f"{_OWN_TAGS}warning.")],
        },
        crumbs=(_RUNS,),
        label=f"{row.name} {short(row.run)}",
    )


def _deployment(reader: Reader, row: RunRow) -> str | None:
    """The page about what a run served, or about what it judged; such a run is named as the deployment."""
    if row.kind == "serve" and deployments.history(reader.ledger, row.name):
        return urls.deployment(row.name)
    if row.kind == "monitor" and deployments.windows(reader.ledger, row.name):
        return urls.monitor(row.name)
    return None


def _measured(tags: dict[str, str]) -> list[tuple[str, str]]:
    """What the observer noted about a step, in words."""
    found = []
    if label := tags.get("drystone.label"):
        found.append(("Trace", label))
    with suppress(ValueError):
        if cpu := tags.get("drystone.cpu_seconds"):
            found.append(("Processor time", duration(float(cpu))))
        if peak := tags.get("drystone.peak_bytes"):
            found.append(("Peak memory", size(int(peak))))
    return found


def _previous(reader: Reader, row: RunRow) -> RunRow | None:
    """The run of the same kind and name before this one: what one wants to compare with."""
    earlier = runs.recent(reader.ledger, kind=row.kind, name=row.name, before=row.run, limit=1)
    return earlier[0] if earlier else None


def comparison(reader: Reader, query: Query) -> Page:
    """Two runs; `a` is the older. One run alone is compared with the one before it of its name."""
    chosen = [query.one("a"), query.one("b")] if query.one("a") or query.one("b") else query.many("run", 2)
    found = [reader.run(one) for one in chosen if one]
    if len(found) == 1 and (earlier := _previous(reader, found[0])):
        found.append(earlier)
    if len(found) != 2:
        raise UsageError(
            "two runs are needed to compare",
            because="the address is `/runs/compare?a=RUN&b=RUN`",
            hints=["choose two runs in the list at `/runs`"],
        )
    a, b = sorted(found, key=lambda row: row.run) if not query.one("a") else found
    metrics = [runs.latest_metrics(reader.ledger, row.run) for row in (a, b)]
    drawn = curves.of_two(reader, (a, b), metrics, query)
    params = [runs.params(reader.ledger, row.run) for row in (a, b)]
    objects = [_objects(reader, row) for row in (a, b)]
    metric_rows = _side_by_side(metrics[0], metrics[1])
    for row in metric_rows:
        row["difference"] = _difference(row["a"], row["b"])
    return Page(
        "compare.html",
        f"{a.name} against {b.name}" if a.name != b.name else f"Two runs of {a.name}",
        f"drystone diff run:{short(a.run)} run:{short(b.run)}",
        {
            "a": run_record(a),
            "b": run_record(b),
            "circumstances": _side_by_side(_circumstances(a), _circumstances(b)),
            "params": _side_by_side(params[0], params[1]),
            "metrics": metric_rows,
            "objects": _side_by_side(objects[0], objects[1]),
            "charts": drawn.data,
        },
        {"drawn": drawn},
        crumbs=(_RUNS,),
        label="Compare",
    )


def _circumstances(row: RunRow) -> dict[str, object]:
    code = row.code
    return {
        "command": " ".join(row.command) or None,
        "commit": code and code.commit,
        "uncommitted changes": code and (code.changes or ("yes" if code.dirty else None)),
        "environment": row.environment,
        "status": row.status,
        "seconds": row.seconds,
        "host": row.host,
    }


def _objects(reader: Reader, row: RunRow) -> dict[str, object]:
    words = {"read": "reads", "write": "writes"}
    edges = lineage.edges(reader.ledger, row.run)
    return {f"{words[edge.direction]} {edge.path}": edge.object for edge in edges}


def _side_by_side(a: Mapping[str, object], b: Mapping[str, object]) -> list[Record]:
    """Every key of either with a word for what happened to it; what differs comes first."""
    rows: list[Record] = []
    for key in sorted(a.keys() | b.keys()):
        one, other = a.get(key), b.get(key)
        if key not in a or (one is None and other is not None):
            change = "only b"
        elif key not in b or (other is None and one is not None):
            change = "only a"
        else:
            change = "same" if _same(one, other) else "changed"
        rows.append({"key": key, "a": one, "b": other, "change": change})
    return sorted(rows, key=lambda row: row["change"] == "same")


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _difference(a: object, b: object) -> float | None:
    if isinstance(a, int | float) and isinstance(b, int | float) and math.isfinite(a) and math.isfinite(b):
        return b - a
    return None
