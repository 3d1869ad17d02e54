"""`drystone undo`: take back what a verb did to the lock and to tracked files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

SUMMARY = "take back what a verb did to the lock, the settings or files"
EXAMPLE = "drystone undo"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "operation", nargs="?", metavar="OPERATION", help="which one (the newest that is not undone)"
    )
    parser.add_argument("--list", action="store_true", help="list what can be undone, newest first")
    parser.add_argument(
        "--force", action="store_true", help="also where something changed since; it is stored first"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be undone and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Undo, or list."""
    from drystone.cli.progress import bar
    from drystone.objects.entry import printable
    from drystone.workspace.undo import undo
    from drystone.workspace.workspace import Workspace

    project = context.project()
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        if arguments.list:
            _list(workspace, context)
            return 0
        operation = workspace.operations.choose(arguments.operation)
        with bar(context, "undoing") as progress:
            done = undo(
                workspace, operation, force=arguments.force, dry_run=arguments.dry_run, progress=progress
            )
    lock, files, removed = (
        [printable(path) for path in paths] for paths in (done.lock, done.files, done.removed)
    )
    if context.json_mode:
        context.json(
            {"operation": operation.id, "verb": operation.verb, "lock": lock, "files": files}
            | {"dry_run": arguments.dry_run, "interrupted": not done.operation.complete}
            | {"removed": removed}
        )
        return 0
    for path in lock:
        context.out(
            f"{'would take back' if arguments.dry_run else 'took back'}  line of {path} in drystone.lock"
        )
    for path in files:
        now, then = ("removed", "remove") if path in removed else ("put back", "put back")
        context.out(f"{f'would {then}' if arguments.dry_run else now}  {path}")
    if not done.operation.complete:
        context.note(f"`drystone {operation.verb}` was interrupted: some of it may not have been done")
    if not arguments.dry_run:
        context.note(f"undid `drystone {operation.verb}`; undo that with `drystone undo --list` and its id")
    return 0


def _list(workspace: object, context: Context) -> None:
    from drystone.core.clock import to_iso
    from drystone.objects.entry import printable
    from drystone.workspace.operations import undone_of
    from drystone.workspace.workspace import Workspace

    assert isinstance(workspace, Workspace)
    known = list(workspace.operations)
    undone = undone_of(known)
    if context.json_mode:
        context.json([{"operation": one, "undone": one.id in undone} for one in reversed(known)])
        return
    rows = []
    for one in reversed(known):
        paths = dict.fromkeys(printable(change.path) for change in (*one.lock, *one.files))
        first = next(iter(paths), "")
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        state = "undone" if one.id in undone else "" if one.complete else "interrupted"
        rows.append((one.id[:16], to_iso(one.time), one.verb, first + more, state))
    context.table(rows)
    if not rows:
        context.note("no verb changed the lock, the settings or a file here")
