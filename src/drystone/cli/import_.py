"""`drystone import`: take over what another tool keeps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.interop.dvc.history import History
    from drystone.interop.dvc.importing import Imported, Source

SUMMARY = "track what DVC tracks: from its cache and remotes into our store and lock"
EXAMPLE = "drystone import dvc --dry-run"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("tool", choices=["dvc"], help="whose repository the current folder is in")
    parser.add_argument("--remote", metavar="NAME", help="look in this remote of DVC's only (in all)")
    parser.add_argument(
        "--all-commits", action="store_true", help="also store the content that every git commit names"
    )
    parser.add_argument("--dry-run", action="store_true", help="read and verify, and change nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Import, and report what was found and what was not."""
    from drystone.cli.progress import bar
    from drystone.interop.dvc.history import import_history
    from drystone.interop.dvc.importing import import_dvc
    from drystone.workspace.workspace import Workspace

    project = context.project()
    source = _source(context, arguments.remote)
    history: History | None = None
    with (
        Workspace.open(project.layout, project.git, project.store, project.clock) as workspace,
        bar(context, "importing") as progress,
    ):
        imported = import_dvc(workspace, source, dry_run=arguments.dry_run, progress=progress)
        if arguments.all_commits:
            told = progress.then("importing old commits")
            history = import_history(workspace, source, dry_run=arguments.dry_run, progress=told)
    failure = imported.failure
    if context.json_mode:
        document: dict[str, Any] = {"imported": imported, "history": history, "dry_run": arguments.dry_run}
        context.json({**document, **({"error": failure.as_dict()} if failure else {})})
        return failure.exit if failure else 0
    _tell(context, imported, dry_run=arguments.dry_run)
    if history is not None:
        _tell_history(context, history, dry_run=arguments.dry_run)
    if failure is not None:
        context.error(failure)
        return failure.exit
    return 0


def _source(context: Context, remote: str | None) -> Source:
    """Where DVC keeps its settings, found out as DVC does."""
    from drystone.interop.dvc.credentials import Credentials
    from drystone.interop.dvc.importing import Source

    environ = context.environ
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    system = Path(environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc")
    if environ.get("DVC_GLOBAL_CONFIG_DIR"):
        user = [Path(environ["DVC_GLOBAL_CONFIG_DIR"])]
    elif environ.get("XDG_CONFIG_HOME"):
        user = [Path(environ["XDG_CONFIG_HOME"]) / "dvc"]
    else:
        user = [home / ".config" / "dvc"] if home else []
    outer = tuple(folder / "config" for folder in (system, *user))
    return Source(context.cwd, outer, Credentials(environ, home), remote)


def _tell(context: Context, imported: Imported, *, dry_run: bool) -> None:
    from drystone.objects.entry import printable

    if imported.failure is None:
        context.table(
            [
                [
                    item.outcome,
                    printable(item.path),
                    f"{item.files:,} files",
                    f"{item.size:,} bytes",
                    item.source,
                ]
                for item in imported.paths
            ]
        )
    for damaged in imported.damaged:
        end = "a good copy was found elsewhere" if damaged.replaced else "there is no good copy"
        context.note(f"damaged, not used: {damaged.at} (its MD5 is {damaged.found}); {end}")
    for stage in imported.never_ran:
        context.note(f"stage without recorded outputs, nothing to import: {context.harmless(stage)}")
    for remote in imported.skipped:
        context.note(f"not looked at: {context.harmless(remote)}")
    if imported.failure is not None:
        return  # nothing of it was done, so nothing more is to be told or typed
    files = sum(item.files for item in imported.paths)
    size = sum(item.size for item in imported.paths)
    where = f"{imported.fetched:,} of them from remotes" if imported.fetched else "none fetched from a remote"
    context.note(f"{len(imported.paths):,} outputs, {files:,} files, {size:,} bytes, {where}")
    if dry_run:
        context.untouched()
    elif any(item.outcome in ("added", "changed") for item in imported.paths):
        names = "drystone.lock .gitignore" if imported.ignored else "drystone.lock"
        context.note(f"commit it with `git add {names} && git commit`")


def _tell_history(context: Context, history: History, *, dry_run: bool) -> None:
    stored = "would be stored" if dry_run else "are stored"
    context.note(
        f"history: the contents of {len(history.commits):,} commits {stored}, "
        f"{history.files:,} files, {history.size:,} bytes"
    )
    for missing in history.missing:
        others = f" and {len(missing.paths) - 1} more" if len(missing.paths) > 1 else ""
        places = ", ".join(missing.looked)
        context.note(
            f"lost: {context.harmless(missing.paths[0])}{others}, MD5 {missing.md5}, not in {places}"
        )
    for commit, why in history.unreadable.items():
        context.note(f"commit {commit[:12]} cannot be read: {context.harmless(why)}")
