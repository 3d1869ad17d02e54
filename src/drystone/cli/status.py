"""`drystone status`: what is tracked, what changed, and what nobody tracks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.workspace.status import TrackedState, WorkspaceStatus

SUMMARY = "show tracked files that changed, are missing or unknown"
EXAMPLE = "drystone status"

_STYLE = {"clean": "green", "modified": "yellow", "missing": "red", "unreadable": "red", "unknown": "cyan"}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments: it has none of its own."""


def run(arguments: Namespace, context: Context) -> int:
    """Compare the work tree with its lock."""
    from drystone.cli.progress import bar
    from drystone.objects.entry import printable
    from drystone.workspace.status import status
    from drystone.workspace.workspace import Workspace

    project = context.project()
    with (
        Workspace.open(project.layout, project.git, project.store, project.clock) as workspace,
        bar(context, "looking at tracked files"),
    ):
        found = status(workspace)
    others = _others(project.layout.root)
    begun = sorted(path.stem for path in project.layout.attempts.glob("*.json"))
    if arguments.json:
        context.json(
            {
                "git": found.git,
                "clean": found.clean,
                "tracked": [_document(item) for item in found.tracked],
                "unknown": [printable(path) for path in found.unknown],
                "begun": begun,
                "others": {printable(path): why for path, why in others.items()},
            }
        )
        return 0
    _print(found, context, begun)
    for path, why in others.items():
        context.note(f"note: `{printable(path)}` is not a step because {why}")
    return 0


def _others(root: Path) -> dict[str, str]:
    """Files that match no convention, and why."""
    from drystone.core.errors import Conflict
    from drystone.pipeline.steps import discover

    try:
        return discover(root).others
    except Conflict as error:
        return dict.fromkeys(error.at, error.message)


def _print(found: WorkspaceStatus, context: Context, begun: list[str]) -> None:
    from drystone.objects.entry import printable

    commit = found.git.commit[:12] if found.git.commit else "no commit yet"
    dirt = ", with uncommitted changes" if found.git.dirty else ""
    context.out(f"on {found.git.branch or 'no branch'} at {commit}{dirt}")
    count = Counter(item.state for item in found.tracked)
    states = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    context.out(f"tracked: {states or 'nothing yet'}")
    lines: list[tuple[str, str, str]] = [
        (item.state, printable(item.path), _detail(item)) for item in found.tracked
    ]
    lines += [("unknown", printable(path), "") for path in found.unknown]
    for state, path, detail in lines:
        if state != "clean" or detail:
            context.out(f"  {context.style(f'{state:<8}', _STYLE[state])}  {path}  {detail}".rstrip())
    if begun:  # what stands there is half made: nothing to keep
        names = ", ".join(f"`{step}`" for step in begun)
        context.note(
            f"note: {names} began and has not ended; if it was killed, `drystone run` puts its outputs back"
        )
    elif count["modified"]:
        context.note("keep changes with `drystone add PATH`, see them with `drystone diff`")
    if count["missing"]:
        context.note("bring files back with `drystone checkout PATH`")
    if found.unknown:
        context.note("unknown: neither Drystone nor git tracks it; `drystone add PATH` does")


def _detail(item: TrackedState) -> str:
    from drystone.objects.entry import printable

    if item.why:
        return f"({printable(item.why)})"
    if item.locked.kind == "tree" and item.changes:
        count = Counter(change.change for change in item.changes)
        return "(" + ", ".join(f"{number} {change}" for change, number in sorted(count.items())) + ")"
    return "" if item.stored else "(not in the local store)"


def _document(item: TrackedState) -> dict[str, object]:
    from drystone.cli.diff import document
    from drystone.objects.entry import printable

    return {
        "path": printable(item.path),
        "state": item.state,
        "stored": item.stored,
        "locked": item.locked,
        "changes": document(item.changes),
        **({"why": printable(item.why)} if item.why else {}),
    }
