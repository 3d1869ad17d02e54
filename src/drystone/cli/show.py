"""`drystone show`: everything about one run or one version."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.clock import to_iso
from drystone.core.ids import short

if TYPE_CHECKING:
    from drystone.ledger.facts import AliasMoved, VersionRegistered
    from drystone.ledger.runs import RunRow
    from drystone.project import Project

SUMMARY = "show a run, a version or the newest run of a step"
EXAMPLE = "drystone show step:train"

_TAIL = 20


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("what", help="a run id or its beginning, a run's name, or KIND:NAME[@VERSION]")
    parser.add_argument("--output", action="store_true", help="print all that the run printed, nothing else")


def run(arguments: Namespace, context: Context) -> int:
    """Show one thing."""
    from drystone.core.errors import UsageError
    from drystone.ledger.facts import VersionRegistered
    from drystone.project.lookup import run_or_version

    project = context.project()
    found = run_or_version(project, arguments.what)
    if isinstance(found, VersionRegistered):
        if arguments.output:
            raise UsageError("a version has printed nothing", hints=["name a run instead"])
        return _show_version(found, context, project)
    if arguments.output:
        context.raw(project.store.read(found.output) if found.output else b"")
        return 0
    return _show_run(found, context, project)


def _show_run(row: RunRow, context: Context, project: Project) -> int:
    from drystone.ledger import evidence, lineage, runs

    ledger = project.ledger
    params, metrics = runs.params(ledger, row.run), runs.latest_metrics(ledger, row.run)
    tags, edges = runs.tags(ledger, row.run), lineage.edges(ledger, row.run)
    conflicts = runs.conflicts(ledger, row.run)
    if context.json_mode:
        context.json(
            {
                "run": row,
                "params": params,
                "metrics": metrics,
                "tags": tags,
                "conflicts": conflicts,
                "edges": edges,
                "evidence": evidence.for_run(ledger, row.run),
            }
        )
        return 0
    context.out(context.style(f"run {row.run}", "bold"))
    took = "" if row.seconds is None else f" in {row.seconds:.2f} s"
    _pairs(
        context,
        [
            (row.kind, row.name),
            ("status", f"{row.status}{took}" + (f", exit code {row.exit_code}" if row.exit_code else "")),
            ("error", row.error or ""),
            ("started", to_iso(row.started) + (f" by {row.user} on {row.host}" if row.user else "")),
            ("command", " ".join(row.command)),
            ("code", _code(row)),
            ("environment", short(row.environment) if row.environment else ""),
            *((key, value) for key, value in tags.items()),
        ],
    )
    _section(context, "params", [(key, str(value)) for key, value in params.items()])
    for key, values in conflicts.items():
        context.out(f"  conflict: `{key}` was also given {', '.join(map(str, values))}")
    _section(context, "metrics", [(key, f"{value:.6g}") for key, value in metrics.items()])
    for direction in ("read", "write"):
        paths = [(edge.path, short(edge.object)) for edge in edges if edge.direction == direction]
        _section(context, "reads" if direction == "read" else "writes", paths)
    if row.output:
        lines = project.store.read(row.output).decode(errors="replace").splitlines()
        context.out(
            context.style("output", "bold")
            + (f" (last {_TAIL} of {len(lines)} lines)" if len(lines) > _TAIL else "")
        )
        for line in lines[-_TAIL:]:
            context.out(f"  {context.harmless(line)}")
    return 0


def _show_version(version: VersionRegistered, context: Context, project: Project) -> int:
    from drystone.ledger import evidence, names

    judged = evidence.for_subject(project.ledger, version.object)
    history = names.alias_history(project.ledger, version.kind, version.name)
    if context.json_mode:
        context.json({"version": version, "evidence": judged, "alias_history": history})
        return 0
    context.out(context.style(f"{version.kind}:{version.name}@v{version.version}", "bold"))
    _pairs(
        context,
        [
            ("object", version.object),
            ("path", version.path),
            ("bytes", f"{version.size:,}"),
            ("registered", to_iso(version.time)),
            ("run", version.run or ""),
        ],
    )
    moves = [(f"@{move.alias}", context.harmless(_move(move))) for move in history]
    _section(context, "alias history", moves)
    _section(context, "evidence", [(fact.verdict, f"{fact.check}  {fact.why}") for fact in judged])
    return 0


def _move(move: AliasMoved) -> str:
    versions = f"v{move.previous or '-'} -> v{move.version or '-'}"
    return f"{to_iso(move.time)[:19]} {versions}, gate {move.gate}" + (
        f": {move.reason}" if move.reason else ""
    )


def _code(row: RunRow) -> str:
    if row.code is None:
        return ""
    commit = row.code.commit[:12] if row.code.commit else "no commit"
    return (
        commit
        + (f" ({row.code.branch})" if row.code.branch else "")
        + (" with uncommitted changes" if row.code.dirty else "")
    )


def _section(context: Context, title: str, pairs: list[tuple[str, str]]) -> None:
    if pairs:
        context.out(context.style(title, "bold"))
        _pairs(context, pairs)


def _pairs(context: Context, pairs: list[tuple[str, str]]) -> None:
    shown = [(key, value) for key, value in pairs if value]
    width = max((len(key) for key, _ in shown), default=0)
    for key, value in shown:
        context.out(f"  {context.style(key.ljust(width), 'dim')}  {value}")
