"""`drystone remote`: where data, models and the record of runs are shared."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

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


def run(arguments: Namespace, context: Context) -> int:
    """List, or change `drystone.toml`."""
    from drystone.core.errors import UsageError
    from drystone.project import configuration

    project = context.project()
    options = {key: getattr(arguments, key) for key in ("endpoint", "region", "profile")}
    if arguments.action == "list":
        _list(configuration.remotes(project.layout.root), context)
        return 0
    if not arguments.name or (arguments.action == "add") != bool(arguments.url):
        raise UsageError(
            f"`drystone remote {arguments.action}` needs a name{' and a URL' * (arguments.action == 'add')}",
            hints=["as in `drystone remote add lab /mnt/lab/project`, `drystone remote remove lab`"],
        )
    if arguments.action == "add":
        given = {"url": arguments.url, **{key: value for key, value in options.items() if value}}
        configuration.add_remote(project.layout.root, arguments.name, given)
        context.out(f"added  {arguments.name}  {arguments.url}")
        context.note(f"commit it with `git add {configuration.FILE}`, send to it with `drystone push`")
    else:
        configuration.remove_remote(project.layout.root, arguments.name)
        context.out(f"removed  {arguments.name}")
        context.note("what is stored there stays there")
    return 0


def _list(remotes: dict[str, dict[str, str]], context: Context) -> None:
    if context.json_mode:
        context.json([{"name": name, **settings} for name, settings in remotes.items()])
        return
    context.table(
        [
            (name, settings["url"], *(f"{key} {settings[key]}" for key in settings if key != "url"))
            for name, settings in _even(remotes).items()
        ]
    )
    if not remotes:
        context.note("no remote yet: name one with `drystone remote add NAME URL`")
    else:
        context.note("credentials are looked for where each cloud's tools do: variables, ~/.aws, the machine")


def _even(remotes: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The same settings in each, so that they stand in columns."""
    keys = dict.fromkeys(key for settings in remotes.values() for key in settings)
    return {name: {key: settings.get(key, "") for key in keys} for name, settings in remotes.items()}
