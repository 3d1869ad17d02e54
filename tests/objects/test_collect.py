"""Collecting while others write: nothing that anybody was told is stored may be lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drystone.objects.collect import carry_out, plan
from drystone.objects.hashing import hash_bytes
from drystone.objects.inspection import inspect
from drystone.objects.intake import store_path
from drystone.objects.reach import Reach
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.objects.trash import Trash

ALL_OLD = 1 << 62

WRITER = """
import json, os, sys, shutil
from pathlib import Path
from drystone.objects.entry import Entry
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.workspace.statindex import StatIndex
root, folder, ref = map(Path, sys.argv[1:4])
folder.mkdir()
for number in range(30):
    (folder / str(number)).write_bytes(b"%d" % number)
    os.utime(folder / str(number), (1, 1))
for turn in range(int(sys.argv[4])):
    # a process of its own each time, as a command would be: what it stored it relies on until it refers to it
    store = ObjectStore(root)
    (folder / "turn").write_bytes(b"turn %d" % (turn % 3))  # mostly what was garbage a moment ago
    with StatIndex(ref.with_suffix(".sqlite")) as known:
        entry = store_path(store, folder, known=known)
    ref.with_suffix(".new").write_text(entry.object)
    ref.with_suffix(".new").rename(ref)
    del store
    restore(ObjectStore(root), entry, folder.with_name("out" + str(os.getpid())))
    if turn % 2:
        ref.unlink()  # nothing refers to it any more
ref.write_text(entry.object)
"""

COLLECTOR = """
import sys
from pathlib import Path
from drystone.objects.collect import carry_out, plan
from drystone.objects.reach import Reach
from drystone.objects.store import ObjectStore
from drystone.objects.trash import Trash
root, refs = map(Path, sys.argv[1:3])
def reached(store):
    reach = Reach(store)
    held = store.sharing.living().objects
    for name in held:
        list(reach.follow(name, "", tree=None))
    for ref in refs.glob("*.ref"):
        try:
            name = ref.read_text()
        except FileNotFoundError:
            continue
        list(reach.follow(name, "", tree=True))
    return reach, held
turn = 0
while not (refs / "over").exists():
    store, turn = ObjectStore(root), turn + 1
    before = 1 << 62
    todo = plan(store, reached(store)[0], before)
    folder = Trash(store).begin(turn)
    carry_out(store, todo, folder, before, lambda: reached(store))
    with store.sharing.alone():
        Trash(store).empty(1 << 62)  # at once: whatever is lost is lost
print(turn)
"""


def test_adding_while_garbage_is_collected_loses_nothing(tmp_path: Path) -> None:
    """Everything counts as old and the trash is emptied at once, so only the locks stand in the way."""
    root, refs = tmp_path / "objects", tmp_path / "refs"
    refs.mkdir()
    collector = subprocess.Popen(
        [sys.executable, "-c", COLLECTOR, root, refs], stdout=subprocess.PIPE, text=True
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, root, tmp_path / f"data{number}", refs / f"{number}.ref", "40"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [writer.communicate()[1] for writer in writers]
    (refs / "over").touch()
    turns = int(collector.communicate()[0])
    assert [writer.returncode for writer in writers] == [0, 0], said
    assert collector.returncode == 0
    assert turns > 3
    store = ObjectStore(root)
    assert inspect(store).faults == []
    for number in range(2):
        reach = Reach(store)
        names = [name for name, _ in reach.follow((refs / f"{number}.ref").read_text(), "", tree=True)]
        assert len(names) == 32
        for name in names:
            store.verify(name)


def garbage(store: ObjectStore, keep: set[str], trash: str = "1") -> None:
    def reached() -> Reach:
        reach = Reach(store)
        for name in keep:
            list(reach.follow(name, "", tree=None))
        return reach

    todo = plan(store, reached(), ALL_OLD)
    carry_out(store, todo, Trash(store).begin(int(trash)), ALL_OLD, lambda: (reached(), frozenset()))


def test_no_list_stays_whose_files_go(store: ObjectStore, tmp_path: Path) -> None:
    """A list in a pack that is mostly needed, of a large file that nobody needs."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "large").write_bytes(bytes(2 << 20))
    with store.batch() as batch:
        for number in range(100):
            batch.put(b"needed %d" % number * 100)
    entry = store_path(store, folder)
    keep = {hash_bytes(b"needed %d" % number * 100) for number in range(100)}
    fresh = ObjectStore(store.root)
    garbage(fresh, keep)
    assert fresh.has(entry.object) == fresh.has(hash_bytes(bytes(2 << 20)))
    assert all(map(fresh.has, keep))


def test_what_becomes_needed_while_it_is_carried_out_stays_with_all_it_lists(
    store: ObjectStore, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(40):
        (folder / str(number)).write_bytes(b"%d" % number)
    (folder / "large").write_bytes(bytes(2 << 20))
    entry = store_path(store, folder)
    fresh = ObjectStore(store.root)
    todo = plan(fresh, Reach(fresh), ALL_OLD)
    assert todo.objects == 42
    late = Reach(fresh)
    list(
        late.follow(hash_bytes(b"7"), "", tree=None)
    )  # one file of the pack, not the list that lies beside it
    carry_out(fresh, todo, Trash(fresh).begin(1), ALL_OLD, lambda: (late, frozenset()))
    assert fresh.read(hash_bytes(b"7")) == b"7"
    if fresh.has(entry.object):
        restore(fresh, entry, tmp_path / "out")


def test_a_damaged_pack_is_left_to_a_check(store: ObjectStore) -> None:
    with store.batch() as batch:
        for number in range(40):
            batch.put(b"stone %d" % number)
    (pack,) = store.packs
    data = bytearray(pack.path.read_bytes())
    data[-1] ^= 1
    pack.path.chmod(0o644)
    pack.path.write_bytes(data)
    fresh = ObjectStore(store.root)
    keep = {hash_bytes(b"stone %d" % number) for number in range(10)}
    garbage(fresh, keep)
    assert pack.path.exists()
    assert all(map(fresh.has, keep))


@pytest.mark.parametrize("wanted", [True, False])
def test_trash_comes_back(store: ObjectStore, wanted: bool) -> None:
    with store.batch() as batch:
        for number in range(40):
            batch.put(b"stone %d" % number)
    large = store.put_bytes(bytes(2 << 20))
    fresh = ObjectStore(store.root)
    garbage(fresh, set())
    assert list(ObjectStore(store.root)) == []
    assert Trash(fresh).content().files == 2
    with fresh.sharing.alone():
        Trash(fresh).bring_back({bytes.fromhex(large.removeprefix("b3:"))} if wanted else None)
    assert len(list(ObjectStore(store.root))) == (1 if wanted else 41)
    assert inspect(ObjectStore(store.root)).faults == []


def test_writing_anew_takes_little_memory(tmp_path: Path) -> None:
    program = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.objects.test_collect import ALL_OLD, garbage
from drystone.objects.store import ObjectStore
root = Path({str(tmp_path / "objects")!r})
store, keep = ObjectStore(root), set()
with store.batch() as batch:
    for number in range(20_000):
        digest = batch.put(number.to_bytes(8, "big") * 500)
        if number % 2:
            keep.add("b3:" + digest.hex())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
del store
garbage(ObjectStore(root), keep)
assert sum(1 for _ in ObjectStore(root)) == 10_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100
