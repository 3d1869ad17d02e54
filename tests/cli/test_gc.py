"""`drystone gc`: nothing that anything leads to is ever taken, and what is taken can be had back."""

from __future__ import annotations

import gc as garbage
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drystone.objects.hashing import hash_bytes
from drystone.objects.store import ObjectStore

Said = Callable[..., Any]
Git = Callable[..., str]
NOW = ("--older-than", "0s")


def store_of(root: Path) -> ObjectStore:
    return ObjectStore(root / ".drystone" / "objects")


def gc(said: Said, *words: str) -> Any:
    answer = said("gc", "--json", *words)
    assert answer.code == 0, answer.out
    return json.loads(answer.out)


def age(root: Path) -> None:
    """Makes all that is stored a month old."""
    for path in (root / ".drystone" / "objects").rglob("*"):
        if path.is_file() and "writers" not in path.parts:
            then = path.stat().st_mtime_ns - 30 * 86400 * 10**9
            os.utime(path, ns=(then, then))


def track(root: Path, said: Said, name: str, contents: list[bytes]) -> None:
    (root / name).mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (root / name / str(number)).write_bytes(content)
    assert said("add", name).code == 0
    shutil.rmtree(root / ".drystone" / "operations")  # as if it had been so long ago that nobody undoes it


@pytest.fixture
def old(repository: Path, said: Said) -> Path:
    """What was tracked once, never committed, a month ago; and what is tracked."""
    track(repository, said, "data", [b"old %d" % number for number in range(40)])
    track(repository, said, "data", [b"new %d" % number for number in range(40)])
    age(repository)
    return repository


def test_what_an_undo_would_need_is_kept_as_long_as_other_garbage(old: Path, said: Said) -> None:
    (old / "data" / "0").write_bytes(b"mine")
    assert said("checkout", "--force").code == 0
    age(old)
    gc(said, "--yes")
    assert said("undo").code == 0
    assert (old / "data" / "0").read_bytes() == b"mine"


OLD = [hash_bytes(b"old %d" % number) for number in range(40)]
NEW = [hash_bytes(b"new %d" % number) for number in range(40)]


def test_first_it_is_only_told(old: Path, said: Said) -> None:
    before = sorted(store_of(old))
    found = gc(said)
    assert (found["objects"], found["done"]) == (41, False)
    assert sorted(store_of(old)) == before
    assert "do it with `drystone gc --yes`" in said("gc").err


def test_garbage_goes_to_the_trash_and_comes_back(old: Path, said: Said) -> None:
    before = sorted(store_of(old))
    assert gc(said, "--yes")["done"]
    store = store_of(old)
    assert not any(map(store.has, OLD))
    assert all(map(store.has, NEW))
    assert said("fsck").code == 0
    assert said("checkout", "--force").code == 0
    assert json.loads(said("gc", "--restore", "--json").out)["restored"] == 1
    assert sorted(store_of(old)) == before
    assert [store_of(old).read(name) for name in OLD] == [b"old %d" % number for number in range(40)]


def test_trash_is_emptied_only_when_it_is_old_too(old: Path, said: Said) -> None:
    gc(said, "--yes")
    assert gc(said, "--yes")["emptied"]["size"] == 0
    (folder,) = (old / ".drystone" / "objects" / "trash").iterdir()
    folder.rename(folder.with_name(str(int(folder.name) - 15 * 86400 * 10**9)))
    assert gc(said, "--yes")["emptied"]["size"] > 0
    assert list((old / ".drystone" / "objects" / "trash").iterdir()) == []


def test_the_young_stay_and_all_they_list(repository: Path, said: Said) -> None:
    track(repository, said, "data", [b"old %d" % number for number in range(40)])
    store = store_of(repository)
    lists = [name for name in store if store.read(name).startswith(b"# drystone tree")]
    age(repository)
    track(repository, said, "data", [b"new"] * 40)
    assert gc(said)["objects"] == 41
    (repository / "drystone.lock").unlink()
    os.utime(store.file(lists[0]))  # as if it had been stored just now
    del store  # it may be found, and all of it taken to be here
    assert gc(said)["objects"] == 0


@pytest.mark.parametrize("how", ["commit", "tag", "stash", "reflog", "staged", "worktree", "side branch"])
def test_whatever_git_still_knows_a_way_to_is_kept(old: Path, said: Said, git: Git, how: str) -> None:
    new = (old / "drystone.lock").read_text()
    track(old, said, "data", [b"old %d" % number for number in range(40)])
    age(old)
    git("add", "drystone.lock")
    if how == "stash":
        git("stash", "-q")
    elif how == "worktree":
        git("worktree", "add", "-q", str(old / "other"), "HEAD")
        shutil.copy(old / "drystone.lock", old / "other" / "drystone.lock")
        git("reset", "-q")
    elif how != "staged":
        git("commit", "-q", "-m", "kept")
        if how == "tag":
            git("tag", "kept")
        if how == "side branch":  # whose lock lost in the merge
            git("checkout", "-q", "-b", "side", "HEAD~1")
            git("commit", "-q", "--allow-empty", "-m", "other")
            git("merge", "-q", "-s", "ours", "main")
        if how in ("tag", "reflog"):
            git("reset", "-q", "--hard", "HEAD~1")
        if how == "tag":
            git("reflog", "expire", "--expire=now", "--all")
    (old / "drystone.lock").write_text(new)
    assert gc(said)["objects"] == 0
    git("worktree", "prune")
    if how == "reflog":
        git("reflog", "expire", "--expire=now", "--all")
        assert gc(said)["objects"] == 41


def test_versions_runs_and_traces_are_kept(repository: Path, said: Said) -> None:
    (repository / "steps").mkdir()
    step = repository / "steps" / "make.sh"
    for content in ("one", "two"):
        step.write_text(f"mkdir -p models/m\necho {content} > models/m/file\necho said {content}\n")
        assert said("run").code == 0
    age(repository)
    before = sorted(store_of(repository))
    gc(said, "--yes")
    gone = set(before) - set(store_of(repository))
    assert not gone
    assert said("fsck").code == 0
    assert said("log", "make").code == 0


def test_pins_keep(old: Path, said: Said) -> None:
    (old / ".drystone" / "pins").mkdir()
    (old / ".drystone" / "pins" / "mine").write_text(f"{OLD[3]} because I say so\n")
    assert gc(said)["objects"] == 40
    gc(said, "--yes")
    assert store_of(old).read(OLD[3]) == b"old 3"


def test_what_a_living_process_stored_or_found_is_kept(old: Path, said: Said) -> None:
    writer = store_of(old)
    assert writer.put_bytes(b"old 3") == OLD[3]
    fresh = writer.put_bytes(b"just now")
    gc(said, *NOW, "--yes")
    assert writer.read(OLD[3]) == b"old 3"
    assert writer.read(fresh) == b"just now"
    del writer
    garbage.collect()  # it is let go of when nothing refers to it, cycles included
    gc(said, *NOW, "--yes")
    assert not store_of(old).has(OLD[3])


def test_what_is_needed_again_comes_back_by_itself(old: Path, said: Said, git: Git) -> None:
    gc(said, "--yes")
    (old / ".drystone" / "pins").mkdir()
    (old / ".drystone" / "pins" / "mine").write_text(OLD[3])
    assert gc(said, "--yes")["brought_back"] == 1
    assert store_of(old).read(OLD[3]) == b"old 3"


def test_a_damaged_list_stops_it(old: Path, said: Said) -> None:
    store = store_of(old)
    (tree,) = [
        name for name in store if store.size(name) > 3000 and f" {NEW[0]} " in store.read(name).decode()
    ]
    home = store.file(tree)
    for pack in (old / ".drystone" / "objects" / "packs").glob("*"):
        pack.unlink()
    home.chmod(0o644)
    home.write_bytes(b"# drystone tree 1\n")
    del store
    answer = said("gc", "--yes")
    assert answer.code == 3
    assert "the directory `data` is missing or damaged" in answer.err
    assert "`drystone fsck --repair`" in answer.err


@pytest.fixture
def shared(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another project that uses the same store, and needs what this one does not."""
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "-q", "-b", "main", other], check=True)
    (other / ".drystone").mkdir()
    (other / ".drystone" / "objects").symlink_to(old / ".drystone" / "objects")
    return other


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    from sys import executable

    return subprocess.run(
        [Path(executable).parent / "drystone", "-C", folder, *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_another_project_needs_is_kept_though_it_stored_nothing(
    old: Path, shared: Path, said: Said
) -> None:
    (shared / "mine").mkdir()
    for number in range(40):
        (shared / "mine" / str(number)).write_bytes(b"old %d" % number)
    assert call(shared, "add", "mine").returncode == 0
    age(old)
    found = gc(said, *NOW, "--yes")
    assert [Path(user).name for user in found["users"]] == [old.name, shared.name]
    assert all(map(store_of(old).has, OLD))
    assert call(shared, "fsck").returncode == 0
    found = call(shared, "gc", *NOW, "--yes", "--json")
    assert found.returncode == 0
    assert all(map(store_of(old).has, NEW))


def test_what_a_project_needs_that_only_reads_is_kept(old: Path, shared: Path, said: Said, git: Git) -> None:
    git("add", "drystone.lock")
    git("commit", "-qm", "data")
    subprocess.run(["git", "pull", "-q", old, "main"], cwd=shared, check=True)
    assert call(shared, "checkout").returncode == 0
    (old / "drystone.lock").unlink()
    for command in (["rm", "-q", "--cached", "drystone.lock"], ["update-ref", "-d", "refs/heads/main"]):
        git(*command)
    git("reflog", "expire", "--expire=now", "--all")
    age(old)
    found = gc(said, *NOW, "--yes")
    assert [Path(user).name for user in found["users"]] == [old.name, shared.name]
    assert all(map(store_of(old).has, NEW))


@pytest.mark.parametrize("loose", [1, 0])
def test_what_lies_in_the_trash_is_not_to_be_made_again(old: Path, said: Said, loose: int) -> None:
    lock = (old / "drystone.lock").read_text()
    if loose:
        (old / "one").write_bytes(b"1" * 99)
        assert said("add", "one").code == 0
        lock = (old / "drystone.lock").read_text()
    (old / "drystone.lock").unlink()
    shutil.rmtree(old / ".drystone" / "operations", ignore_errors=True)
    age(old)
    gc(said, "--yes")
    (old / "drystone.lock").write_text(lock)
    for tracked in ("data/3", "one"):
        (old / tracked).unlink(missing_ok=True)
    answer = said("checkout", "one" if loose else "data")
    assert answer.code == 4
    assert "hint: bring it back from the trash with `drystone gc --restore`" in answer.err
    assert "drystone run" not in answer.err
    assert said("gc", "--restore").code == 0
    assert said("checkout").code == 0
    assert (old / "data" / "3").read_bytes() == b"new 3"


def test_a_user_that_cannot_be_read_stops_it_and_is_named(old: Path, shared: Path, said: Said) -> None:
    (shared / "mine").write_bytes(b"old 3")
    assert call(shared, "add", "mine").returncode == 0
    away = shared.rename(shared.with_name(f"{shared.name}-away"))
    answer = said("gc", *NOW, "--yes")
    assert answer.code == 3
    assert str(shared) in answer.err
    assert store_of(old).has(OLD[7])
    away.rename(shared)
    assert gc(said, *NOW)["objects"] > 0
    (shared / "drystone.lock").write_text("gone")  # whatever it names, it is read
    shutil.rmtree(shared / ".git")
    assert said("gc", *NOW).code == 3
    assert said("gc", "--forget", str(shared)).code == 0
    assert said("gc", *NOW).code == 0
    assert said("gc", "--forget", str(shared)).code == 2


def test_small_files_and_packs_are_gathered(repository: Path, said: Said) -> None:
    contents = []
    for number in range(10):
        content = [b"%d %d" % (number, other) for other in range(20)]
        contents += content
        track(repository, said, f"data{number}", content)
        track(repository, said, f"single{number}", [b"single %d" % number])
    age(repository)
    packs = repository / ".drystone" / "objects" / "packs"
    assert len(list(packs.glob("*.pack"))) == 10
    done = gc(said, "--yes")
    assert (done["rewritten"], done["packed"]) == (10, 20)
    assert len(list(packs.glob("*.pack"))) == 1
    store = store_of(repository)
    assert list(store.loose) == []
    assert [store.read(hash_bytes(content)) for content in contents] == contents
    assert said("fsck").code == 0
    assert gc(said, *NOW)["rewritten"] == 0


def test_a_file_that_somebody_was_given_stays(repository: Path, said: Said) -> None:
    for number in range(20):
        track(repository, said, f"single{number}", [b"single %d" % number])
    writer = store_of(repository)
    given = writer.file(hash_bytes(b"single 3"))
    del writer.packs
    age(repository)
    gc(said, "--yes")
    assert given.read_bytes() == b"single 3"
    assert not store_of(repository).loose.path(hash_bytes(b"single 4")).exists()


@pytest.mark.parametrize("text", ["", "14", "d", "-1d", "1y"])
def test_an_age_is_a_number_and_a_unit(repository: Path, said: Said, text: str) -> None:
    assert said("gc", f"--older-than={text}").code == 2


def test_a_remote_is_collected_first_told_then_done_and_can_be_had_back(repository: Path, said: Said) -> None:
    lab = repository.parent / "lab"
    assert said("remote", "add", "lab", str(lab)).code == 0
    for word in (b"old", b"new"):
        track(repository, said, "data", [word + b" %d" % number for number in range(40)])
        assert said("push").code == 0

    def there() -> set[str]:
        return {path.name for path in (lab / "indexes").iterdir()}

    indexes = there()
    told = gc(said, "--remote", "lab", *NOW)
    assert (told["packs"], told["done"]) == (2, False)  # the files and the lists
    assert there() == indexes
    assert gc(said, "--remote", "lab", "--yes", *NOW)["packs"] == 2
    assert len(indexes - there()) == 2
    assert gc(said, "--remote", "lab", "--restore")["restored"] == 2
    assert there() == indexes
    answer = said("gc", "--remote", "labb")
    assert (answer.code, "`lab`" in answer.err) == (4, True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    with (disk / "filler").open("wb") as file, suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    return disk / "filler"


@pytest.mark.parametrize("mixed", [False, True])
def test_on_a_full_disk_what_needs_no_space_is_done(small_disk: Path, *, mixed: bool) -> None:
    """Mixed: a pack holds something that is needed as well, which would have to be written anew."""
    root = small_disk
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    (root / "data").mkdir()
    for number in range(40):
        (root / "data" / str(number)).write_bytes(os.urandom(9000))
    assert call(root, "add", "data").returncode == 0
    if mixed:
        (root / "data" / "0").write_bytes(b"new")
    else:
        shutil.rmtree(root / "data")
        (root / "data").write_bytes(b"new")
    assert call(root, "add", "data").returncode == 0
    shutil.rmtree(root / ".drystone" / "operations")
    age(root)
    before = sum(1 for _ in store_of(root))
    filler = fill(root)
    first = call(root, "gc", *NOW, "--yes", "--json")
    if mixed:
        assert first.returncode == 1
        assert "the disk is too full to collect all of the garbage" in first.stdout + first.stderr
        assert list((root / ".drystone" / "objects" / "incoming").iterdir()) == []
        assert sum(1 for _ in store_of(root)) == before
        assert call(root, "fsck").returncode == 0
        filler.unlink()
        first = call(root, "gc", *NOW, "--yes", "--json")
    assert (first.returncode, json.loads(first.stdout)["objects"]) == (0, 2 if mixed else 41)
    again = call(root, "gc", *NOW, "--yes", "--json")
    assert json.loads(again.stdout)["emptied"]["size"] > (9000 if mixed else 360_000)
    (root / "room").write_bytes(bytes(8000))
    assert call(root, "fsck").returncode == 0
