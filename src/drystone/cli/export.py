"""`drystone export`: write what another tool reads."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.interop.dvc.exporting import Exported

SUMMARY = "write what is tracked as a DVC repository, for `dvc status`, `pull` and `checkout`"
EXAMPLE = "drystone export dvc ../for-dvc --remote /mnt/dvc"

_LOSSES = {
    "executable": "the executable bit of a file in a directory",
    "empty directory": "an empty directory",
    "link copied": "a symbolic link, which became a copy of its file",
    "link left out": "a symbolic link, left out",
    "name left out": "a name that DVC cannot have, left out",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("tool", choices=["dvc"], help="whose files to write")
    parser.add_argument("folder", metavar="DIR", help="a new folder, a repository, or `.` for this one")
    parser.add_argument(
        "--remote", metavar="FOLDER", help="fill this folder as a DVC remote too, so that clones can pull"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Export, and report what DVC cannot keep."""
    from drystone.cli.progress import bar
    from drystone.interop.dvc.exporting import export_dvc
    from drystone.workspace.workspace import Workspace

    project = context.project()
    target = Path(context.cwd / arguments.folder).resolve()
    remote = Path(context.cwd / arguments.remote).resolve() if arguments.remote else None
    with (
        Workspace.open(project.layout, project.git, project.store, project.clock) as workspace,
        bar(context, "exporting") as progress,
    ):
        done = export_dvc(workspace, target, remote=remote, dry_run=arguments.dry_run, progress=progress)
    if context.json_mode:
        context.json({"exported": done, "dry_run": arguments.dry_run})
        return 0
    _tell(context, done, target, dry_run=arguments.dry_run)
    return 0


def _tell(context: Context, done: Exported, target: Path, *, dry_run: bool) -> None:
    context.table(
        [
            [item.outcome, item.path, item.md5, f"{item.files:,} files", f"{item.size:,} bytes"]
            for item in done.paths
        ]
    )
    for item in done.lost:
        context.note(f"DVC cannot keep: {item.path} ({_LOSSES[item.what]})")
    if done.lost:
        counts = Counter(item.what for item in done.lost)
        context.note(f"not kept in all: {', '.join(f'{number} x {what}' for what, number in counts.items())}")
    for place in done.replaced:
        context.note(f"was damaged and is whole now: {place}")
    if dry_run:
        context.untouched()
        return
    context.note(f"{done.objects:,} objects written; see with `cd {target} && dvc status`")
