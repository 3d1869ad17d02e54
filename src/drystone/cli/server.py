"""`drystone server`: the web page of this project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.cli.context import Context

SUMMARY = "show runs, pipeline, models, deployments and monitors as a web page"
EXAMPLE = "drystone server --port 4242"


def add_arguments(parser: ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument(
        "--port", type=int, default=4242, help="port to listen at; 0 takes a free one (default 4242)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1: this machine only)"
    )


def run(arguments: Namespace, context: Context) -> int:
    """Serve until interrupted, which is how one stops it, so that is no failure."""
    from drystone.server.serve import serve

    project = context.project()

    def ready(address: str, private: bool) -> None:
        if arguments.json:
            context.json({"url": address})
        else:
            context.out(address)
        context.note(f"serving {project.layout.root.name}; stop with Ctrl-C")
        if not private:
            context.note("note: whoever can reach this address can read it all; there is no password")

    try:
        serve(project.layout, project.clock, host=arguments.host, port=arguments.port, ready=ready)
    except KeyboardInterrupt:
        context.note("stopped")
    return 0
