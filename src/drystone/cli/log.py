"""`drystone log`: what ran."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.clock import to_iso
from drystone.core.errors import UsageError
from drystone.core.ids import short

SUMMARY = "list runs, newest first"
EXAMPLE = "drystone log --kind step --metric auc"

KINDS = ("step", "command", "script", "test", "serve", "monitor")
STATUSES = ("running", "succeeded", "failed", "killed", "lost")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("name", nargs="?", help="only runs of this name")
    parser.add_argument("--kind", choices=KINDS, help="only runs of this kind")
    parser.add_argument("--status", choices=STATUSES, help="only runs that ended so")
    parser.add_argument("--experiment", help="only runs of this experiment")
    parser.add_argument(
        "--metric", action="append", default=[], metavar="KEY", help="show the last value of a metric"
    )
    parser.add_argument("-n", "--limit", type=int, default=20, help="how many (20)")
    parser.add_argument("--before", metavar="RUN", help="only runs before this one, for paging")


def run(arguments: Namespace, context: Context) -> int:
    """List the runs."""
    from drystone.ledger import runs

    if arguments.limit < 1:
        raise UsageError("`--limit` must be 1 or more")
    ledger = context.project().ledger
    ledger.mark_lost()
    found = runs.recent(
        ledger,
        kind=arguments.kind,
        name=arguments.name,
        status=arguments.status,
        experiment=arguments.experiment,
        limit=arguments.limit,
        before=runs.find(ledger, arguments.before).run if arguments.before else None,
    )
    metrics = runs.latest_of(ledger, [row.run for row in found], arguments.metric)
    if arguments.json:
        context.json({"runs": [{**row._asdict(), "metrics": metrics[row.run]} for row in found]})
        return 0
    if not found:
        context.note("no runs yet; track one with `drystone run -- COMMAND`")
        return 0
    context.table(
        [
            [
                short(row.run),
                row.kind,
                row.name,
                row.status,
                to_iso(row.started)[:19].replace("T", " "),
                "" if row.seconds is None else f"{row.seconds:.1f} s",
                *(_shown(metrics[row.run].get(key)) for key in arguments.metric),
            ]
            for row in found
        ],
        head=("run", "kind", "name", "status", "started (UTC)", "took", *arguments.metric),
    )
    return 0


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
