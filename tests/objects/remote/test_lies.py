"""A remote that lies: other bytes, cut and missing packs, hostile indexes. No wrong byte is kept."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from tests.objects.remote.conftest import make_bucket, s3_bucket
from tests.objects.remote.proxy import cut_after as cut_after
from tests.objects.remote.world import (
    catalogue_of,
    content,
    folder_of,
    noise,
    packs,
    pieces_of,
    place,
    pull,
    push,
)

from drystone.core.errors import RemoteUnavailable
from drystone.core.ids import digest_of, name_of
from drystone.objects.entry import Entry
from drystone.objects.pack import CHUNKS, RAW, ZSTD, Chunk, PackIndex, Place, encode_chunks, encode_index
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.checking import Checker
from drystone.objects.remote.fetching import Fetcher
from drystone.objects.remote.sending import Sender
from drystone.objects.remote.spans import pack_key
from drystone.objects.store import ObjectStore

MB = 1 << 20
FILES = {
    **{f"a/{number}": noise(3000, number) for number in range(20)},
    "b": b"text " * 900,
    "large": noise(4 * MB),
}


@pytest.fixture
def bucket(new_bucket: Callable[[str], Bucket]) -> Bucket:
    return new_bucket("folder")


@pytest.fixture
def root(store: ObjectStore, bucket: Bucket, tmp_path: Path) -> Entry:
    root = folder_of(store, tmp_path / "data", FILES)
    push(store, bucket, root)
    return root


def overwrite(bucket: Bucket, key: str, change: Callable[[bytes], bytes]) -> None:
    data = bucket.get(key)
    assert data is not None
    bucket.put(key, change(data))


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def names_here(store: ObjectStore) -> set[str]:
    for name in store:
        store.verify(name)
    return set(store)


def test_a_flipped_bit_in_any_entry_costs_that_entry_and_nothing_else(
    bucket: Bucket, store: ObjectStore, root: Entry, tmp_path: Path
) -> None:
    everything = names_here(store)
    files = [store_name for store_name in everything if store.size(store_name) < MB]
    for number, name in enumerate(sorted(files)):
        pack, offset, stored = place(store, bucket, name)
        overwrite(bucket, pack_key(pack), flip(offset + stored // 2))
        fresh = ObjectStore(tmp_path / f"fresh{number}" / "objects")
        got = pull(fresh, bucket, root)
        assert name in got.damaged
        assert name not in names_here(fresh)
        assert got.missing == frozenset()
        overwrite(bucket, pack_key(pack), flip(offset + stored // 2))


@pytest.mark.parametrize("left", [0, 16, 1000, 100_000])
def test_a_pack_that_was_cut_off_costs_what_was_in_the_rest(
    bucket: Bucket, root: Entry, other: ObjectStore, left: int
) -> None:
    largest = max(packs(bucket), key=lambda key: bucket.size(key) or 0)
    overwrite(bucket, largest, lambda data: data[:left])
    got = pull(other, bucket, root)
    assert got.damaged
    names_here(other)


def test_a_missing_pack_is_told(bucket: Bucket, root: Entry, other: ObjectStore) -> None:
    bucket.delete(packs(bucket))
    assert pull(other, bucket, root).damaged == {root.object}
    assert names_here(other) == set()


def test_a_damaged_index_counts_as_none_and_what_it_told_of_is_sent_again(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    for item in list(bucket.list("indexes/")):
        overwrite(bucket, item.key, flip(item.size // 2))
    fresh = catalogue_of(other, bucket)
    assert len(fresh.damaged) == 2
    assert pull(other, bucket, root).missing == {root.object}
    (store.root.parent / "catalogue").rename(store.root.parent / "forgotten")
    push(store, bucket, root)
    pull(other, bucket, root)
    assert content(other, root) == FILES


def test_a_damaged_index_is_made_anew_from_its_pack(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    for item in list(bucket.list("indexes/")):
        overwrite(bucket, item.key, lambda data: data[:50])
    checker = Checker(other, bucket, catalogue_of(other, bucket))
    assert len(checker.restore_indexes()) == 2
    pull(other, bucket, root)
    assert content(other, root) == FILES


def test_repair_sends_what_is_damaged_and_only_that(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    wanted = blake3(FILES["a/7"]).digest()
    pack, offset, _ = place(store, bucket, name_of(wanted))
    overwrite(bucket, pack_key(pack), flip(offset))
    large = blake3(FILES["large"]).digest()
    lists, at, _ = place(store, bucket, name_of(large))
    overwrite(bucket, pack_key(lists), flip(at + 5))
    bucket.traffic.sent = 0
    catalogue = catalogue_of(store, bucket)
    checker = Checker(store, bucket, catalogue)
    bad = checker.check([root])
    assert bad.digests == {wanted, large}
    sender = Sender(store, bucket, catalogue, pieces_of(store), anew=True)
    sender.send(bad.wanted, bad.digests)
    checker.strike(bad, sender.packs)
    assert bucket.traffic.sent < 50_000
    assert not Checker(store, bucket, catalogue_of(store, bucket)).check([root]).digests
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == FILES


def test_a_good_copy_in_another_pack_is_found(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    wanted = blake3(FILES["a/7"]).digest()
    pack, offset, _ = place(store, bucket, name_of(wanted))
    overwrite(bucket, pack_key(pack), flip(offset))
    hostile_pack(bucket, [(wanted, RAW, FILES["a/7"], len(FILES["a/7"]))])
    assert not pull(other, bucket, root).lacking


def hostile_pack(
    bucket: Bucket,
    entries: list[tuple[bytes, int, bytes, int]],
    change: Callable[[Place], Place] = lambda place: place,
) -> None:
    """A pack that another program made, and its index: entries are digest, encoding, stored bytes, size."""
    data, places = b"drystone pack 1\n", []
    for digest, encoding, stored, size in entries:
        data += struct.pack("<32sQIB3x", digest, size, len(stored), encoding)
        places.append((digest, change(Place(len(data), size, len(stored), encoding))))
        data += stored
    name = blake3(data)
    bucket.put(pack_key(name.hexdigest()), data)
    bucket.put(f"indexes/{name.hexdigest()}.index", encode_index(name.digest(), places))


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place._replace(offset=1 << 60),
        lambda place: place._replace(offset=(1 << 64) - 1),
        lambda place: place._replace(offset=0),
        lambda place: place._replace(stored=(1 << 32) - 1),
        lambda place: place._replace(stored=0),
        lambda place: place._replace(size=1 << 63),
        lambda place: place._replace(size=0),
        lambda place: place._replace(encoding=ZSTD),
        lambda place: place._replace(encoding=CHUNKS),
        lambda place: place._replace(encoding=77),
    ],
)
def test_places_that_cannot_be(bucket: Bucket, other: ObjectStore, change: Callable[[Place], Place]) -> None:
    digest = blake3(b"stone").digest()
    hostile_pack(bucket, [(digest, RAW, b"stone", 5)], change)
    got = pull(other, bucket, Entry("x", "file", name_of(digest), 5))
    assert got.lacking == {name_of(digest)}
    assert names_here(other) == set()
    assert list(other.loose.incoming.glob("*")) == []


def test_pieces_that_name_each_other_and_themselves(bucket: Bucket, other: ObjectStore) -> None:
    one, two = blake3(b"one").digest(), blake3(b"two").digest()
    hostile_pack(
        bucket,
        [
            (one, CHUNKS, encode_chunks([Chunk(two, 5)]), 5),
            (two, CHUNKS, encode_chunks([Chunk(one, 5)]), 5),
        ],
    )
    for digest in (one, two):
        assert pull(other, bucket, Entry("x", "file", name_of(digest), 5)).damaged == {name_of(digest)}
    assert names_here(other) == set()


def test_a_list_that_claims_more_than_the_lock_says_is_not_begun(bucket: Bucket, other: ObjectStore) -> None:
    piece, large = noise(MB), blake3(b"large").digest()
    chunk = Chunk(blake3(piece).digest(), MB)
    hostile_pack(
        bucket,
        [(chunk.digest, RAW, piece, MB), (large, CHUNKS, encode_chunks([chunk] * 100_000), 100_000 * MB)],
    )
    received = bucket.traffic.received
    assert pull(other, bucket, Entry("x", "file", name_of(large), 3 * MB)).damaged == {name_of(large)}
    assert bucket.traffic.received - received < MB


def test_a_frame_that_grows_without_end_is_refused(bucket: Bucket, other: ObjectStore) -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(300 * MB))
    digest = blake3(b"bomb").digest()
    for size in (300 * MB, 100):
        hostile_pack(bucket, [(digest, ZSTD, bomb, size)])
        assert pull(other, bucket, Entry("x", "file", name_of(digest), size)).lacking == {name_of(digest)}


def test_keys_that_are_no_indexes_are_passed_over(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    bucket.put("indexes/readme.txt", b"hello")
    bucket.put("indexes/deep/er.index", b"hello")
    assert not pull(other, bucket, root).lacking
    assert content(other, root) == FILES


def test_reading_a_part_is_verified_too(
    bucket: Bucket, store: ObjectStore, root: Entry, other: ObjectStore
) -> None:
    fetcher = Fetcher(other, bucket, catalogue_of(other, bucket), pieces_of(other))
    large = name_of(blake3(FILES["large"]).digest())
    for start, end in [(0, 10), (MB, MB + 70_000), (4 * MB - 5, 4 * MB + 5), (7, None)]:
        assert fetcher.read(large, start, end) == FILES["large"][start:end]
    assert fetcher.read(name_of(blake3(b"text " * 900).digest()), 3, 9) == (b"text " * 900)[3:9]
    assert fetcher.read(name_of(bytes(32))) is None
    chunks = PackIndex(bucket.get(next(item.key for item in bucket.list("indexes/"))) or b"")
    assert len(chunks)
    for key in packs(bucket):
        overwrite(bucket, key, lambda data: data[:16] + bytes(len(data) - 16))
    liar = Fetcher(other, bucket, catalogue_of(other, bucket), pieces_of(other))
    with pytest.raises(RemoteUnavailable, match="gives other bytes") as caught:
        liar.read(large, 0, 10)
    assert caught.value.hints[0].endswith("`drystone push lab --repair`")


def test_a_connection_that_is_cut_in_the_middle_costs_nothing_that_came(
    moto: str, cut_after: Callable[[int], str], store: ObjectStore, other: ObjectStore, tmp_path: Path
) -> None:
    name = make_bucket(moto)
    files = {str(number): noise(MB, number) for number in range(24)}
    root = folder_of(store, tmp_path / "data", files)
    with pytest.raises(RemoteUnavailable) as caught:
        push(store, s3_bucket(cut_after(9 * MB), name, tmp_path), root)
    assert len(caught.value.because[0]) < 60
    assert "run the same command again" in caught.value.hints[0]
    good = s3_bucket(moto, name, tmp_path)
    push(store, good, root)
    with pytest.raises(RemoteUnavailable):
        pull(other, s3_bucket(cut_after(14 * MB), name, tmp_path), root)
    came = names_here(other)
    assert len(came) >= 5
    pull(other, good, root)
    assert good.traffic.received < 24 * MB - (len(came) - 3) * MB + MB
    assert content(other, root) == files


FORBIDDEN = """
import os, sys
from pathlib import Path
from drystone.core.errors import RemoteUnavailable
from drystone.objects.entry import Entry
from drystone.objects.remote.address import Address, Surroundings, open_bucket
from drystone.objects.store import ObjectStore
from tests.objects.remote.world import content, folder_of, pull, push

where, folder, tree = sys.argv[1:]
os.chown(where, 65534, 65534) if os.geteuid() == 0 else None
os.seteuid(65534) if os.geteuid() == 0 else None  # permissions do not hold root
store = ObjectStore(Path(where, "objects"))
bucket = open_bucket(Address("lab", folder), Surroundings({}, Path(where), Path(where)))
assert not pull(store, bucket, Entry("data", "tree", tree, 0)).lacking
try:
    push(store, bucket, folder_of(store, Path(where, "more"), {"x": b"more"}))
except RemoteUnavailable as error:
    print(error.message, *error.because, *error.hints, sep="\\n")
"""


def test_a_read_only_folder_gives_and_does_not_take(bucket: Bucket, root: Entry, tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with tempfile.TemporaryDirectory() as where:
        Path(where).chmod(0o755)
        shutil.copytree(folder, Path(where, "remote"))
        home = Path(where, "home")
        home.mkdir()
        words = [sys.executable, "-c", FORBIDDEN, str(home), str(Path(where, "remote")), root.object]
        done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True, text=True)
        assert done.stdout.splitlines()[:2] == ["remote `lab` refused", "permission denied"], done.stderr
        for path in [Path(where, "remote"), *Path(where, "remote").rglob("*")]:
            path.chmod(0o755)


def test_what_is_here_is_never_asked_for(bucket: Bucket, store: ObjectStore, root: Entry) -> None:
    bucket.traffic.received = 0
    assert digest_of(root.object)
    pull(store, bucket, root)
    assert bucket.traffic.received == 0
