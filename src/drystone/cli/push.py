"""`drystone push`: send what a remote lacks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.objects.remote.bucket import Traffic
    from drystone.project.remotes import Remote

SUMMARY = "send tracked data, models and the record of runs to a remote"
EXAMPLE = "drystone push"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "remote", nargs="?", metavar="REMOTE", help="which one (the first in `drystone.toml`)"
    )
    parser.add_argument(
        "--repair", action="store_true", help="read what the remote holds, send again what is damaged there"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be sent")
    parser.add_argument("--verbose", action="store_true", help="tell requests and bytes")


def run(arguments: Namespace, context: Context) -> int:
    """Push."""
    from drystone.cli.progress import bar
    from drystone.project.remotes import Remote

    remote = Remote(context.project(), arguments.remote)
    if arguments.dry_run:
        _tell_plan(remote, context)
        return 0
    with bar(context, f"pushing to {remote.name}") as progress:
        done = remote.push(progress, repair=arguments.repair)
    if context.json_mode:
        context.json({**done._asdict(), "traffic": vars_of(done.traffic)})
        return 0
    if done.repaired:
        context.out(f"repaired on {done.remote}  {done.repaired:,} objects")
    if done.objects or done.journals:
        context.out(
            f"pushed to {done.remote}  {done.objects:,} objects  {done.stored + done.journals:,} bytes"
        )
    elif not done.repaired:
        context.out(f"{done.remote} is up to date")
    if arguments.verbose:
        tell(done.traffic, context)
    return 0


def _tell_plan(remote: Remote, context: Context) -> None:
    wanted = remote.plan()
    objects = len(wanted.files) + len(wanted.trees)
    if context.json_mode:
        context.json({"remote": remote.name, "objects": objects, "size": wanted.size, "dry_run": True})
    else:
        context.out(f"would push to {remote.name}  {objects:,} objects  at most {wanted.size:,} bytes")


def vars_of(traffic: Traffic) -> dict[str, int]:
    """Traffic as a document."""
    return {"requests": traffic.requests, "sent": traffic.sent, "received": traffic.received}


def tell(traffic: Traffic, context: Context) -> None:
    """Say what was asked of the remote."""
    context.note(
        f"{traffic.requests:,} requests, {traffic.sent:,} bytes sent, {traffic.received:,} bytes received"
    )
