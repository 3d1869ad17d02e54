"""`drystone untrack`: stop tracking files or folders; what lies there stays."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.ids import short

SUMMARY = "stop tracking files or folders, and leave them where they are"
EXAMPLE = "drystone untrack data/flights.parquet"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a tracked path, or a folder of them")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Take the paths out of the lock."""
    from msgspec.structs import replace

    from drystone.objects.entry import printable
    from drystone.workspace.untracking import untrack
    from drystone.workspace.workspace import Workspace

    project = context.project()
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        found = untrack(workspace, [context.cwd / path for path in arguments.paths], dry_run=context.dry_run)
    gone = [replace(item, path=printable(item.path)) for item in found]
    if context.json_mode:
        context.json({"untracked": gone, "dry_run": context.dry_run})
        return 0
    word = context.words("untracked", "untrack")
    context.table(
        [[word, item.path, short(item.locked.object), f"{item.locked.size:,} bytes"] for item in gone]
    )
    context.untouched()
    if context.dry_run:
        return 0
    exposed = [item.path for item in gone if item.exposed]
    if exposed:
        some = ", ".join(f"`{path}`" for path in exposed[:3]) + (", ..." if len(exposed) > 3 else "")
        context.note(f"git sees {some} from now on")
    files = "drystone.lock .gitignore" if exposed else "drystone.lock"
    context.note(f"commit it with `git add {files} && git commit`, or take it back with `drystone undo`")
    return 0
