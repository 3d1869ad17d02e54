"""`drystone remote`: where data, models and the record of runs are shared."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.project.project import Project

SUMMARY = "list, add or remove the places where data, models and runs are shared"
EXAMPLE = "drystone remote add lab s3://bucket/project"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "action", nargs="?", choices=("list", "add", "remove"), default="list", help="what to do (list)"
    )
    parser.add_argument("name", nargs="?", help="of the remote")
    parser.add_argument("url", nargs="?", help="a folder, s3://..., gs://... or az://...")
    parser.add_argument("--endpoint", metavar="URL", help="of a service that speaks S3")
    parser.add_argument("--region", help="of the bucket")
    parser.add_argument("--profile", help="section of ~/.aws/credentials")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """List, or change `drystone.toml`."""
    from drystone.core.errors import UsageError
    from drystone.project import configuration
    from drystone.workspace.recording import rewrite
    from drystone.workspace.workspace import Workspace

    project = context.project()
    options = {key: getattr(arguments, key) for key in ("endpoint", "region", "profile")}
    if arguments.action == "list":
        _list(project, context)
        return 0
    if not arguments.name or (arguments.action == "add") != bool(arguments.url):
        raise UsageError(
            f"`drystone remote {arguments.action}` needs a name{' and a URL' * (arguments.action == 'add')}",
            hints=["as in `drystone remote add lab /mnt/lab/project`, `drystone remote remove lab`"],
        )
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        write = partial(rewrite, workspace, f"remote {arguments.action}", dry_run=context.dry_run)
        if arguments.action == "add":
            given = {"url": arguments.url, **{key: value for key, value in options.items() if value}}
            configuration.add_remote(project.layout.root, arguments.name, given, write)
        else:
            configuration.remove_remote(project.layout.root, arguments.name, write)
    if context.json_mode:
        said = {"action": arguments.action, "name": arguments.name, "url": arguments.url}
        context.json({**said, "dry_run": context.dry_run})
    elif arguments.action == "add":
        context.out(f"{context.words('added', 'add')}  {arguments.name}  {arguments.url}")
    else:
        context.out(f"{context.words('removed', 'remove')}  {arguments.name}")
    context.untouched()
    if context.json_mode or context.dry_run:
        return 0
    if arguments.action == "add":
        context.note(f"commit it with `git add {configuration.FILE}`, send to it with `drystone push`")
    else:
        context.note("what is stored there stays there")
    return 0


def _list(project: Project, context: Context) -> None:
    from drystone.project import configuration

    remotes = configuration.remotes(project.layout.root)
    conditional = {name: _conditional(project, name) for name in remotes}
    if context.json_mode:
        context.json(
            [
                {"name": name, **settings, "conditional_puts": conditional[name]}
                for name, settings in remotes.items()
            ]
        )
        return
    context.table(
        [
            (name, settings["url"], *(f"{key} {settings[key]}" for key in settings if key != "url"))
            for name, settings in _even(remotes).items()
        ]
    )
    for name, kept in conditional.items():
        if kept is False:
            context.note(
                f"note: {name} ignores conditional puts; nothing is lost by it: a lease takes their place"
            )
    if not remotes:
        context.note("no remote yet: name one with `drystone remote add NAME URL`")
    else:
        context.note("credentials are looked for where each cloud's tools do: variables, ~/.aws, the machine")


def _conditional(project: Project, name: str) -> bool | None:
    """Whether the bucket keeps to conditions, None where that was not tried yet from here."""
    from drystone.core.errors import ProjectInvalid
    from drystone.project.remotes import Remote

    try:
        return Remote(project, name).conditional
    except ProjectInvalid:  # its address cannot be: whoever uses it is told
        return None


def _even(remotes: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The same settings in each, so that they stand in columns."""
    keys = dict.fromkeys(key for settings in remotes.values() for key in settings)
    return {name: {key: settings.get(key, "") for key in keys} for name, settings in remotes.items()}
