"""A deployment from its start to its end: verify the model, record, serve, drain, record.

The model comes out of the object store, every byte verified, and never from the work tree. The server
listens at once and says that it is alive; it is ready when the model's golden outputs have been replayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import uvicorn
import uvloop

from drystone.core.clock import Clock
from drystone.core.errors import Conflict, DrystoneError, ProjectInvalid, UsageError
from drystone.core.layout import Layout
from drystone.ledger.facts import Code, DeploymentChanged, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.ledger.requests import RequestWriter
from drystone.objects.entry import HEADER, Entry
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.registry.loading import load
from drystone.registry.manifest import HINT
from drystone.registry.predictor import Predictor
from drystone.serving.app import App
from drystone.serving.engine import Engine
from drystone.tracking.recorder import ActiveRun, Recorder
from drystone.workspace.lockfile import is_safe_path

#: Seconds that requests in flight are given after SIGTERM.
_DRAIN_S = 25
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Rooms(NamedTuple):
    """The parts of a project that serving needs."""

    layout: Layout
    store: ObjectStore
    ledger: Ledger
    recorder: Recorder
    clock: Clock


class Served(NamedTuple):
    """A deployment that is ready."""

    name: str
    version: VersionRegistered
    url: str
    run: str


def serve(
    rooms: Rooms,
    version: VersionRegistered,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    name: str | None = None,
    code: Code | None = None,
    threads: int = 1,
    on_ready: Callable[[Served], None] | None = None,
) -> None:
    """Serve a version until SIGTERM or SIGINT, then answer what is in flight and stop.

    The run and the deployment's changes are recorded. Call it from the main thread, which receives
    the signals.

    Args:
        rooms: parts of the project.
        version: a version of a model.
        host: address to listen on.
        port: 0 for any free one.
        name: of the deployment; by default the model's, with `-` for `/`.
        code: the code as it is now, for the run.
        threads: threads of one prediction.
        on_ready: called once, when the first request can be answered.

    Raises:
        UsageError: what is to be served is not a model, the name cannot be a deployment's, `threads` is
            not positive, or `host` is no address of this machine.
        Conflict: the port or the deployment is taken by another process.
        NotFound, Corrupt: the model's object is not in the store, or damaged.
        ProjectInvalid: it is not a model directory with a signature, or does not replay its example.
    """
    if version.kind != "model":
        raise UsageError(f"only a model can be served: `{version.kind}:{version.name}` is not one")
    if threads < 1:
        raise UsageError(f"not a number of threads: {threads}", hints=["a prediction takes 1 or more"])
    deployment = name or version.name.replace("/", "-")
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(_listen(host, port)))
        writer = RequestWriter(rooms.layout, deployment)
        stack.callback(writer.close)
        run = stack.enter_context(_recorded(rooms, version, deployment, code))
        served = Served(deployment, version, _url(host, listening.getsockname()[1]), run.id)
        changes = _Changes(rooms, served)
        stack.callback(changes.stopped)

        def make_engine() -> Engine:
            predictor = load_version(rooms, version, run.id, threads)
            run.reads(version.path, version.object, tree=True)
            return Engine(predictor, version, writer, rooms.clock)

        def ready() -> None:
            changes.serving()
            if on_ready is not None:
                on_ready(served)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(App(version.name), listening, make_engine, ready))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def load_version(rooms: Rooms, version: VersionRegistered, run: str, threads: int) -> Predictor:
    """Load a model from the object store; nothing of it stays behind on the disk."""
    with rooms.store.open(version.object) as file:
        is_tree = file.read(len(HEADER)) == HEADER.encode()
    if not is_tree:
        raise ProjectInvalid(
            f"`model:{version.name}@v{version.version}` is a single file, so it has no signature",
            at=version.path,
            hints=[HINT],
        )
    folder = rooms.layout.state / "serving" / run
    try:
        # Under its own path, so that messages about it name that.
        place = folder / (version.path if is_safe_path(version.path) else Path(version.path).name)
        place.parent.mkdir(parents=True)
        restore(rooms.store, Entry(place.name, "tree", version.object, version.size), place)
        return load(place, threads=threads)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _serve(
    app: App, listening: socket.socket, make_engine: Callable[[], Engine], ready: Callable[[], None]
) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_S,
        )
    )

    def stop() -> None:
        app.drain()
        server.force_exit = server.should_exit  # asked twice: do not wait for what is in flight
        server.should_exit = True

    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop)
    answering = asyncio.create_task(server.serve(sockets=[listening]))
    engine: Engine | None = None
    try:
        engine = await loop.run_in_executor(None, make_engine)
        if not server.should_exit:
            app.start(engine)
            ready()
        await answering
    finally:
        server.should_exit = True
        await answering
        if engine is not None:
            engine.close()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: it would raise the signal again when it is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_serve`."""
        yield


class _Changes:
    """The deployment's changes: begun once, ended only if begun."""

    def __init__(self, rooms: Rooms, served: Served) -> None:
        self._rooms = rooms
        self._served = served
        self._began = False

    def serving(self) -> None:
        self._began = True
        self._record("serving", self._served.url)

    def stopped(self) -> None:
        if self._began:
            self._record("stopped", None)

    def _record(self, status: Literal["serving", "stopped"], url: str | None) -> None:
        version = self._served.version
        self._rooms.ledger.record(
            DeploymentChanged(
                name=self._served.name,
                status=status,
                model=version.name,
                version=version.version,
                object=version.object,
                run=self._served.run,
                time=self._rooms.clock.now(),
                url=url,
            )
        )


@contextlib.contextmanager
def _recorded(
    rooms: Rooms, version: VersionRegistered, deployment: str, code: Code | None
) -> Iterator[ActiveRun]:
    run = rooms.recorder.start(kind="serve", name=deployment, code=code)
    run.tags({"drystone.model": f"{version.kind}:{version.name}@v{version.version}"})
    try:
        yield run
    except DrystoneError as error:
        run.finish("failed", error=error.message)
        raise
    except BaseException as error:
        run.finish("failed", error=f"{type(error).__name__}: {error}")
        raise
    run.finish("succeeded")


def _listen(host: str, port: int) -> socket.socket:
    try:
        # Asked first, for an error that tells an unknown name from a taken port.
        socket.getaddrinfo(host, None, _family(host))
        return socket.create_server((host, port), family=_family(host), backlog=2048)
    except OverflowError:
        raise UsageError(f"not a port: {port}") from None
    except (socket.gaierror, UnicodeError):  # a name that cannot be one is an error of its encoding
        raise _no_address(host) from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_address(host) from None
        raise Conflict(
            f"cannot listen on {host}, port {port}",
            because=(error.strerror or str(error)).lower(),
            hints=["choose another port, or any free one with `--port 0`"],
        ) from None


def _no_address(host: str) -> UsageError:
    return UsageError(
        f"cannot listen on `{host}`",
        because="it is no address of this machine",
        hints=["give an address of this machine, such as `--host 127.0.0.1` or `--host 0.0.0.0`"],
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
