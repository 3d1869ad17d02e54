"""`drystone checkout`: make tracked files be what the lock says."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.ids import short

SUMMARY = "make tracked files what the lock, or the lock of a git revision, says"
EXAMPLE = "drystone checkout --git HEAD~1 data"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="tracked paths, or folders of them (all)")
    parser.add_argument("--git", metavar="REV", help="take them from the lock of this git revision")
    parser.add_argument(
        "--force", action="store_true", help="replace changed files too; their content is stored first"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Restore tracked paths."""
    from msgspec.structs import replace

    from drystone.cli.progress import bar
    from drystone.objects.entry import printable
    from drystone.project.advice import advising
    from drystone.workspace.checkout import checkout
    from drystone.workspace.workspace import Workspace

    project = context.project()
    with (
        Workspace.open(project.layout, project.git, project.store, project.clock) as workspace,
        bar(context, "checking out") as progress,
        advising(project, arguments.git),
    ):
        done = checkout(
            workspace,
            [context.cwd / path for path in arguments.paths],
            revision=arguments.git,
            force=arguments.force,
            dry_run=arguments.dry_run,
            progress=progress,
        )
    restored = [printable(path) for path in done.restored]
    saved = [replace(item, path=printable(item.path)) for item in done.saved]
    if context.json_mode:
        unchanged = [printable(path) for path in done.unchanged]
        context.json(
            {"restored": restored, "unchanged": unchanged, "saved": saved, "dry_run": arguments.dry_run}
        )
        return 0
    for path in restored:
        context.out(f"{'would restore' if arguments.dry_run else 'restored'}  {path}")
    for item in saved:
        if arguments.dry_run:
            context.note(f"would store what was in `{item.path}` as {short(item.object)}")
            continue
        copy = project.store.file(item.object).relative_to(project.layout.root)
        context.note(f"stored what was in `{item.path}` as {short(item.object)}: `cp {copy} {item.path}`")
    if not restored:
        context.note(f"nothing to do: {len(done.unchanged)} tracked paths are as they should be")
    return 0
