"""`drystone serve`: answer predictions of one model version over HTTP."""

from __future__ import annotations

import ipaddress
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.serving.service import Served

SUMMARY = "serve a model over HTTP until interrupted"
EXAMPLE = "drystone serve model:churn@champion --port 8080"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("reference", metavar="REF", help="the model, as in `churn@champion`")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on, 0 for any free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--name", help="name of the deployment (default: the model's)")
    parser.add_argument("--threads", type=int, default=1, help="threads of one prediction")


def run(arguments: Namespace, context: Context) -> int:
    """Serve until SIGINT or SIGTERM."""
    from drystone.serving.service import Rooms, serve

    project = context.project()
    version = project.resolve(arguments.reference)
    if not _is_loopback(arguments.host):
        context.note(
            f"warning: other machines can reach {arguments.host}, and this server asks nobody who they are"
        )

    def ready(served: Served) -> None:
        model = f"model:{served.version.name}@v{served.version.version}"
        if arguments.json:
            place = {"url": served.url, "deployment": served.name, "run": served.run}
            context.json({**place, "model": model, "object": served.version.object})
        else:
            context.out(f"{model} answers at {context.style(served.url, 'bold')}")
            context.note(f"  predictions  POST {served.url}/v2/models/{served.version.name}/infer")
            context.note(f"               POST {served.url}/invocations")
        context.note(f"  deployment   {served.name}; stop it with Ctrl-C")

    rooms = Rooms(project.layout, project.store, project.ledger, project.recorder, project.clock)
    serve(
        rooms,
        version,
        host=arguments.host,
        port=arguments.port,
        name=arguments.name,
        code=project.code(),
        threads=arguments.threads,
        on_ready=ready,
    )
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
