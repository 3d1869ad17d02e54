"""The ASGI application: routes, statuses, limits. No framework stands between a request and the model.

Health and metadata, inference by the Open Inference Protocol under `/v2`, and MLflow's routes beside
it, all answered from one signature. Every answer is JSON, except those that MLflow's clients want plain.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

from drystone.core.suggest import similar
from drystone.core.version import __version__
from drystone.serving import inference, invocations
from drystone.serving.engine import Engine
from drystone.serving.refusal import Refused, shown

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Bytes of the largest body that is read.
LARGEST_BODY = 16 << 20
_MODEL = re.compile(r"/v2/models/(?P<model>.+?)(?:/versions/(?P<version>[^/]+))?(?P<verb>/ready|/infer)?")
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"
_log = logging.getLogger("drystone.serving")


class Response(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _ClientGone(Exception):
    """The client went away before its request was whole."""


class App:
    """Serves one model, once it is given an engine.

    Args:
        model: name under which it is served, known before it is ready.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self._engine: Engine | None = None
        self._draining = False

    def start(self, engine: Engine) -> None:
        """Begin to answer: the model has been verified."""
        self._engine = engine

    def drain(self) -> None:
        """Say that no more requests should be sent here, and go on answering."""
        self._draining = True

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self._engine is not None and not self._draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # lifespan and websockets are not spoken
            return
        try:
            response = await self._respond(scope, receive)
        except Refused as refused:
            response = Response(refused.status, refused.body(), headers=tuple(refused.headers))
        except _ClientGone:
            return
        except Exception:  # noqa: BLE001  the boundary of a request: its failure is not the server's
            _log.exception("a request failed")
            body = msgspec.json.encode({"error": "the server failed to answer; its log says why"})
            response = Response(500, body)
        await self._send(response, send)

    async def _send(self, response: Response, send: Send) -> None:
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            *response.headers,
        ]
        if self._engine is not None:
            version = self._engine.version
            headers.append((b"drystone-model", f"{version.name}@v{version.version}".encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    # -- routes ----------------------------------------------------------------------------------

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        path: str = scope["path"]
        if path == "/invocations":
            _allow(scope, "POST")
            return await self._invocations(scope, receive)
        found = _MODEL.fullmatch(path)
        if found is None:
            return self._fixed(scope, path.rstrip("/") or "/")
        if found["verb"] == "/infer":
            _allow(scope, "POST")
            self._named(found["model"], found["version"])
            return await self._infer(scope, receive)
        _allow(scope, "GET")
        self._named(found["model"], found["version"])
        if found["verb"] == "/ready":
            return _json({"name": self.model, "ready": self.ready}, 200 if self.ready else 503)
        engine = self._ready()
        platform = f"drystone_{engine.loader}"
        return Response(200, inference.metadata(engine.signature, self.model, self._version, platform))

    def _fixed(self, scope: Scope, path: str) -> Response:
        status = 200 if self.ready else 503
        answers: dict[str, Callable[[], Response]] = {
            "/v2": lambda: _json({"name": "drystone", "version": __version__, "extensions": []}),
            "/v2/health/live": lambda: _json({"live": True}),
            "/v2/health/ready": lambda: _json({"ready": self.ready}, status),
            "/v2/models": lambda: _json({"models": [self.model]}),
            "/ping": lambda: Response(status, b"\n"),
            "/health": lambda: Response(status, b"\n"),
            "/version": lambda: Response(200, __version__.encode(), _TEXT),
        }
        if path not in answers:
            near = similar(path[:100], [*answers, "/invocations"])
            hint = f"there is {near[0]}" if near else f"predictions are at /v2/models/{self.model}/infer"
            raise Refused(404, f"no such path: {shown(path)}", hint=hint)
        _allow(scope, "GET")
        return answers[path]()

    def _named(self, model: str, version: str | None) -> None:
        """Refuse every model and version but the one served."""
        if model != self.model:
            hint = f"this server has `{self.model}`"
            raise Refused(404, f"no model {shown(model)} here", field="model", hint=hint)
        if version is not None and version.removeprefix("v") != self._version.removeprefix("v"):
            raise Refused(
                404,
                f"no version {shown(version)} of `{model}` here",
                field="version",
                hint=f"this server has `{self._version}`",
            )

    @property
    def _version(self) -> str:
        return f"v{self._ready().version.version}"

    def _ready(self) -> Engine:
        if self._engine is None:
            raise Refused(
                503,
                "the model is not ready yet",
                hint="ask /v2/health/ready first",
                headers=[(b"retry-after", b"1")],
            )
        return self._engine

    # -- predictions -----------------------------------------------------------------------------

    async def _infer(self, scope: Scope, receive: Receive) -> Response:
        engine = self._ready()
        headers = _headers(scope)
        if b"inference-header-content-length" in headers:
            raise Refused(
                400,
                "binary tensors are not taken here",
                field="Inference-Header-Content-Length",
                hint="send JSON; with tritonclient, `set_data_from_numpy(data, binary_data=False)`",
            )
        _content_type(headers, (_JSON,))
        request = inference.read(await _body(headers, receive), engine.signature, engine.now())
        answer = await engine.answer(request.columns, request.rows, request.event_time)
        return Response(200, inference.write(request, answer, engine.signature, self.model, self._version))

    async def _invocations(self, scope: Scope, receive: Receive) -> Response:
        engine = self._ready()
        headers = _headers(scope)
        kind = _content_type(headers, (_JSON, b"text/csv"))
        body = await _body(headers, receive)
        request = (
            invocations.read_csv(body, engine.signature)
            if kind == b"text/csv"
            else invocations.read_json(body, engine.signature, engine.now())
        )
        answer = await engine.answer(request.columns, request.rows, request.event_time)
        return Response(200, invocations.write(answer))


def _json(value: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _allow(scope: Scope, method: str) -> None:
    allowed = ("GET", "HEAD") if method == "GET" else (method,)
    if scope["method"] not in allowed:
        listed = ", ".join(allowed)
        raise Refused(
            405,
            f"{shown(scope['method'])} is not possible here",
            hint=f"use {listed}",
            headers=[(b"allow", listed.encode())],
        )


def _content_type(headers: dict[bytes, bytes], allowed: tuple[bytes, ...]) -> bytes:
    """The media type of the body, JSON where the client does not say.

    Raises:
        Refused: it is not among those allowed, or the body is compressed.
    """
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.strip().lower() not in (b"", b"identity"):
        raise Refused(
            415,
            f"a body in {shown(encoding.decode('latin-1'))} is not taken here",
            field="Content-Encoding",
            hint="send it as it is, without `Content-Encoding`",
            headers=[(b"accept-encoding", b"identity")],
        )
    given = headers.get(b"content-type")
    if given is None:
        return _JSON
    kind, _, parameters = given.lower().partition(b";")
    charset = parameters.strip().replace(b'"', b"").replace(b" ", b"")
    if kind.strip() not in allowed or charset not in (b"", b"charset=utf-8"):
        listed = " or ".join(name.decode() for name in allowed)
        hint = f"send {listed}; curl sends JSON with `--json @FILE`"
        raise Refused(415, "this content type is not taken here", field="Content-Type", hint=hint)
    return kind.strip()


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > LARGEST_BODY:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large() -> Refused:
    return Refused(
        413,
        f"the body is larger than {LARGEST_BODY >> 20} MiB",
        hint="send fewer rows per request",
        headers=[(b"connection", b"close")],
    )
