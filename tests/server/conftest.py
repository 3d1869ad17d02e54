"""Projects to show, clients and a real browser to look at them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from drystone.server.app import create_app

from .story import Built, flights, hostile, many

BASE = "http://localhost"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return flights(tmp_path_factory.mktemp("flights") / "flights")


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return hostile(tmp_path_factory.mktemp("evil") / "<b>evil</b>")


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return many(tmp_path_factory.mktemp("crowd"))


@pytest.fixture
def empty(tmp_path: Path) -> Built:
    return Built(tmp_path / "nothing")


class Client:
    """Asks an application without a network; redirects are not followed."""

    def __init__(self, app: Any, base: str) -> None:
        self._app = app
        self._base = base

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self._base) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)


Visit = Callable[..., Client]


@pytest.fixture(scope="session")
def visit() -> Visit:
    """A client of a project's pages, with the Host header of a browser on this machine."""

    def make(built: Built, base: str = BASE, **more: Any) -> Client:
        built.flush()
        return Client(create_app(built.layout, built.clock, **more), base)

    return make


@pytest.fixture(scope="session")
def address() -> Iterator[Callable[[Built], str]]:
    """Serves projects on free loopback ports, for a real browser."""
    running: dict[Built, tuple[uvicorn.Server, threading.Thread, str]] = {}

    def start(built: Built) -> str:
        if built not in running:
            listening = socket.create_server(("127.0.0.1", 0))
            server = uvicorn.Server(
                uvicorn.Config(built.app(), lifespan="off", log_level="warning", ws="none")
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            running[built] = (server, thread, f"http://127.0.0.1:{listening.getsockname()[1]}")
        return running[built][2]

    yield start
    for server, thread, _ in running.values():
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless. Skips with a reason where there is none, unless that is forbidden.

    Not for the session: while it is open an event loop runs in this thread, and others need their own.
    """
    executable = shutil.which("chromium")
    if executable is None:
        reason = "Chromium is not installed: the web pages were not looked at (`apt-get install chromium`)"
        if os.environ.get("DRYSTONE_TEST_CHROMIUM") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-quic",
            ],
        )
        yield browser
        browser.close()
