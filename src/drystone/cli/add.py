"""`drystone add`: track files and folders by content."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.ids import short

SUMMARY = "track files or folders by content, outside of git"
EXAMPLE = "drystone add data/flights.parquet"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or folder in the project")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Store the paths and write them to the lock."""
    from msgspec.structs import replace

    from drystone.cli.progress import bar
    from drystone.objects.entry import printable
    from drystone.workspace.tracked import add
    from drystone.workspace.workspace import Workspace

    project = context.project()
    paths = [context.cwd / path for path in arguments.paths]
    with (
        Workspace.open(project.layout, project.git, project.store, project.clock) as workspace,
        bar(context, "adding") as progress,
    ):
        found = add(workspace, paths, dry_run=arguments.dry_run, progress=progress)
    added = [replace(item, path=printable(item.path)) for item in found]
    if context.json_mode:
        context.json({"added": added, "dry_run": arguments.dry_run})
        return 0
    context.table(
        [
            [item.outcome, item.path, short(item.locked.object), f"{item.locked.size:,} bytes"]
            for item in added
        ]
    )
    if arguments.dry_run:
        context.untouched()
    elif any(item.outcome != "unchanged" for item in added):
        files = "drystone.lock .gitignore" if any(item.ignored for item in added) else "drystone.lock"
        context.note(f"commit it with `git add {files} && git commit`")
    return 0
