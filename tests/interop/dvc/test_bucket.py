"""DVC's remotes in a bucket, read from a real S3 server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from .world import Repository, md5

KEYS = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of its own, on a port that was free."""
    program = (
        "from moto.server import ThreadedMotoServer as Server\n"
        "server = Server('127.0.0.1', 0, verbose=False); server.start()\n"
        "print('http://%s:%d' % server.get_host_and_port(), flush=True)\n"
        "import sys; sys.stdin.read(); server.stop()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def bucket(server: str, request: pytest.FixtureRequest) -> S3Store:
    """An empty bucket."""
    import urllib.request

    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    asked = urllib.request.Request(f"{server}/{name}", method="PUT")
    urllib.request.urlopen(asked).close()
    return S3Store(
        name,
        config={**KEYS, "endpoint": server, "virtual_hosted_style_request": False},
        client_options={"allow_http": True},
    )


def configure(repository: Repository, server: str, bucket: S3Store, *, secrets: bool = True) -> None:
    repository.configure(
        f"[core]\n    remote = s\n['remote \"s\"']\n    url = s3://{bucket.config['bucket']}/deep/store\n"
        f"    endpointurl = {server}\n    region = us-east-1\n"
    )
    if secrets:
        (repository.root / ".dvc" / "config.local").write_text(
            "['remote \"s\"']\n    access_key_id = key\n    secret_access_key = secret\n"
        )


def put(bucket: S3Store, data: bytes, *, name: str = "", legacy: bool = False) -> str:
    digits = name or md5(data)
    key = f"deep/store/{'' if legacy else 'files/md5/'}{digits[:2]}/{digits[2:]}"
    obstore.put(bucket, key, data)
    return digits


@pytest.fixture
def remote(repository: Repository, server: str, bucket: S3Store) -> S3Store:
    configure(repository, server, bucket)
    return bucket


def test_objects_of_both_layouts_are_fetched_and_verified(repository: Repository, remote: S3Store) -> None:
    large = bytes(range(256)) * 40_000
    repository.describe("large.bin", put(remote, large))
    old = put(remote, b"a\r\n", name=md5(b"a\n"), legacy=True)
    repository.describe("old.txt", old, hash_line=False)
    listing = repository.put_list({"x": put(remote, b"x")})
    place = repository.cache / "files/md5" / listing[:2] / listing[2:]
    put(remote, place.read_bytes(), name=listing)
    place.unlink()
    repository.describe("data", listing)
    told = repository.take(dry_run=True)
    assert told.failure is None
    assert {item.path: item.locked for item in told.paths} == dict.fromkeys(("data", "large.bin", "old.txt"))
    imported = repository.take()
    assert imported.failure is None
    assert imported.fetched == len(large) + 3 + 1 + len(remote_bytes(remote, listing))
    assert repository.content("large.bin") == large
    assert repository.content("old.txt") == b"a\r\n"
    assert repository.content("data") == {"x": b"x"}
    assert list((repository.top / ".drystone" / "fetched").iterdir()) == []
    assert repository.take().fetched == 0


def remote_bytes(bucket: S3Store, digits: str) -> bytes:
    return bytes(obstore.get(bucket, f"deep/store/files/md5/{digits[:2]}/{digits[2:]}").bytes())


def test_a_remote_that_lies_is_not_believed(repository: Repository, remote: S3Store) -> None:
    digits = put(remote, b"other", name=md5(b"right"))
    repository.describe("a.bin", digits)
    imported = repository.take()
    assert imported.failure is not None
    assert imported.damaged[0].at.endswith(f"/deep/store/files/md5/{digits[:2]}/{digits[2:]}")
    assert not repository.lock().paths


def test_a_file_as_a_version_under_its_own_path(repository: Repository, remote: S3Store, server: str) -> None:
    import urllib.request

    name = remote.config["bucket"]
    body = (
        b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Status>Enabled</Status></VersioningConfiguration>"
    )
    urllib.request.urlopen(
        urllib.request.Request(
            f"{server}/{name}?versioning", body, {"Content-Type": "application/xml"}, method="PUT"
        )
    ).close()
    first = obstore.put(remote, "deep/store/d/x", b"first")
    obstore.put(remote, "deep/store/d/x", b"second")
    (repository.root / "d.dvc").write_text(
        f"outs:\n- files:\n  - relpath: x\n    md5: {md5(b'first')}\n    size: 5\n"
        f"    cloud: {{s: {{etag: e, version_id: {first['version']}}}}}\n  path: d\n"
    )
    assert repository.take().failure is None
    assert repository.content("d") == {"x": b"first"}


def test_credentials_of_the_environment_are_used(
    repository: Repository, server: str, bucket: S3Store, tmp_path: Path
) -> None:
    configure(repository, server, bucket, secrets=False)
    repository.describe("a.bin", put(bucket, b"x"))
    imported = repository.take(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")
    assert imported.failure is None


def test_a_bucket_that_does_not_exist_has_nothing(
    repository: Repository, server: str, bucket: S3Store
) -> None:
    configure(repository, server, bucket)
    text = (repository.root / ".dvc" / "config").read_text()
    repository.configure(text.replace(bucket.config["bucket"], "no-such-bucket"))
    repository.describe("a.bin", md5(b"x"))
    imported = repository.take()
    assert imported.missing[0].looked[:2] == ("cache", "work tree")
    assert imported.failure is not None
    assert "secret" not in str(imported.failure.as_dict())
