"""A connection that breaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from tests.objects.remote.conftest import free_port


class CuttingProxy:
    """Passes bytes on and cuts all connections after some."""

    def __init__(self, target: int, allowed: int) -> None:
        self.port = free_port()
        self._target = target
        self._left = allowed
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for one, two in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, two), daemon=True).start()

    def _pass(self, one: socket.socket, two: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                with self._guard:
                    self._left -= len(data)
                    if self._left < 0:
                        self._listener.close()
                        break
                two.sendall(data)
        except OSError:
            pass
        finally:
            for end in (one, two):
                with suppress(OSError):  # closing alone would wait for the other thread's recv
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def cut_after(moto: str) -> Iterator[Callable[[int], str]]:
    proxies = []

    def make(allowed: int) -> str:
        proxies.append(CuttingProxy(int(moto.rsplit(":", 1)[1]), allowed))
        return f"http://127.0.0.1:{proxies[-1].port}"

    yield make
    for proxy in proxies:
        proxy.close()
