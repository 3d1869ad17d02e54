"""`drystone init`: nothing is needed to begin; on request, git is told about the lock."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import UsageError

if TYPE_CHECKING:
    from drystone.project import Project

SUMMARY = "tell what is set up; on request install the merge driver and git hooks"
EXAMPLE = "drystone init --merge-driver --hooks"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--merge-driver", action="store_true", help="have git merge tracked directories file by file"
    )
    parser.add_argument(
        "--hooks", action="store_true", help="have git check out, check and push tracked files too"
    )
    parser.add_argument("--remove", action="store_true", help="take both out again")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Install or remove what was asked for, and tell what is there."""
    if arguments.remove and (arguments.merge_driver or arguments.hooks):
        raise UsageError("`--remove` takes out both, and nothing can be installed with it")
    project = context.project()
    removed = _remove(project, context) if arguments.remove else []
    installed = _install(project, arguments, context)
    return _tell(project, context, installed, removed)


def _remove(project: Project, context: Context) -> list[str]:
    from drystone.workspace import githooks, mergedriver

    gone = githooks.remove(project.git, dry_run=context.dry_run)
    had_driver = mergedriver.remove(project.git, dry_run=context.dry_run)
    told = [*(["the merge driver"] if had_driver else []), *(f"the hook `{name}`" for name in gone)]
    what = (
        f"{context.words('removed', 'remove')} {', '.join(told)}" if told else "there was nothing to remove"
    )
    context.note(what)
    return told


def _install(project: Project, arguments: Namespace, context: Context) -> list[str]:
    from drystone.workspace import githooks, mergedriver

    git, interpreter, dry_run = project.git, project.settings.interpreter, context.dry_run
    told: list[str] = []
    if arguments.merge_driver and mergedriver.install(git, interpreter, dry_run=dry_run):
        told.append("the merge driver")
    if arguments.hooks:
        told += [f"the hook `{name}`" for name in githooks.install(git, interpreter, dry_run=dry_run)]
    if told:
        context.note(f"{context.words('installed', 'install')} {', '.join(told)}")
    if "the merge driver" in told and not dry_run:
        context.note("commit `.gitattributes`; whoever else wants the driver runs this in their clone")
    return told


def _tell(project: Project, context: Context, installed: list[str], removed: list[str]) -> int:
    from drystone.workspace import githooks, mergedriver

    driver, hooks = mergedriver.is_installed(project.git), githooks.states(project.git)
    if context.json_mode:
        lock = project.layout.lock.exists()
        root = str(project.layout.root)
        context.json(
            {"root": root, "lock": lock, "merge_driver": driver, "hooks": hooks}
            | {"installed": installed, "removed": removed, "dry_run": context.dry_run}
        )
        return 0
    context.untouched()
    if context.dry_run:
        return 0
    context.out(f"{project.layout.root} is a git repository: nothing else is needed")
    words = {"installed": "installed", "absent": "not installed", "foreign": "your own"}
    rows = [["merge driver", "installed" if driver else "not installed"]]
    rows += [
        [
            f"hook {hook.name}",
            words[hook.state] + (", runs yours first" if hook.state == "installed" and hook.chained else ""),
        ]
        for hook in hooks
    ]
    context.table(rows, indent="  ")
    if not driver:
        context.note("install the merge driver with `drystone init --merge-driver`")
    if any(hook.state != "installed" for hook in hooks):
        context.note("install the hooks with `drystone init --hooks`")
    if not project.layout.lock.exists():
        context.note("begin with `drystone add data/FILE` or `drystone run`")
    return 0
