"""The application: routes, and errors in the house's shape. Pages are made in worker threads."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from drystone.core.clock import Clock, SystemClock
from drystone.core.errors import Conflict, DrystoneError, NotFound, UsageError
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore
from drystone.server import render, urls
from drystone.server.guard import LOOPBACK, Guard
from drystone.server.pages import assets, deployments, objects, overview, pipeline, runs
from drystone.server.reader import Page, PageFunction, Query, Reader

#: Every page and its address. Its JSON twin is at the same address with `.json` behind it.
PAGES: tuple[tuple[str, PageFunction], ...] = (
    ("/runs", runs.listing),
    ("/runs/compare", runs.comparison),
    ("/runs/{run}", runs.detail),
    ("/pipeline", pipeline.graph),
    ("/models", assets.models),
    ("/models/{name}", assets.model),
    ("/models/{name}/v{version:int}", assets.model_version),
    ("/data", assets.datasets),
    ("/data/{name}", assets.dataset),
    ("/data/{name}/v{version:int}", assets.dataset_version),
    ("/deployments", deployments.listing),
    ("/deployments/{name}", deployments.detail),
    ("/monitors", deployments.monitors),
    ("/monitors/{name}", deployments.monitor),
    ("/objects/{object}", objects.detail),
)

_STATUSES: tuple[tuple[type[DrystoneError], int], ...] = ((NotFound, 404), (UsageError, 400), (Conflict, 409))


def create_app(
    layout: Layout,
    clock: Clock | None = None,
    *,
    hosts: frozenset[str] | None = LOOPBACK,
) -> ASGIApp:
    """The web page of one project as an ASGI application. It only ever reads.

    Args:
        layout: the project's paths.
        clock: tells what relative times are relative to.
        hosts: names allowed in the Host header, without port; None allows any.
    """
    site = _Site(layout, clock or SystemClock())
    routes: list[Route | Mount] = [
        Route("/healthz", lambda _: PlainTextResponse("ok\n")),
        Mount("/static", _Static(directory=render.STATIC)),
        Route("/index.json", site.endpoint(overview.page, as_json=True)),
        Route("/", site.endpoint(overview.page, as_json=False)),
    ]
    for path, function in PAGES:
        routes.append(Route(f"{path}.json", site.endpoint(function, as_json=True)))
        routes.append(Route(path, site.endpoint(function, as_json=False)))
    application = Starlette(
        routes=routes,
        exception_handlers={
            DrystoneError: site.refused,
            HTTPException: site.refused,
            Exception: site.failed,
        },
    )
    return Guard(application, hosts)


class _Site:
    """Makes endpoints of page functions."""

    def __init__(self, layout: Layout, clock: Clock) -> None:
        self._layout = layout
        self._clock = clock
        self._templates = render.Templates()

    def endpoint(self, function: PageFunction, *, as_json: bool) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            path = {key: urls.unsegment(str(value)) for key, value in request.path_params.items()}
            query = Query(path, _query_values(request))
            with Ledger.open(self._layout, self._clock).steady() as ledger:
                store = ObjectStore(self._layout.objects)
                page = function(Reader(ledger, store, self._layout), query)
            if as_json:
                return _json({"cli": page.cli, **page.data})
            return self._html(request, page)

        return respond

    def refused(self, request: Request, error: Exception) -> Response:
        """An error that has been foreseen: the house's own, or an address or method nobody serves."""
        if isinstance(error, HTTPException):
            status, headers = error.status_code, error.headers
            shown = _http_error(request, error)
        else:
            assert isinstance(error, DrystoneError)
            shown, headers = error, None
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
        return self._error(request, shown, status, headers)

    def failed(self, request: Request, error: Exception) -> Response:
        """Our bug. Its traceback goes to the server's own log, not to the page."""
        shown = DrystoneError(
            "this page could not be made",
            because=f"of a `{type(error).__name__}` that nobody foresaw",
            hints=["the server printed a traceback on its standard error; please report it"],
        )
        return self._error(request, shown, 500, None)

    def _error(self, request: Request, error: DrystoneError, status: int, headers: object) -> Response:
        document = {"error": error.as_dict(), "status": status}
        if request.scope["path"].endswith(".json"):
            response = _json(document, status)
        else:
            heading = "Not found" if status == 404 else "Not possible" if status < 500 else "Failed"
            page = Page("error.html", heading, "drystone status", document, crumbs=(("Overview", "/"),))
            response = self._html(request, page, status)
        if isinstance(headers, dict):
            response.headers.update(headers)
        return response

    def _html(self, request: Request, page: Page, status: int = 200) -> Response:
        body = self._templates.html(
            page,
            path=request.scope["path"],
            query=request.scope["query_string"].decode("latin-1"),
            now=self._clock.now(),
        )
        return Response(body, status, media_type="text/html; charset=utf-8")


class _Static(StaticFiles):
    """Files whose address holds their digest, so a browser may keep them."""

    def file_response(self, *args: object, **more: object) -> Response:
        response: Response = super().file_response(*args, **more)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _query_values(request: Request) -> dict[str, list[str]]:
    try:
        return parse_qs(request.scope["query_string"].decode("latin-1"), errors="strict", max_num_fields=200)
    except (UnicodeError, ValueError) as error:
        raise UsageError("the query string cannot be read", because=str(error)) from None


def _json(document: dict[str, object], status: int = 200) -> Response:
    return Response(render.to_json(document), status, media_type="application/json")


def _http_error(request: Request, error: HTTPException) -> DrystoneError:
    if error.status_code == 404:
        return NotFound(f"no page `{request.scope['path']}`", hints=["every page is reached from `/`"])
    if error.status_code == 405:
        return UsageError(
            f"`{request.method}` is not possible here", because="these pages only show, they change nothing"
        )
    return UsageError(error.detail)
