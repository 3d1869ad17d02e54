"""A large object whose pull was interrupted: the next pull fetches the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.objects.remote.conftest import make_bucket, s3_bucket
from tests.objects.remote.proxy import cut_after as cut_after
from tests.objects.remote.world import content, folder_of, noise, pull, push

from drystone.core.errors import RemoteUnavailable
from drystone.core.ids import digest_of
from drystone.objects import partial
from drystone.objects.entry import Entry
from drystone.objects.remote.bucket import Bucket
from drystone.objects.store import ObjectStore

MB = 1 << 20
SIZE = 40 * MB
ON_THE_WAY = 8 * MB  # two requests
DAY = 24 * 3600

KILLED = """
import os, signal, sys
from pathlib import Path
from drystone.objects.entry import Entry
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.remote.bucket import Traffic
from drystone.objects.store import ObjectStore
from tests.objects.remote.world import pull

class Deadly(Traffic):
    def note(self, **some):
        super().note(**some)
        if self.received > 24 << 20:
            os.kill(os.getpid(), signal.SIGKILL)

where, folder, tree = sys.argv[1:]
bucket = open_bucket(Address("lab", folder), Surroundings({}, Path(where), Path(where)))
bucket.traffic = Deadly()
pull(ObjectStore(Path(where)), bucket, Entry("data", "tree", tree, 0))
"""


@pytest.fixture
def root(store: ObjectStore, tmp_path: Path) -> Entry:
    return folder_of(store, tmp_path / "data", {"large": noise(SIZE)})


def left(store: ObjectStore) -> list[Path]:
    return sorted((store.root / "partial").iterdir())


def test_what_came_before_the_connection_was_cut_is_not_fetched_again(
    moto: str,
    cut_after: Callable[[int], str],
    store: ObjectStore,
    other: ObjectStore,
    root: Entry,
    tmp_path: Path,
) -> None:
    name = make_bucket(moto)
    good = s3_bucket(moto, name, tmp_path)
    push(store, good, root)
    with pytest.raises(RemoteUnavailable):
        pull(other, s3_bucket(cut_after(25 * MB), name, tmp_path), root)
    assert left(other)[0].stat().st_size > 25 * MB - ON_THE_WAY - MB
    pull(other, good, root)
    assert good.traffic.received < SIZE - 25 * MB + ON_THE_WAY + 2 * MB
    assert content(other, root) == content(store, root)
    assert left(other) == []


def test_what_came_before_a_kill_is_not_fetched_again(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, root: Entry
) -> None:
    bucket = new_bucket("folder")
    push(store, bucket, root)
    words = [sys.executable, "-c", KILLED, str(other.root), bucket.url, root.object]
    assert subprocess.run(words, cwd=Path(__file__).parents[3]).returncode == -signal.SIGKILL
    assert not other.has(root.object)  # its list comes last
    bucket.traffic.received = 0
    pull(other, bucket, root)
    assert bucket.traffic.received < SIZE - 24 * MB + 16 * MB + ON_THE_WAY  # a window was not yet written
    assert content(other, root) == content(store, root)


@pytest.mark.parametrize("at", [0, 3 * MB, 10 * MB])
def test_what_was_left_is_verified(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, root: Entry, at: int
) -> None:
    bucket = new_bucket("memory")
    push(store, bucket, root)
    data = bytearray(noise(SIZE)[: 12 * MB])
    data[at] ^= 1
    other.root.joinpath("partial").mkdir(parents=True)
    _name(other, content_id(store, root)).write_bytes(data)
    bucket.traffic.received = 0
    pull(other, bucket, root)
    assert SIZE - at <= bucket.traffic.received < SIZE - at + 2 * MB
    assert content(other, root) == content(store, root)


def test_two_at_once_do_not_write_one_file(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, root: Entry
) -> None:
    bucket = new_bucket("memory")
    push(store, bucket, root)
    other.root.mkdir(parents=True)
    with partial.opened(other.root / "partial", digest_of(content_id(store, root))) as held:
        assert held is not None
        pull(other, bucket, root)
        assert os.fstat(held.descriptor).st_size == 0
    assert left(other) == []
    assert content(other, root) == content(store, root)


def test_what_nobody_went_on_with_goes_in_time(
    new_bucket: Callable[[str], Bucket], store: ObjectStore, other: ObjectStore, root: Entry
) -> None:
    bucket = new_bucket("memory")
    push(store, bucket, root)
    folder = other.root / "partial"
    folder.mkdir(parents=True)
    for name, days in (("a", 15), ("b", 13)):
        path = folder / f"{name * 64}.part"
        path.write_bytes(b"half")
        then = path.stat().st_mtime - days * DAY
        os.utime(path, (then, then))
    pull(other, bucket, root)
    assert [path.name[0] for path in left(other)] == ["b"]


def content_id(store: ObjectStore, root: Entry) -> str:
    from drystone.objects.tree import read_tree

    (entry,) = read_tree(store, root.object)
    return entry.object


def _name(store: ObjectStore, name: str) -> Path:
    return store.root / "partial" / f"{digest_of(name).hex()}.part"


class Cut(BaseException):
    """Stands for the end of the process that pushes."""


@pytest.mark.parametrize("why", [Cut, RemoteUnavailable])
@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_a_pack_that_arrived_and_did_not_count_yet_is_not_sent_again(
    new_bucket: Callable[[str], Bucket],
    store: ObjectStore,
    other: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    why: type[BaseException],
) -> None:
    bucket = new_bucket(kind)
    files = {f"b{number}": noise(20_000, number) for number in range(20)}
    root = folder_of(store, tmp_path / "data", files)
    with monkeypatch.context() as patched:
        put = bucket.put

        def cut(key: str, data: bytes | Path) -> None:
            if key.startswith("indexes/"):
                raise why("the end")
            put(key, data)

        patched.setattr(bucket, "put", cut)
        with pytest.raises(why):
            push(store, bucket, root)
    root = folder_of(store, tmp_path / "data", {"a": noise(20_000, 99)})  # now packs would be others
    bucket.traffic.sent = 0
    push(store, bucket, root)
    assert bucket.traffic.sent < 40_000
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == content(store, root)
    requests = bucket.traffic.requests
    push(store, bucket, root)
    assert bucket.traffic.requests <= requests + 2  # nothing is asked for any more


def test_a_pack_that_did_not_arrive_whole_is_sent_anew(
    new_bucket: Callable[[str], Bucket],
    store: ObjectStore,
    other: ObjectStore,
    root: Entry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = new_bucket("memory")
    with monkeypatch.context() as patched:
        put = bucket.put

        def cut(key: str, data: bytes | Path) -> None:
            if key.startswith("packs/") and isinstance(data, Path):
                put(key, data.read_bytes()[:-1])
            raise RemoteUnavailable("the cable was cut")

        patched.setattr(bucket, "put", cut)
        with pytest.raises(RemoteUnavailable):
            push(store, bucket, root)
    push(store, bucket, root)
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == content(store, root)
