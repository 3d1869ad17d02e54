"""Any read equals the bytes and costs little more than it needs; who lies is never believed."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.core.errors import Corrupt, DrystoneError, NotFound, RemoteUnavailable, UsageError
from drystone.core.ids import digest_of
from drystone.objects.hashing import hash_bytes
from drystone.objects.remote.address import Address
from drystone.project import Project, Settings
from drystone.project.lazyfile import LazyFile, buffered, opened
from drystone.project.remotes import Remote
from drystone.project.sharedfile import SharedFile
from drystone.project.sources import Sources
from drystone.workspace.lockfile import Lock, LockedPath, write

SIZE = 5_000_000
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class World:
    """A project that pushed one large object to remotes, and another that has nothing of it."""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.folder, self.data = folder, data
        self.maker = self.project("maker")
        self.name = self.maker.store.put_bytes(data)
        write(self.maker.layout.lock, Lock({"data/x": LockedPath(self.name, "file", len(data))}))

    def project(self, name: str) -> Project:
        root = self.folder / name
        if not root.is_dir():
            subprocess.run(["git", "init", "--quiet", root], check=True)
        return Project(root, Settings.of({"HOME": str(self.folder)}))

    def push(self, remote: str) -> Address:
        address = Address(remote, str(self.folder / remote))
        Remote(self.maker, address).push()
        return address

    def sources(self, *addresses: Address, at: str = "reader") -> Sources:
        return Sources(self.project(at), lambda: addresses)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"), random.Random(1).randbytes(SIZE))
    made.push("lab")
    yield made
    made.maker.close()


@pytest.fixture(scope="module")
def lab(world: World) -> Address:
    return Address("lab", str(world.folder / "lab"))


def _flip(path: Path, at: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x55]))


@pytest.mark.parametrize("at", ["maker", "reader"])  # from the local store, and from the remote
def test_any_read_equals_the_bytes(world: World, lab: Address, at: str) -> None:
    file = LazyFile(world.sources(lab, at=at), world.name, "x")

    @given(st.lists(st.tuples(st.integers(0, SIZE + 10), st.integers(0, 700_000)), max_size=6))
    def holds(reads: list[tuple[int, int]]) -> None:
        for offset, length in reads:
            assert file.seek(offset) == offset
            assert file.read(length) == world.data[offset : offset + length]
            assert file.tell() == offset + len(world.data[offset : offset + length])

    holds()
    file.seek(-7, os.SEEK_END)
    assert file.read() == world.data[-7:]
    file.seek(0)
    assert file.readall() == world.data


def test_a_megabyte_of_two_hundred_costs_less_than_five(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(200_000_000)
    world = World(tmp_path, data)
    sources = world.sources(world.push("lab"))
    file = opened(LazyFile(sources, world.name, "x"), "rb")
    file.seek(123_456_789)
    assert file.read(1_000_000) == data[123_456_789:][:1_000_000]
    (traffic,) = sources.traffic
    assert traffic.received < 5_000_000
    assert not world.project("reader").store.has(world.name)


def test_whoever_reads_to_the_end_asks_seldom(world: World, lab: Address) -> None:
    sources = world.sources(lab)
    with opened(LazyFile(sources, world.name, "x"), "rb") as file:
        assert b"".join(iter(lambda: file.read(10_000), b"")) == world.data
    (traffic,) = sources.traffic
    assert traffic.requests < 12
    assert traffic.received < 1.1 * SIZE


def test_text_is_read_line_by_line(world: World) -> None:
    store = world.maker.store
    lines = [f"line {number} é\n" for number in range(100_000)]
    name = store.put_bytes("".join(lines).encode())
    with opened(LazyFile(world.sources(at="maker"), name, "x"), "r") as file:
        assert list(file) == lines
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with pytest.raises(UsageError, match="cannot be opened with mode `wb`"):
        opened(LazyFile(world.sources(at="maker"), name, "x"), "wb")


def test_an_empty_object_is_an_empty_file(world: World) -> None:
    name = world.maker.store.put_bytes(b"")
    assert opened(LazyFile(world.sources(at="maker"), name, "x"), "rb").read() == b""


def test_a_remote_that_lies_is_not_believed(world: World, lab: Address) -> None:
    """One byte of any file of the remote is wrong: what is read is right, or an error."""
    files = [path for path in sorted((world.folder / "lab").rglob("*")) if path.is_file()]
    files = [path for path in files if path.parent.name == "indexes" or path.suffix == ".pack"]
    counter = iter(range(1_000_000))

    @SETTINGS
    @given(
        st.sampled_from(files),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, SIZE),
        st.integers(1, 90_000),
    )
    def holds(path: Path, where: float, offset: int, length: int) -> None:
        at = int(where * path.stat().st_size)
        _flip(path, at)
        try:
            # a reader that has never seen the remote
            file = LazyFile(world.sources(lab, at=f"new{next(counter)}"), world.name, "x")
            file.seek(offset)
            assert file.read(length) == world.data[offset : offset + length]
        except DrystoneError:
            pass
        finally:
            _flip(path, at)

    holds()


def test_the_list_of_another_object_is_not_believed(tmp_path: Path) -> None:
    """Two packs that hold only a list of equal length each, one given for the other."""
    first = World(tmp_path, random.Random(3).randbytes(SIZE))
    address = first.push("lab")
    catalogue = Remote(first.maker, address).catalogue
    other = hash_bytes(first.data[::-1])
    catalogue.refresh()
    held = catalogue.find(digest_of(first.name))
    assert held is not None
    pack = tmp_path / "lab" / "packs" / held.pack[:2] / f"{held.pack}.pack"
    data = bytearray(pack.read_bytes())
    start = held.place.offset - 48
    data[start : start + 32] = digest_of(other)  # as it stands before the other's list
    pack.chmod(0o644)
    pack.write_bytes(data)
    with pytest.raises(RemoteUnavailable, match="cannot be fetched") as raised:
        LazyFile(first.sources(address), first.name, "x")
    assert "gives other bytes" in raised.value.because[0]


def test_what_one_remote_cannot_give_another_can(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(4).randbytes(SIZE))
    bad, good = world.push("bad"), world.push("good")
    for pack in (tmp_path / "bad").rglob("*.pack"):
        for at in range(100, pack.stat().st_size, 50_000):
            _flip(pack, at)
    gone = Address("gone", str(tmp_path / "gone"))
    file = LazyFile(world.sources(gone, bad, good), world.name, "x")
    assert file.readall() == world.data
    with pytest.raises(RemoteUnavailable) as raised:
        LazyFile(world.sources(gone, bad), world.name, "x").readall()
    assert raised.value.exit == 6
    assert not (tmp_path / "gone").exists()


def test_damage_here_is_found_when_it_is_read_and_fetched_instead(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(5).randbytes(SIZE))
    lab = world.push("lab")
    store = world.maker.store
    file = LazyFile(world.sources(lab, at="maker"), world.name, "x")
    assert file.read(10) == world.data[:10]
    _flip(store.loose.path(world.name), SIZE - 100)  # after it was opened
    file.seek(SIZE - 200)
    assert file.read() == world.data[-200:]
    assert not store.has(world.name)
    assert list(store.quarantine.folder.iterdir())
    with pytest.raises(NotFound, match="no remote is configured"):
        LazyFile(world.sources(at="maker"), world.name, "x")


def test_damage_here_that_nobody_mends_is_an_error(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(6).randbytes(SIZE))
    _flip(world.maker.store.loose.path(world.name), 17)
    with pytest.raises(Corrupt):
        LazyFile(world.sources(at="maker"), world.name, "x").readall()


def test_a_damaged_list_of_pieces_costs_time_only(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(8).randbytes(SIZE))
    LazyFile(world.sources(at="maker"), world.name, "x").readall()
    (remembered,) = (world.maker.layout.state / "pieces").iterdir()
    for at in (0, 33):  # a digest, a size
        _flip(remembered, at)
        assert LazyFile(world.sources(at="maker"), world.name, "x").readall() == world.data
    assert world.maker.store.has(world.name)


def test_a_file_of_another_size_than_the_lock_says_is_refused(world: World, lab: Address) -> None:
    with pytest.raises(RemoteUnavailable):
        LazyFile(world.sources(lab), world.name, "x", SIZE + 1)


# one file, many threads


@pytest.fixture
def shared(world: World) -> Iterator[SharedFile]:
    sources = world.sources(Address("lab", str(world.folder / "lab")))
    with SharedFile(buffered(LazyFile(sources, world.name, "data/x", SIZE))) as file:
        yield file


def test_what_a_thread_sought_it_reads(world: World, shared: SharedFile) -> None:
    with ThreadPoolExecutor(1) as other:
        shared.seek(1000)
        assert other.submit(lambda: (shared.seek(7), shared.read(3))).result()[1] == world.data[7:10]
        assert shared.tell() == 1000
        assert shared.read(5) == world.data[1000:1005]
        assert shared.read(5) == world.data[1005:1010]
        shared.seek(50)
        assert other.submit(shared.read, 5).result() == world.data[50:55]  # handed on, as with any file
        assert shared.read(5) == world.data[55:60]
        shared.seek(-10, os.SEEK_END)
        shared.seek(-10, os.SEEK_CUR)
        assert shared.tell() == SIZE - 20
        assert shared.read() == world.data[-20:]
        with pytest.raises(ValueError):
            shared.seek(-1)


def test_threads_that_seek_and_read_at_once(world: World, shared: SharedFile) -> None:
    def read(seed: int) -> bool:
        dice = random.Random(seed)
        for _ in range(300):
            start, size = dice.randrange(SIZE), dice.randrange(5000)
            shared.seek(start)
            if shared.read(size) != world.data[start : start + size]:
                return False
        return True

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(read, range(8)))
    finally:
        sys.setswitchinterval(before)


def test_shared_files_have_lines_and_text(world: World) -> None:
    text = "".join(f"line {number}\n" for number in range(1000)).encode()
    name = world.maker.store.put_bytes(text)
    sources = Sources(world.maker, tuple)
    with SharedFile(buffered(LazyFile(sources, name, "text"))) as file:
        assert file.readline() == b"line 0\n"
        assert b"".join(file) == text[len(b"line 0\n") :]
        file.seek(0)
        buffer = bytearray(6)
        assert (file.readinto(buffer), bytes(buffer)) == (6, b"line 0")
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    with io.TextIOWrapper(SharedFile(buffered(LazyFile(sources, name, "text"))), encoding="ascii") as lines:
        assert lines.read() == text.decode()
