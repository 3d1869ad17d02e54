"""`drystone promote`: point an alias at a version, through its gate."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.registry.gates import GateResult

SUMMARY = "point an alias such as `champion` at a version, through its gate"
EXAMPLE = "drystone promote model:churn@v7 champion"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("reference", metavar="REF", help="the version, as in `churn@v7`")
    parser.add_argument("alias", metavar="ALIAS", help="`champion` and `production` have gates")
    parser.add_argument("--override", metavar="REASON", help="move it although the gate refuses; recorded")
    parser.add_argument("--dry-run", action="store_true", help="ask the gate and move nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Ask the gate, move the alias, tell what happened."""
    from drystone.registry import gates
    from drystone.registry.versions import reference

    project = context.project()
    version = project.resolve(arguments.reference)
    result = gates.evaluate(project.ledger, version, arguments.alias)
    if arguments.dry_run:
        if not result.passed and arguments.override is None:
            raise gates.refused(project.ledger, result)
        _tell(context, arguments, result, gate="would move", previous=None)
        return 0
    moved = gates.promote(
        project.ledger,
        version,
        arguments.alias,
        by=project.settings.actor.user,
        clock=project.clock,
        reason=arguments.override,
    )
    _tell(context, arguments, result, gate=moved.gate, previous=moved.previous)
    if arguments.override is not None and moved.gate != "overridden":
        why = "the gate passed without the override" if moved.gate == "passed" else "nothing was to override"
        context.note(f"{why}; its reason is recorded all the same")
    if version.kind == "model" and not arguments.json:
        context.note(f"serve it with `drystone serve {reference(version).partition('@')[0]}@{moved.alias}`")
    return 0


def _tell(
    context: Context, arguments: Namespace, result: GateResult, *, gate: str, previous: int | None
) -> None:
    from drystone.registry.versions import reference

    subject = reference(result.version)
    if arguments.json:
        context.json(
            {
                "version": subject,
                "object": result.version.object,
                "alias": result.alias,
                "previous": previous,
                "gate": gate,
                "dry_run": arguments.dry_run,
                "findings": result.findings,
            }
        )
        return
    count, refusing = result.counts
    passed = f"{count - refusing} of {count} checks passed"
    why = {
        "passed": f"the gate let it pass: {passed}",
        "overridden": f"the gate refused ({passed if count else 'no check has judged it'}) "
        "and was overridden: the reason is recorded",
        "none": "no gate guards this alias",
        "would move": "nothing was moved",
    }[gate]
    came = f", before v{previous}" if previous is not None else ""
    verb = "would be" if arguments.dry_run else "is now"
    context.out(f"`{subject}` {verb} {context.style('@' + result.alias, 'bold')}{came}")
    context.out(f"  {why}")
