"""`drystone push`: send what a remote lacks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

SUMMARY = "send tracked data, models and the record of runs to a remote"
EXAMPLE = "drystone push"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "remote", nargs="?", metavar="REMOTE", help="which one (the first in `drystone.toml`)"
    )
    parser.add_argument("--verbose", action="store_true", help="tell requests and bytes")


def run(arguments: Namespace, context: Context) -> int:
    """Push."""
    from drystone.cli.progress import bar
    from drystone.project.remotes import Remote

    remote = Remote(context.project(), arguments.remote)
    with bar(context, f"pushing to {remote.name}") as progress:
        done = remote.push(progress)
    if context.json_mode:
        context.json({**done._asdict(), "traffic": vars_of(done.traffic)})
        return 0
    if done.objects or done.journals:
        context.out(
            f"pushed to {done.remote}  {done.objects:,} objects  {done.stored + done.journals:,} bytes"
        )
    else:
        context.out(f"{done.remote} is up to date")
    if arguments.verbose:
        tell(done.traffic, context)
    return 0


def vars_of(traffic: object) -> dict[str, int]:
    """Traffic as a document."""
    return {key: getattr(traffic, key) for key in ("requests", "sent", "received")}


def tell(traffic: object, context: Context) -> None:
    """Say what was asked of the remote."""
    counts = vars_of(traffic)
    context.note(
        f"{counts['requests']:,} requests, {counts['sent']:,} bytes sent, "
        f"{counts['received']:,} bytes received"
    )
