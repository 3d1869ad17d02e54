"""`drystone diff`: what differs between two states, versions or runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.ledger.facts import Scalar
    from drystone.project import Project
    from drystone.project.compare import Change, Side
    from drystone.workspace.diff import FileChange
    from drystone.workspace.lockfile import LockedPath

SUMMARY = "compare parameters, metrics and tracked files of two states, versions or runs"
EXAMPLE = "drystone diff model:churn@v1 model:churn@v2"

_MARK = {"added": ("+", "green"), "removed": ("-", "red"), "modified": ("~", "yellow")}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    meaning = "a git revision, a run, KIND:NAME@VERSION, or `workspace`"
    parser.add_argument("old", nargs="?", default="HEAD", help=f"{meaning} (HEAD)")
    parser.add_argument("new", nargs="?", default="workspace", help="likewise (workspace)")


def run(arguments: Namespace, context: Context) -> int:
    """Compare two sides."""
    from drystone.project import compare

    project = context.project()
    if arguments.old == "HEAD" and project.git.head() is None:
        if arguments.json:
            context.json({"params": [], "metrics": [], "files": []})
        context.note("there is no commit yet to compare with")
        return 0
    old, new = (compare.side(project, text) for text in (arguments.old, arguments.new))
    found = compare.compare(project, old, new)
    files = _files(project, old, new)
    if arguments.json:
        context.json({"params": found.params, "metrics": found.metrics, "files": document(files)})
        return 0
    _values(context, "params", found.params, old, new)
    _values(context, "metrics", found.metrics, old, new)
    if files:
        context.out(context.style("files", "bold"))
        render_files(files, context)
    if not (found.params or found.metrics or files):
        context.note(f"no difference between `{old.label}` and `{new.label}`")
    return 0


def _files(project: Project, old: Side, new: Side) -> list[FileChange]:
    """Tracked files, where both sides are states of the tree."""
    from drystone.project.compare import WORKSPACE
    from drystone.workspace.diff import diff
    from drystone.workspace.workspace import Workspace

    if old.revision in (None, WORKSPACE) or new.revision is None:
        return []
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        return list(diff(workspace, old.revision, None if new.revision == WORKSPACE else new.revision))


def _values(context: Context, title: str, changes: list[Change], old: Side, new: Side) -> None:
    if not changes:
        return
    context.out(context.style(title, "bold"))
    rows = [
        [change.run, change.key, _shown(change.old), _shown(change.new), _delta(change.old, change.new)]
        for change in changes
    ]
    context.table(rows, head=("run", "key", old.label, new.label, "change"), indent="  ")


def _shown(value: Scalar) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _delta(old: Scalar, new: Scalar) -> str:
    if isinstance(old, str | bool | None) or isinstance(new, str | bool | None):
        return ""
    return f"{new - old:+.6g}"


def document(changes: Iterable[FileChange]) -> list[dict[str, Any]]:
    """File differences as they stand in a JSON document."""
    from drystone.objects.entry import printable

    return [
        {"path": printable(change.path), "change": change.change, "old": change.old, "new": change.new}
        for change in changes
    ]


def render_files(changes: Iterable[FileChange], context: Context) -> None:
    """Print one line per file that differs, with its sizes."""
    from drystone.objects.entry import printable

    for change in changes:
        mark, colour = _MARK[change.change]
        context.out(
            f"  {context.style(mark, colour)} {printable(change.path)}  {_sizes(change.old, change.new)}"
        )


def _sizes(old: LockedPath | None, new: LockedPath | None) -> str:
    if old is None or new is None:
        only = new if old is None else old
        return "" if only is None else f"{only.size:,} bytes"
    words = [f"{old.size:,} -> {new.size:,} bytes"]
    if old.kind != new.kind:
        words.append(f"{old.kind} -> {new.kind}")
    if old.executable != new.executable:
        words.append("now executable" if new.executable else "no longer executable")
    return ", ".join(words)
