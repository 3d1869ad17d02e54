"""What is left when a write is stopped by SIGKILL, a full disk or missing permission."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.core.errors import WorkFailed
from drystone.objects.hashing import SMALL
from drystone.objects.inspection import inspect
from drystone.objects.intake import store_path
from drystone.objects.repair import repair
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore

STEPS = ["created", "written", "synced", "folder made", "renamed"]
KILLED = """
import os, signal, sys
from pathlib import Path
from drystone.objects.store import ObjectStore
from drystone.objects.intake import store_path

def die_at(step):
    if step == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

store_path(ObjectStore(Path(sys.argv[1]), failpoint=die_at), Path(sys.argv[2]))
"""
LIMITED = """
import resource, sys
from pathlib import Path
from drystone.core.errors import WorkFailed
from drystone.objects.store import ObjectStore
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    ObjectStore(Path(sys.argv[1])).put_file(Path(sys.argv[2]))
except WorkFailed as error:
    print(error.message)
"""
FORBIDDEN = """
import os
from pathlib import Path
from drystone.core.errors import ProjectInvalid
from drystone.objects.store import ObjectStore
os.chmod(".", 0o555)
if os.geteuid() == 0:
    os.seteuid(65534)  # permissions do not hold root
try:
    ObjectStore(Path("objects")).put_bytes(b"stone")
except ProjectInvalid as error:
    print(error.message, *error.because, sep="\\n")
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    (folder / "small").write_bytes(b"stone")
    (folder / "below" / "large").write_bytes(os.urandom(2 * SMALL))
    return folder


@pytest.mark.parametrize("step", STEPS)
def test_sigkill_at_any_step_leaves_only_whole_objects_and_a_rerun_completes(
    tmp_path: Path, source: Path, step: str
) -> None:
    root = tmp_path / ".drystone" / "objects"
    died = subprocess.run([sys.executable, "-c", KILLED, root, source, step])
    assert died.returncode == -signal.SIGKILL
    store = ObjectStore(root)
    for name in store:
        store.verify(name)
    entry = store_path(store, source)
    restore(store, entry, tmp_path / "restored")
    assert (tmp_path / "restored" / "small").read_bytes() == b"stone"
    assert (tmp_path / "restored" / "below" / "large").stat().st_size == 2 * SMALL
    assert list((root / "incoming").iterdir()) == []  # the rerun swept


def test_a_sweep_leaves_the_work_of_living_processes_alone(tmp_path: Path) -> None:
    steps: list[str] = []

    def begin_elsewhere(step: str) -> None:
        steps.append(step)
        ObjectStore(tmp_path / "objects").put_bytes(step.encode())  # a new store sweeps first

    store = ObjectStore(tmp_path / "objects", failpoint=begin_elsewhere)
    name = store.put_bytes(b"mine")
    assert steps == STEPS
    assert store.read(name) == b"mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_reported_and_costs_nothing_that_was_stored(small_disk: Path, source: Path) -> None:
    store = ObjectStore(small_disk / "objects")
    kept = store.put_bytes(b"stone")
    with pytest.raises(WorkFailed, match="cannot be written") as caught:
        store.put_file(source / "below" / "large")
    assert caught.value.because == ("no space left on device",)
    assert store.read(kept) == b"stone"
    assert list(store) == [kept]
    assert list((store.root / "incoming").iterdir()) == []


def test_a_full_disk_leaves_the_destination_of_a_copy_as_it_was(
    small_disk: Path, source: Path, tmp_path: Path
) -> None:
    store = ObjectStore(tmp_path / "objects")
    name = store.put_file(source / "below" / "large")
    (small_disk / "out").write_text("precious")
    with pytest.raises(WorkFailed, match="`out` cannot be written"):
        store.copy_to(name, small_disk / "out")
    assert [path.name for path in small_disk.iterdir()] == ["out"]
    assert (small_disk / "out").read_text() == "precious"


def test_a_copy_reaches_another_file_system(small_disk: Path, store: ObjectStore) -> None:
    store.copy_to(store.put_bytes(b"stone"), small_disk / "out")
    assert (small_disk / "out").read_bytes() == b"stone"


def test_a_limit_on_file_size_is_reported_like_a_full_disk(tmp_path: Path, source: Path) -> None:
    root = tmp_path / "objects"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, root, source / "below" / "large"], capture_output=True, text=True
    )
    assert done.stdout == "the object store cannot be written\n", done.stderr
    assert list(ObjectStore(root)) == []


def test_missing_permission_is_reported(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORBIDDEN], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "the object store cannot be written\npermission denied\n", done.stderr


PACKED_STEPS = ["pack written", "pack synced", "pack renamed", "pack indexed"]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(50):
        (folder / str(number)).write_bytes(b"stone %d" % number)
    (folder / "large").write_bytes(os.urandom(SMALL + 1))
    return folder


@pytest.mark.parametrize("step", PACKED_STEPS)
def test_sigkill_at_any_step_of_a_pack_leaves_only_whole_objects_and_a_rerun_completes(
    tmp_path: Path, many: Path, step: str
) -> None:
    root = tmp_path / ".drystone" / "objects"
    died = subprocess.run([sys.executable, "-c", KILLED, root, many, step])
    assert died.returncode == -signal.SIGKILL
    store = ObjectStore(root)
    for name in store:
        store.verify(name)
    entry = store_path(store, many)
    restore(store, entry, tmp_path / "restored")
    assert (tmp_path / "restored" / "7").read_bytes() == b"stone 7"
    assert list((root / "incoming").iterdir()) == []
    assert {fault.why for fault in inspect(store).faults} <= {"it has no index"}
    repair(store, inspect(store).faults)
    assert inspect(ObjectStore(root)).faults == []


def test_a_disk_that_fills_during_a_batch_costs_nothing_that_was_stored(
    small_disk: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / str(number)).write_bytes(os.urandom(4000))
    store = ObjectStore(small_disk / "objects")
    kept = store.put_bytes(b"stone")
    with pytest.raises(WorkFailed, match="cannot be written"):
        store_path(store, folder)
    assert ObjectStore(small_disk / "objects").read(kept) == b"stone"
    assert list(store) == [kept]
    assert list((store.root / "incoming").iterdir()) == []
    for path in sorted(folder.iterdir())[100:]:
        path.unlink()
    store_path(store, folder)  # and with less to store it goes on
    assert len(list(store)) == 102


ADDING = """
import sys
from pathlib import Path
from drystone.objects.store import ObjectStore
from drystone.objects.intake import store_path
sys.stdin.readline()
print(store_path(ObjectStore(Path(sys.argv[1])), Path(sys.argv[2])).object)
"""


def test_processes_that_add_the_same_folder_at_once_agree(tmp_path: Path, many: Path) -> None:
    root = tmp_path / "objects"
    adding = [
        subprocess.Popen(
            [sys.executable, "-c", ADDING, root, many],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in adding:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0].strip() for process in adding}
    assert len(said) == 1
    assert all(process.returncode == 0 for process in adding)
    store = ObjectStore(root)
    assert inspect(store).faults == []
    restore(store, store_path(store, many), tmp_path / "restored")
    assert (tmp_path / "restored" / "49").read_bytes() == b"stone 49"
    assert list((root / "writers").iterdir()) != []  # ours; those of the others are gone
    assert len(list((root / "writers").iterdir())) == 1


EXTREME = {
    b"line\nbreak": b"1",
    b"no \xff\xfe UTF-8": b"2",
    b"\xc3\xa4" * 127: b"3",
    b"x" * 255: b"4",
    b"Case": b"5",
    b"case": b"6",
    b"empty": b"",
    b"%0A": b"7",
    b" ": b"8",
    b"-rf": b"9",
}


def test_names_of_all_kinds_come_back(tmp_path: Path) -> None:
    folder, store = os.fsencode(tmp_path / "in"), ObjectStore(tmp_path / "objects")
    os.mkdir(folder)  # noqa: PTH102  names of bytes
    for name, content in EXTREME.items():
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(content)
    restore(store, store_path(store, tmp_path / "in"), tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    found = {}
    for name in os.listdir(out):  # noqa: PTH208
        with open(out + b"/" + name, "rb") as file:  # noqa: PTH123
            found[name] = file.read()
    assert found == EXTREME


def test_a_large_sparse_file_goes_in_and_comes_out_in_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(300 << 20)
        file.seek(100 << 20)
        file.write(b"stone")
    program = f"""
from pathlib import Path
from drystone.objects.store import ObjectStore
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
store = ObjectStore(Path({str(tmp_path / "objects")!r}))
restore(store, store_path(store, Path({str(tmp_path / "sparse")!r})), Path({str(tmp_path / "out")!r}))
(most,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(most.split()[1]) // 1024)  # getrusage would tell of the process that started this one
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200
    with (tmp_path / "out").open("rb") as file:
        assert file.seek(0, os.SEEK_END) == 300 << 20
        file.seek((100 << 20) - 1)
        assert file.read(7) == b"\0stone\0"


def test_a_folder_of_many_files_goes_in_and_comes_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(20_000):
        (folder / f"{number:06}").write_bytes(b"%d" % number)
    store = ObjectStore(tmp_path / "objects")
    entry = store_path(store, folder)
    assert store.size(entry.object) > SMALL  # its list is a file of its own
    restore(store, entry, tmp_path / "out")
    assert sum(int(path.read_bytes()) for path in (tmp_path / "out").iterdir()) == 20_000 * 19_999 // 2
