"""`drystone git-hook`: what the hooks of `drystone init --hooks` call."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli import parse
from drystone.cli.context import Context
from drystone.core.errors import Corrupt

SUMMARY = "do what a git hook of `drystone init --hooks` is for"
EXAMPLE = "drystone git-hook pre-commit"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    from drystone.workspace.githooks import HOOKS

    parser.add_argument("hook", choices=HOOKS, help="which hook")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what git gave to it")


def run(arguments: Namespace, context: Context) -> int:
    """Run one hook. An exit code other than 0 stops what git is about to do."""
    match arguments.hook, arguments.words:
        case "pre-commit", _:
            return _pre_commit(context)
        case "pre-push", _:
            return _pre_push(context)
        case "post-checkout", [previous, _, "1"] if not _rebasing(context):
            return _follow(context, previous if previous.strip("0") else None)
        case ("post-merge", _) | ("post-rewrite", ["rebase", *_]):
            return _follow(context, "ORIG_HEAD")
    return 0  # single files were checked out, or one commit amended


def _rebasing(context: Context) -> bool:
    """Whether git is on its way through a rebase; it calls `post-rewrite` when it has arrived."""
    git = context.project().git
    return any(git.folder(name).exists() for name in ("rebase-merge", "rebase-apply"))


def _follow(context: Context, previous: str | None) -> int:
    from drystone.objects.entry import printable
    from drystone.project.advice import advise
    from drystone.workspace.hookwork import follow
    from drystone.workspace.workspace import Workspace

    project = context.project()
    try:
        with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
            found = follow(workspace, previous)
    except Corrupt as error:
        context.note(f"drystone: {error.message}")
        return 0
    if found.restored:
        context.note(f"drystone: checked out {', '.join(map(printable, found.restored))}")
    if found.removed:
        context.note(
            f"drystone: removed {', '.join(map(printable, found.removed))}, not tracked in this commit"
        )
    for path in found.kept:
        context.note(f"drystone: `{printable(path)}` was left alone, it has changes of its own")
    for problem in found.problems.values():
        advise(project, problem)
        context.error(problem)
    return 0  # what git did is done; a tracked path that could not follow does not undo it


def _pre_commit(context: Context) -> int:
    from drystone.workspace.hookwork import uncommitted
    from drystone.workspace.workspace import Workspace

    project = context.project()
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        found = uncommitted(workspace, context.environ.get("GIT_INDEX_FILE"))
    if found.conflicts:
        context.note(
            "drystone: the `drystone.lock` to be committed has conflicts\n"
            "hint: keep one line of each with `drystone git-merge --ours` (or `--theirs`)"
        )
        return 1
    if found.modified:
        paths = " ".join(found.modified)
        context.note(
            f"drystone: the lock does not know these changes yet: {', '.join(found.modified)}\n"
            f"hint: keep them with `drystone add {paths} && git add drystone.lock`,"
            " or what a step writes with `drystone run`\n"
            "hint: commit without them with `git commit --no-verify`"
        )
        return 1
    if found.unstaged:
        context.note("drystone: note: `drystone.lock` has changes that are not in this commit")
    return 0


def _pre_push(context: Context) -> int:
    """`drystone push` first: nobody fetches a commit whose data nobody has."""
    from drystone.project.configuration import remotes

    if not remotes(context.project().layout.root):
        return 0
    return parse.dispatch(["push"], context)
