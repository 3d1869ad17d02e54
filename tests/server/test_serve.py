"""The verb, as a user starts it: a real process on a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from drystone.core.errors import Conflict, UsageError
from drystone.core.layout import Layout
from drystone.server.serve import serve

COMMAND = [sys.executable, "-m", "drystone", "server"]


@contextmanager
def started(repository: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *words], cwd=repository, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_it_prints_its_address_answers_there_and_ends_well_on_interrupt(repository: Path) -> None:
    with started(repository, "--port", "0") as process:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urlopen(f"{address}healthz", timeout=20) as answer:
            assert answer.read() == b"ok\n"
        with urlopen(f"{address}runs.json", timeout=20) as answer:
            assert json.load(answer)["runs"] == []
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        assert f"serving {repository.name}" in said and "stopped" in said and "Traceback" not in said
        assert "no password" not in said


def test_with_json_the_address_is_one_document_and_all_interfaces_come_with_a_warning(
    repository: Path,
) -> None:
    with started(repository, "--port", "0", "--host", "0.0.0.0", "--json") as process:
        lines = ""
        while not lines.endswith("}\n"):
            lines += process.stdout.readline()
        port = json.loads(lines)["url"].rstrip("/").rpartition(":")[2]
        with urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.status == 200
        process.terminate()
        assert "there is no password" in process.communicate(timeout=30)[1]


def test_a_port_in_use_is_a_conflict_with_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict) as caught:
        serve(Layout(tmp_path), port=taken.getsockname()[1], ready=lambda *_: None)
    assert "--port 0" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("192.0.2.1", 0),
        ("no such host.invalid", 0),
        ("a..b", 0),
        ("a" * 70, 0),
        ("127.0.0.1", 99_999),
        ("127.0.0.1", -1),
    ],
)
def test_an_impossible_address_is_an_error_of_usage(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(UsageError) as caught:
        serve(Layout(tmp_path), host=host, port=port, ready=lambda *_: None)
    wrong = "--host" if 0 <= port <= 65535 else "--port"
    assert caught.value.exit == 2 and wrong in caught.value.hints[0]


def test_the_pages_are_in_the_package(repository: Path) -> None:
    import drystone.server.render as render

    assert (render.STATIC / "style.css").is_file()
    assert len(list((render.STATIC.parent / "templates").glob("*.html"))) >= 14
    assert os.access(render.STATIC / "icon.svg", os.R_OK)


def test_pages_are_right_while_runs_are_written_and_many_ask(empty, address) -> None:
    empty.end(empty.begin("train"))
    base = address(empty)

    def ask(path: str) -> int:
        with urlopen(base + path, timeout=30) as answer:
            answer.read()
            return int(answer.status)

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, path) for path in ("/", "/runs.json", "/pipeline", "/models", "/runs") * 6]
        for _ in range(20):
            empty.end(empty.begin("train"))
            empty.flush()
        assert {one.result() for one in asked} == {200}
    with urlopen(f"{base}/runs.json", timeout=30) as answer:
        assert len(json.load(answer)["runs"]) == 21
