"""`drystone doctor`: is everything whole, and can this machine do what we need?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

SUMMARY = "check the project and this machine; rebuild the ledger's index"
EXAMPLE = "drystone doctor --rebuild"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--rebuild", action="store_true", help="make the ledger's index anew from the journals"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Examine, and rebuild where asked to. Exit code 3 where something is damaged."""
    from drystone.project.doctor import examine

    project = context.project()
    # under `--dry-run` the ledger is read from its journals anyway, and its index is left alone
    rebuilt = project.ledger.rebuild() if arguments.rebuild else None
    findings = examine(project)
    healthy = all(finding.ok for finding in findings)
    if arguments.json:
        context.json(
            {"healthy": healthy, "findings": findings, "rebuilt": rebuilt, "dry_run": context.dry_run}
        )
        return 0 if healthy else 3
    if rebuilt:
        what = f"the ledger's index: {rebuilt.facts:,} facts from {rebuilt.journals} journals"
        context.out(f"{context.words('rebuilt', 'rebuild')} {what}")
    for finding in findings:
        mark = context.style("ok  ", "green") if finding.ok else context.style("bad ", "red")
        context.out(f"{mark} {finding.what}")
        for line in finding.details:
            context.out(f"       {line}")
    context.untouched()
    return 0 if healthy else 3
