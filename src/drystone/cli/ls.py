"""`drystone ls`: what there is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.clock import to_iso
from drystone.core.errors import NotFound, UsageError
from drystone.core.ids import short

SUMMARY = "list data, models, views, steps and deployments, or the versions of one"
EXAMPLE = "drystone ls model:churn"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("what", nargs="?", help="a kind (data, model, view, step, deploy) or KIND:NAME")


def run(arguments: Namespace, context: Context) -> int:
    """List kinds, names or versions."""
    from drystone.core.refs import KINDS

    what = arguments.what
    if what is None or what.rstrip("s") in KINDS:
        return _names(context, (what.rstrip("s"),) if what else ("data", "model", "view", "step", "deploy"))
    return _versions(context, what)


def _names(context: Context, kinds: tuple[str, ...]) -> int:
    from drystone.project.catalogue import catalogue

    listed = [entry for entry in catalogue(context.project()) if entry.kind in kinds]
    if context.json_mode:
        context.json({"things": listed})
        return 0
    if not listed:
        context.note("nothing yet; steps live in `steps/`, `drystone run` runs them")
    context.table(
        [[f"{entry.kind}:{entry.name}", entry.version, entry.detail] for entry in listed],
        head=("name", "newest", "") if listed else (),
    )
    return 0


def _versions(context: Context, what: str) -> int:
    from drystone.core.refs import parse
    from drystone.ledger import names
    from drystone.registry.resolve import resolve

    reference = parse(what)
    if reference.kind not in ("data", "model", None):
        raise UsageError(
            f"a {reference.kind} has no versions: `{what}`", hints=[f"see `drystone show {what}`"]
        )
    ledger = context.project().ledger
    newest = resolve(ledger, reference._replace(version=None))
    aliases = names.aliases(ledger, newest.kind, newest.name)
    versions = names.versions(ledger, newest.kind, newest.name)
    if not versions:
        raise NotFound(f"no versions of `{what}`")
    if context.json_mode:
        context.json({"versions": versions, "aliases": aliases})
        return 0
    context.table(
        [
            [
                f"v{version.version}",
                " ".join(f"@{alias}" for alias, move in aliases.items() if move.version == version.version),
                short(version.object),
                f"{version.size:,}",
                to_iso(version.time)[:19].replace("T", " "),
                short(version.run) if version.run else "",
            ]
            for version in reversed(versions)
        ],
        head=("version", "aliases", "object", "bytes", "registered (UTC)", "run"),
    )
    return 0
