"""Push and pull between two stores over a bucket, of every kind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.objects.remote.world import content, folder_of, noise, packs, pull, push

from drystone.objects.packs import FULL
from drystone.objects.remote.bucket import Bucket
from drystone.objects.store import ObjectStore

MB = 1 << 20
FILES = {
    "empty": b"",
    "text": b"stone upon stone\n" * 500,
    "a/b/c/deep": b"deep",
    "a/same": b"stone upon stone\n" * 500,
    "noise": noise(300_000),
    "large": noise(5 * MB, 1),
    "sparse": bytes(3 * MB),
}


def test_what_was_pushed_is_pulled_whatever_it_is(
    bucket: Bucket, store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    root = folder_of(store, tmp_path / "data", FILES)
    push(store, bucket, root)
    got = pull(other, bucket, root)
    assert not got.lacking
    assert content(other, root) == FILES


def test_a_large_object_comes_once(
    bucket: Bucket, store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    size = 40 << 20  # more than two windows
    root = folder_of(store, tmp_path / "data", {"large": noise(size)})
    push(store, bucket, root)
    bucket.traffic.received = 0
    pull(other, bucket, root)
    assert bucket.traffic.received < 1.01 * size
    assert content(other, root) == content(store, root)


def test_a_second_push_and_a_second_pull_move_nothing(
    bucket: Bucket, store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    root = folder_of(store, tmp_path / "data", FILES)
    assert push(store, bucket, root).objects > len(FILES)
    pull(other, bucket, root)
    bucket.traffic.sent = bucket.traffic.requests = bucket.traffic.received = 0
    assert push(store, bucket, root) == (0, 0)
    assert pull(other, bucket, root) == (frozenset(), frozenset(), frozenset())
    assert (bucket.traffic.sent, bucket.traffic.received) == (0, 0)
    assert bucket.traffic.requests <= 4


def test_many_small_files_need_a_request_or_two_for_each_pack(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    bucket = new_bucket("moto")
    files = {f"{number % 7}/{number:05}": noise(4096, number) for number in range(2000)}
    root = folder_of(store, tmp_path / "data", files)
    push(store, bucket, root)
    assert len(packs(bucket)) == 2  # files, and the lists of folders
    assert bucket.traffic.requests <= 30
    bucket.traffic.requests = 0
    pull(other, bucket, root)
    assert bucket.traffic.requests <= 12
    assert content(other, root) == files


def test_an_insertion_in_the_middle_sends_and_fetches_what_changed(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    bucket = new_bucket("folder")
    first = noise(64 * MB)
    root = folder_of(store, tmp_path / "data", {"model": first})
    push(store, bucket, root)
    pull(other, bucket, root)
    second = first[: 31 * MB] + noise(100_000, 2) + first[31 * MB :]
    root = folder_of(store, tmp_path / "data", {"model": second})
    bucket.traffic.sent = bucket.traffic.received = 0
    push(store, bucket, root)
    assert bucket.traffic.sent < 0.04 * len(second)
    pull(other, bucket, root)
    assert bucket.traffic.received < 0.04 * len(second)
    assert content(other, root) == {"model": second}


def test_a_changed_file_in_a_folder_sends_it_and_the_lists_above_it(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, tmp_path: Path
) -> None:
    bucket = new_bucket("memory")
    files = {
        f"{folder}/{number}": noise(100, folder * 100 + number) for folder in range(9) for number in range(20)
    }
    push(store, bucket, folder_of(store, tmp_path / "data", files))
    sent = push(store, bucket, folder_of(store, tmp_path / "data", {"3/7": b"changed"}))
    assert sent.objects == 3  # the file, the list of `3`, the list above


def test_a_list_is_on_the_remote_only_when_all_it_names_is(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    """Whatever request is the last one that succeeds, whoever finds a folder finds all below it."""
    from drystone.core.errors import RemoteUnavailable

    files = {"a/small": b"1" * 50, "a/large": noise(2 * MB, 3), "b": b"2" * 50}
    root = folder_of(store, tmp_path / "data", files)
    for allowed in range(40):
        bucket = new_bucket("memory")
        put, count = bucket.put, iter(range(allowed))

        def failing(key: str, data: bytes | Path, put=put, count=count) -> None:  # type: ignore[no-untyped-def]
            if next(count, None) is None:
                raise RemoteUnavailable("the cable was cut")
            put(key, data)

        bucket.put = failing  # type: ignore[method-assign]
        try:
            push(store, bucket, root)
        except RemoteUnavailable:
            fresh = ObjectStore(tmp_path / f"fresh{allowed}" / "objects")
            got = pull(fresh, bucket, root)
            assert root.object in got.missing
            assert got.missing == got.lacking
        else:
            break
    else:
        pytest.fail("the push never succeeded")
    assert allowed >= 4
    pull(other, bucket, root)
    assert content(other, root) == files


PUSH = """
import os, signal, sys
from pathlib import Path
from drystone.objects.entry import Entry
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.store import ObjectStore
from tests.objects.remote.world import push, pull

where, folder, tree, verb, limit = sys.argv[1:]
bucket = open_bucket(Address("lab", folder), Surroundings({}, Path(where), Path(where)))
left = int(limit)

def counted(real):
    def call(key, *rest):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(key, *rest)
    return call

bucket.put, bucket.get_range = counted(bucket.put), counted(bucket.get_range)
{"push": push, "pull": pull}[verb](ObjectStore(Path(where)), bucket, Entry("data", "tree", tree, 0))
"""


def killed(store: ObjectStore, folder: Path, tree: str, verb: str, after: int) -> bool:
    """Runs a push or pull that kills itself at a request; whether it did."""
    words = [sys.executable, "-c", PUSH, str(store.root), str(folder), tree, verb, str(after)]
    done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


def test_a_push_that_was_killed_goes_on_where_it_was(
    new_bucket: Callable[[str], Bucket],
    store: ObjectStore,
    other: ObjectStore,
    tmp_path: Path,
) -> None:
    bucket = new_bucket("folder")
    root = folder_of(store, tmp_path / "data", {str(number): noise(MB, number) for number in range(150)})
    assert FULL == 64 * MB
    assert killed(store, tmp_path / "remote", root.object, "push", 3)
    before = sum(item.size for item in bucket.list("packs/"))
    assert before >= FULL
    push(store, bucket, root)
    assert bucket.traffic.sent <= 152 * MB - FULL
    ObjectStore(store.root).put_bytes(b"whoever writes next sweeps")
    assert list(store.loose.incoming.iterdir()) == []
    pull(other, bucket, root)
    assert content(other, root)["77"] == noise(MB, 77)


def test_a_pull_that_was_killed_goes_on_where_it_was(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    bucket = new_bucket("folder")
    files = {str(number): noise(3 * MB, number) for number in range(12)}
    root = folder_of(store, tmp_path / "data", files)
    push(store, bucket, root)
    assert killed(other, tmp_path / "remote", root.object, "pull", 12)
    for name in other:
        other.verify(name)
    bucket.traffic.received = 0
    pull(other, bucket, root)
    assert bucket.traffic.received < 34 * MB
    assert content(other, root) == files


@pytest.mark.parametrize("kind", ["folder", "moto", "rclone"])
def test_many_writers_at_once_lose_nothing(
    new_bucket: Callable[[str], Bucket], kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Processes push different and equal data at the same time; afterwards all of all is there."""
    bucket = new_bucket(kind)
    endpoint = "" if kind == "folder" else request.getfixturevalue(kind)
    model: dict[str, dict[str, bytes]] = {}
    stores, running = {}, []
    for writer in range(4):
        store = ObjectStore(tmp_path / f"w{writer}" / "objects")
        chosen = random.Random(writer).sample(range(60), 30)
        files = {f"{number}": noise(20_000, number) for number in chosen} | {
            "large": noise(2 * MB, writer % 2)
        }
        root = folder_of(store, tmp_path / f"data{writer}", files)
        model[root.object], stores[root.object] = files, root
        words = [sys.executable, "-c", WRITER, str(store.root), bucket.url, endpoint, root.object]
        running.append(subprocess.Popen(words, cwd=Path(__file__).parents[3], env=dict(os.environ)))
    assert [process.wait() for process in running] == [0] * 4
    fresh = ObjectStore(tmp_path / "fresh" / "objects")
    for tree, files in model.items():
        assert not pull(fresh, bucket, stores[tree]).lacking
        assert content(fresh, stores[tree]) == files


WRITER = """
import sys
from pathlib import Path
from drystone.objects.entry import Entry
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.store import ObjectStore
from tests.objects.remote.conftest import KEYS
from tests.objects.remote.world import push

where, url, endpoint, tree = sys.argv[1:]
around = Surroundings(KEYS, Path(where), Path(where))
bucket = open_bucket(Address("lab", url, endpoint=endpoint or None), around)
push(ObjectStore(Path(where)), bucket, Entry("data", "tree", tree, 0))
"""
