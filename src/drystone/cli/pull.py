"""`drystone pull`: fetch what the lock names, and put it in its place."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

SUMMARY = "fetch tracked data and models and the record of runs from a remote, and check them out"
EXAMPLE = "drystone pull data/flights.parquet"

_SHOWN = 5


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="tracked paths, or folders of them (all)")
    parser.add_argument("--remote", metavar="REMOTE", help="which one (the first in `drystone.toml`)")
    parser.add_argument("--fetch-only", action="store_true", help="leave the work tree as it is")
    parser.add_argument("--verbose", action="store_true", help="tell requests and bytes")


def run(arguments: Namespace, context: Context) -> int:
    """Pull, then check out."""
    from drystone.cli.progress import bar
    from drystone.cli.push import tell, vars_of
    from drystone.core.errors import NotFound
    from drystone.objects.entry import printable
    from drystone.project.remotes import Remote
    from drystone.workspace.checkout import CheckedOut, checkout, selected
    from drystone.workspace.workspace import Workspace

    project = context.project()
    paths = [context.cwd / path for path in arguments.paths]
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        names = selected(workspace, paths, workspace.lock().paths)
        remote = Remote(project, arguments.remote)
        with bar(context, f"pulling from {remote.name}") as progress:
            done = remote.pull(names if paths else (), progress)
        if arguments.verbose and not context.json_mode:
            tell(done.traffic, context)
        if done.missing:
            raise NotFound(
                f"{len(done.missing)} objects are neither here nor on remote `{remote.name}`",
                at=[*done.missing[:_SHOWN], *(["..."] if len(done.missing) > _SHOWN else [])],
                because="everything else was fetched",
                hints=["push them from where they were made with `drystone push`"],
            )
        fetched = arguments.fetch_only
        here = CheckedOut((), (), ()) if fetched else checkout(workspace, paths)
    restored = [printable(path) for path in here.restored]
    if context.json_mode:
        context.json({**done._asdict(), "traffic": vars_of(done.traffic), "restored": restored})
        return 0
    context.out(f"pulled from {done.remote}  {done.objects:,} objects  {done.journals:,} journals")
    for path in restored:
        context.out(f"restored  {path}")
    return 0
