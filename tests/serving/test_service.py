"""`drystone serve` as a process of its own, from its start to its end or its death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.ledger import deployments, runs
from drystone.ledger.ledger import Ledger
from drystone.ledger.requests import find

from .deployed import ROW, register_model, save, tensors


class Server(NamedTuple):
    """A server process and what it said when it was ready."""

    process: subprocess.Popen[str]
    said: dict[str, str]

    def infer(self, rows: int = 1) -> list[str]:
        body = {"inputs": tensors(*[ROW] * rows)}
        response = httpx.post(f"{self.said['url']}/v2/models/late-arrival/infer", json=body)
        assert response.status_code == 200
        ids: str = response.json()["parameters"]["prediction_ids"]
        return ids.split(",")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "late-arrival"
    save(path)
    return path


@pytest.fixture
def project(repository: Path, model: Path) -> Layout:
    """A repository whose model is registered and no longer in the work tree."""
    layout = Layout(repository)
    shutil.copytree(model, layout.models / "late-arrival")
    register_model(repository, SystemClock())
    shutil.rmtree(layout.models)
    return layout


def _command(project: Layout, *words: str) -> list[str]:
    place = ["-C", str(project.root)]
    return [sys.executable, "-m", "drystone", *place, "serve", *words]


Starting = Callable[..., Server]


@pytest.fixture
def starting(project: Layout) -> Iterator[Starting]:
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> Server:
        command = _command(project, "model:late-arrival", "--port", "0", "--json", *words)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                return Server(process, json.loads("".join(lines)))
        raise AssertionError(process.communicate()[1])

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _refused(project: Layout, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and error of a serve that cannot start."""
    command = _command(project, *words, "--port", "0", "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return done.returncode, error


def test_a_deployment_is_recorded_from_its_start_to_its_end(project: Layout, starting: Starting) -> None:
    server = starting()
    with Ledger.open(project) as ledger:
        (change,) = deployments.current(ledger)
        run = runs.get(ledger, change.run)
        assert run is not None
        assert (change.name, change.status, change.version) == ("late-arrival", "serving", 1)
        assert (change.url, change.run) == (server.said["url"], server.said["run"])
        assert (run.kind, run.status, run.name) == ("serve", "running", "late-arrival")
        server.infer()
        assert server.end(signal.SIGTERM) == 0
        (change,) = deployments.current(ledger)
        run = runs.get(ledger, change.run)
        assert run is not None
        assert (change.status, run.status) == ("stopped", "succeeded")
    assert list((project.state / "serving").iterdir()) == []


def test_an_interrupt_ends_it_too(starting: Starting) -> None:
    assert starting().end(signal.SIGINT) == 0


def test_what_is_in_flight_is_answered_before_it_ends(starting: Starting) -> None:
    server = starting()
    host, port = server.said["url"].removeprefix("http://").split(":")
    body = json.dumps({"instances": [ROW]}).encode()
    head = "POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with closing(socket.create_connection((host, int(port)), timeout=30)) as connection:
        connection.sendall(head.encode())
        assert b"100 Continue" in connection.recv(100)  # the server waits for the body
        server.process.send_signal(signal.SIGTERM)
        while _accepts(host, int(port)):
            pass
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert server.process.wait(30) == 0


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(project: Layout, starting: Starting) -> None:
    server = starting()
    ids = [identifier for rows in (1, 200, 3) for identifier in server.infer(rows)]
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    (file,) = (project.requests / "late-arrival").iterdir()
    assert [json.loads(line)["id"] for line in file.read_bytes().splitlines()] == ids
    assert all(find(project, identifier) is not None for identifier in ids[::50])
    with file.open("ab") as torn:
        torn.write(b'{"id": "torn')
    again = starting()  # what a dead server held is free
    more = again.infer()
    assert again.end(signal.SIGTERM) == 0
    assert [json.loads(line)["id"] for line in file.read_bytes().splitlines()] == ids + more
    with Ledger.open(project) as ledger:
        assert ledger.mark_lost() == [server.said["run"]]


def test_a_deployment_is_served_once_and_another_name_beside_it(project: Layout, starting: Starting) -> None:
    starting()
    code, error = _refused(project, "model:late-arrival")
    assert (code, error["code"]) == (5, "conflict")
    assert "already being served" in error["message"]
    starting("--name", "shadow").infer()
    assert (project.requests / "shadow").is_dir()


def test_a_port_that_is_taken_is_refused(project: Layout) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        command = _command(project, "late-arrival", "--port", str(taken.getsockname()[1]), "--json")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "--port 0" in json.loads(done.stdout)["error"]["hints"][0]


@pytest.mark.parametrize("host", ["::nowhere", "a..b", "192.0.2.1"])
def test_a_host_that_is_no_address_of_this_machine_is_a_mistake_of_usage(project: Layout, host: str) -> None:
    code, error = _refused(project, "late-arrival", "--host", host)
    assert (code, error["message"]) == (2, f"cannot listen on `{host}`")
    assert "--host 127.0.0.1" in error["hints"][0]


@pytest.mark.parametrize("threads", ["0", "-3"])
def test_fewer_threads_than_one_are_refused(project: Layout, threads: str) -> None:
    code, error = _refused(project, "late-arrival", f"--threads={threads}")
    assert (code, error["message"]) == (2, f"not a number of threads: {threads}")


def test_a_damaged_model_is_not_served(project: Layout) -> None:
    largest = max(project.objects.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    largest.chmod(0o644)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    code, error = _refused(project, "model:late-arrival")
    assert (code, error["code"]) == (3, "corrupt")
    with Ledger.open(project) as ledger:
        assert deployments.current(ledger) == []
        (run,) = runs.recent(ledger)
        assert (run.kind, run.status) == ("serve", "failed")


def test_a_model_without_a_signature_is_not_served(project: Layout) -> None:
    path = project.models / "late-arrival"
    path.mkdir(parents=True)
    (path / "weights.bin").write_bytes(b"\0" * 10)
    register_model(project.root, SystemClock())
    code, error = _refused(project, "model:late-arrival@v2")
    assert code == 3
    assert "no signature" in error["message"]
    assert error["at"] == ["models/late-arrival"]
    assert "ds.model(" in error["hints"][0]


def test_a_model_that_does_not_replay_its_example_is_not_served(project: Layout, model: Path) -> None:
    path = project.models / "late-arrival"
    shutil.copytree(model, path)
    manifest = json.loads((path / "model.json").read_bytes())
    manifest["golden"]["probability"][0] += 0.01
    (path / "model.json").write_text(json.dumps(manifest))
    register_model(project.root, SystemClock())
    code, error = _refused(project, "model:late-arrival@v2")
    assert code == 3
    assert "does not give the outputs it was saved with" in error["message"]


def test_other_machines_are_let_in_only_when_told_and_with_a_warning(starting: Starting) -> None:
    assert starting().said["url"].startswith("http://127.0.0.1:")
    open_to_all = starting("--host", "0.0.0.0", "--name", "open")
    os.kill(open_to_all.process.pid, signal.SIGTERM)
    assert "warning: other machines can reach 0.0.0.0" in open_to_all.process.communicate(timeout=30)[1]
