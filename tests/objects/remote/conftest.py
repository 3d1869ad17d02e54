"""Buckets of every kind that can be had here, each test in a place of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Bucket
from drystone.objects.store import ObjectStore

KEYS = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "lovelace"}
KINDS = ["folder", "memory", "moto", "rclone"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            continue
        return
    raise AssertionError(f"the server ended with {process.returncode}")


def serving(command: list[str], url: str) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_it_answers(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of an S3 server that keeps to what S3 promises."""
    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    yield from serving([program, "-H", "127.0.0.1", "-p", str(port)], f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an S3 server on a folder, which takes conditions and ignores them."""
    port, folder = free_port(), tmp_path_factory.mktemp("rclone")
    program = str(Path(sys.executable).with_name("rclone"))
    pair = ",".join(KEYS.values())
    command = [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", pair, str(folder)]
    yield from serving(command, f"http://127.0.0.1:{port}")


def make_bucket(endpoint: str) -> str:
    """A new bucket of a server; its name."""
    import botocore.session

    name = f"b{uuid.uuid4().hex[:20]}"
    session = botocore.session.Session()
    client = session.create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=name)
    return name


def s3_bucket(endpoint: str, name: str, root: Path, **changes: str) -> Bucket:
    around = Surroundings({**KEYS, **changes}, root, root)
    return open_bucket(Address("lab", f"s3://{name}/project", endpoint=endpoint), around)


@pytest.fixture
def new_bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Bucket]:
    def make(kind: str) -> Bucket:
        if kind == "memory":
            return Bucket(MemoryStore(), "lab", "memory://")
        if kind == "folder":
            folder = tmp_path / "remote"
            folder.mkdir()
            return open_bucket(Address("lab", str(folder)), Surroundings({}, tmp_path, tmp_path))
        endpoint = request.getfixturevalue(kind)
        return s3_bucket(endpoint, make_bucket(endpoint), tmp_path)

    return make


@pytest.fixture(params=KINDS)
def bucket(request: pytest.FixtureRequest, new_bucket: Callable[[str], Bucket]) -> Bucket:
    return new_bucket(request.param)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "here" / "objects")


@pytest.fixture
def other(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "there" / "objects")
