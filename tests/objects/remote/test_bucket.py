"""What a bucket promises, wherever it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.objects.remote.conftest import make_bucket, s3_bucket
from tests.objects.remote.serving import serving

from drystone.core.errors import RemoteUnavailable
from drystone.objects.remote.bucket import Bucket

LARGE = 20 << 20


def test_what_was_put_is_got_and_what_was_not_is_none(bucket: Bucket) -> None:
    bucket.put("a/b/c", b"stone")
    assert bucket.get("a/b/c") == b"stone"
    assert bucket.get("a/b") is None
    assert bucket.get("a/b/d") is None
    bucket.put("a/b/c", b"wall")
    assert bucket.get("a/b/c") == b"wall"


def test_an_empty_value_is_not_none(bucket: Bucket) -> None:
    bucket.put("empty", b"")
    assert bucket.get("empty") == b""
    assert bucket.size("empty") == 0


def test_a_large_file_travels_in_parts_and_comes_back_the_same(bucket: Bucket, tmp_path: Path) -> None:
    data = os.urandom(LARGE)
    path = tmp_path / "large"
    path.write_bytes(data)
    bucket.put("large", path)
    assert bucket.size("large") == LARGE
    assert bucket.get("large") == data


def test_ranges_are_cut_at_the_end_and_empty_beyond_it(bucket: Bucket) -> None:
    bucket.put("k", b"0123456789")
    assert bucket.get_range("k", 2, 5) == b"234"
    assert bucket.get_range("k", 8, 20) == b"89"
    assert bucket.get_range("k", 10, 12) == b""
    assert bucket.get_range("k", 1000, 2000) == b""
    assert bucket.get_range("k", 3, 3) == b""
    assert bucket.get_range("nothing", 0, 5) is None


def test_a_part_of_a_large_key_costs_that_part(bucket: Bucket) -> None:
    data = os.urandom(LARGE)
    bucket.put("k", data)
    for start, end in ((5_000_000, 6_000_000), (LARGE - 10, LARGE + 10), (0, 100), (9_000_000, 9_500_000)):
        assert bucket.get_range("k", start, end) == data[start:end]
    assert bucket.traffic.received == 1_500_110
    assert bucket.gives_ranges("k")
    assert bucket.get_range("k", LARGE, LARGE + 10) == b""
    assert bucket.get_range("nothing", 0, 10) is None


class Whole(BaseHTTPRequestHandler):
    """Knows nothing of ranges: whatever is asked for, it gives `DATA`."""

    DATA = bytes(range(256)) * 40_000

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.DATA)))
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(ConnectionError):  # it is not read to its end
            self.wfile.write(self.DATA)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def whole() -> Iterator[str]:
    with serving(Whole) as url:
        yield url


@pytest.mark.parametrize("span", [(0, 100), (1000, 5000), (7, 100_000_000), (10_239_000, 10_240_010)])
def test_a_server_that_ignores_ranges_is_read_past_what_is_before(
    whole: str, tmp_path: Path, span: tuple[int, int]
) -> None:
    bucket = s3_bucket(whole, "b", tmp_path)
    assert bucket.get_range("k", *span) == Whole.DATA[slice(*span)]
    assert not bucket.gives_ranges("k")
    assert bucket.get_range("k", *span) == Whole.DATA[slice(*span)]


def test_looking_gives_size_and_a_time_of_the_store(bucket: Bucket) -> None:
    bucket.put("k", b"0123456789")
    found = bucket.look("k")
    assert found is not None
    assert (found.key, found.size) == ("k", 10)
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=5)
    assert bucket.look("nothing") is None


def test_listing_goes_below_a_prefix_whatever_the_number(bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"many/{number:02}/x", b"%d" % number)
    bucket.put("manyother", b"")
    found = list(bucket.list("many/"))
    assert sorted(item.key for item in found) == [f"many/{number:02}/x" for number in range(30)]
    assert {item.size for item in found} == {1, 2}
    assert list(bucket.list("nothing/")) == []


def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(bucket: Bucket) -> None:
    bucket.put("a", b"1")
    bucket.put("b", b"2")
    bucket.delete(["a", "nothing"])
    assert bucket.get("a") is None
    assert bucket.get("b") == b"2"


def test_what_is_there_is_not_created_again_unless_the_bucket_ignores_conditions(
    bucket: Bucket, request: pytest.FixtureRequest
) -> None:
    conditional = "rclone" not in request.node.name
    assert bucket.create("once", b"first")
    assert bucket.create("once", b"second") is not conditional
    assert bucket.get("once") == (b"first" if conditional else b"second")


def test_traffic_is_counted(bucket: Bucket) -> None:
    bucket.put("k", b"0123456789")
    bucket.get("k")
    bucket.get("nothing")
    assert (bucket.traffic.requests, bucket.traffic.sent, bucket.traffic.received) == (3, 10, 10)


def test_a_bucket_that_is_not_there(moto: str, tmp_path: Path) -> None:
    bucket = s3_bucket(moto, "nowhere", tmp_path)
    for attempt in (lambda: bucket.put("k", b"1"), lambda: list(bucket.list("indexes/"))):
        with pytest.raises(RemoteUnavailable) as caught:
            attempt()
        assert caught.value.because == ("there is no such bucket",)
        assert "`url` in `drystone.toml`" in caught.value.hints[0]


def test_wrong_credentials(rclone: str, tmp_path: Path) -> None:
    bucket = s3_bucket(rclone, make_bucket(rclone), tmp_path, AWS_SECRET_ACCESS_KEY="wrong")
    with pytest.raises(RemoteUnavailable, match="remote `lab` refused") as caught:
        bucket.put("k", b"1")
    assert len(caught.value.because) == 1
    assert len(caught.value.because[0]) < 60
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.hints[0]


def test_a_folder_whose_disk_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    from drystone.objects.remote.address import Address, Surroundings, open_bucket

    folder = tmp_path / "mnt" / "lab"
    bucket = open_bucket(Address("lab", str(folder)), Surroundings({}, tmp_path, tmp_path))
    bucket.prepare()
    with pytest.raises(RemoteUnavailable, match="`lab` cannot be used") as caught:
        bucket.put("k", b"1")
    assert "not mounted" in caught.value.because[0]
    assert caught.value.hints == (f"make it with `mkdir -p {folder}` if it is to be new",)
    assert not folder.exists()
    folder.parent.mkdir()
    bucket.prepare()
    bucket.put("k", b"1")
    assert (folder / "k").read_bytes() == b"1"


def test_nothing_listens_there(tmp_path: Path) -> None:
    from tests.objects.remote.conftest import free_port

    bucket = s3_bucket(f"http://127.0.0.1:{free_port()}", "b", tmp_path)
    with pytest.raises(RemoteUnavailable) as caught:
        bucket.get("k")
    assert caught.value.because == ("nothing listens there: connection refused",)
