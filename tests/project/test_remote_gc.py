"""Collecting on a remote never takes what a registered copy needs, whoever pushes meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.project.conftest import Copy

from drystone.core.errors import Conflict, Corrupt, ProjectInvalid, UsageError
from drystone.core.ids import digest_of
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger
from drystone.objects.remote.spans import pack_key
from drystone.project import remote_gc
from drystone.project.project import Project
from drystone.project.remotes import Remote

NEW = {"kept": b"kept " * 50, "large": os.urandom(3 << 20)}
OLD = {"gone": b"gone " * 50, "large": os.urandom(3 << 20)}


def age(remote: Path, days: float) -> None:
    """Make everything on the remote older."""
    for path in remote.rglob("*"):
        if path.is_file():
            status = path.stat()
            os.utime(path, (status.st_atime - days * 86400, status.st_mtime - days * 86400))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def ada(copy: Callable[[str], Copy], folder: Path) -> Copy:
    """Has pushed OLD, which nothing names any more, and NEW; 20 days ago."""
    ada = copy("ada")
    ada.track("data", OLD)
    ada.remote().push()
    ada.track("data", NEW)
    ada.remote().push()
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    age(folder, 20)
    return ada


def indexes(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "indexes").iterdir()}


def pulled(copy: Callable[[str], Copy], name: str) -> Copy:
    bob = copy(name)
    assert bob.remote().pull().missing == {}
    return bob


def test_first_it_is_only_told(ada: Copy, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = remote_gc.collect(ada.remote())
    assert (told.done, told.packs, told.emptied) == (False, 2, 0)
    assert told.size > 3 << 20
    assert told.clones == (ada.project.ledger.clone,)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_nobody_needs_goes_to_the_trash_and_after_another_while_for_good(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    packs = set((folder / "packs").rglob("*.pack"))
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 2
    assert len(indexes(folder)) == 2
    assert set((folder / "packs").rglob("*.pack")) == packs
    assert remote_gc.collect(ada.remote(), dry_run=False).emptied == 0
    age(folder, 20)
    assert remote_gc.collect(ada.remote(), dry_run=False).emptied == 2
    assert len(set((folder / "packs").rglob("*.pack"))) == 2
    assert list((folder / "trash").iterdir()) == []
    assert (pulled(copy, "bob").root / "drystone.lock").exists()


def side_branch(ada: Copy, copy: Callable[[str], Copy]) -> Copy:
    """Bob has pulled a branch of Ada's, who then gave it up; nothing that Ada knows leads to its data."""
    ada.git("checkout", "-qb", "side")
    ada.track("data", OLD)
    ada.commit("side")
    ada.remote().push()
    ada.git("push", "-q", "origin", "side")
    bob = copy("bob")
    bob.git("checkout", "-q", "side")
    assert bob.remote().pull().missing == {}
    ada.git("checkout", "-q", "main")
    ada.git("branch", "-qD", "side")
    ada.git("update-ref", "-d", "refs/remotes/origin/side")
    ada.git("reflog", "expire", "--expire=now", "--all")
    ada.remote().push()
    return bob


def has_all_there(one: Copy) -> bool:
    """Whether a copy that has lost all that it stored gets it back."""
    one.project.close()
    shutil.rmtree(one.root / ".drystone")
    afresh = Project(one.root, one.project.settings, one.project.clock)
    try:
        return not Remote(afresh).pull().missing
    finally:
        afresh.close()


@pytest.mark.parametrize("collector", ["ada", "bob"])
def test_what_a_copy_that_only_pulls_has_checked_out_stays(
    ada: Copy, folder: Path, copy: Callable[[str], Copy], collector: str
) -> None:
    bob = side_branch(ada, copy)
    age(folder, 20)
    who = {"ada": ada, "bob": bob}[collector]
    for _ in range(2):
        remote_gc.collect(who.remote(), grace=timedelta(0), dry_run=False)
    assert has_all_there(bob)


@pytest.fixture
def twin(ada: Copy, copy: Callable[[str], Copy]) -> Iterator[Copy]:
    """Made of Ada's by `cp -a`; has pushed a branch of its own, with data that nobody else has."""
    ada.project.close()
    root = ada.root.with_name("twin")
    subprocess.run(["cp", "-a", ada.root, root], check=True)
    twin = Copy(Project(root, ada.project.settings, ada.project.clock))
    twin.git("checkout", "-qb", "exp")
    twin.track("data", {"experiment": b"exp " * 50})
    twin.commit("exp")
    twin.remote().push()
    yield twin
    twin.project.close()


def test_a_copy_of_a_clone_counts_beside_it(ada: Copy, twin: Copy, folder: Path) -> None:
    ada.remote().push()
    age(folder, 20)
    for _ in range(2):
        remote_gc.collect(ada.remote(), grace=timedelta(0), dry_run=False)
    assert len(list((folder / "clones").iterdir())) == 2
    assert has_all_there(twin)


def test_what_another_place_said_under_the_same_id_stays(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    """As of two containers made of one image: path and inode are the same."""
    bob = copy("bob")
    bob.track("data", {"experiment": b"exp " * 50})
    bob.commit("exp")
    bob.remote().push()
    registered, elsewhere = (folder / "clones" / f"{one.project.ledger.clone}.json" for one in (ada, bob))
    elsewhere.rename(registered)
    age(folder, 20)
    assert remote_gc.collect(ada.remote()).packs == 2
    for _ in range(2):
        done = remote_gc.collect(ada.remote(), grace=timedelta(0), dry_run=False)
    assert len(done.clones) == 2
    assert registered.stem != ada.project.ledger.clone
    assert has_all_there(bob)


def test_a_clone_that_is_reached_in_two_ways_keeps_its_ids(ada: Copy) -> None:
    first = ada.project.ledger.clone
    moved = ada.root.with_name("moved")
    ada.root.rename(moved)
    there = Ledger.open(Layout(moved))
    second = there.clone
    assert second != first
    assert there.clone == second
    moved.rename(ada.root)
    assert ada.project.ledger.clone == first


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_copy_that_collects_counts_though_it_never_registered(
    ada: Copy, folder: Path, copy: Callable[[str], Copy], *, dry_run: bool
) -> None:
    bob = side_branch(ada, copy)
    (folder / "clones" / f"{bob.project.ledger.clone}.json").unlink()
    age(folder, 20)
    done = remote_gc.collect(bob.remote(), dry_run=dry_run)
    assert done.packs == 0
    assert set(done.clones) == {ada.project.ledger.clone, bob.project.ledger.clone}
    assert not done.alone


def test_registrations_that_are_lost_cost_the_copy_that_collects_nothing(ada: Copy, folder: Path) -> None:
    shutil.rmtree(folder / "clones")
    told = remote_gc.collect(ada.remote())
    assert (told.packs, told.alone) == (2, True)
    done = remote_gc.collect(ada.remote(), dry_run=False)
    assert (done.packs, done.alone) == (2, True)
    assert (folder / "clones" / f"{ada.project.ledger.clone}.json").exists()
    assert has_all_there(ada)


def test_a_pull_from_where_nothing_may_be_written_says_nothing(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    shutil.rmtree(folder / "clones")
    (folder / "clones").write_text("no folder, so nothing can be written in it")
    pulled(copy, "bob")
    assert (folder / "clones").is_file()


def test_a_pull_that_has_nothing_new_to_say_writes_nothing(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    bob = pulled(copy, "bob")
    said = folder / "clones" / f"{bob.project.ledger.clone}.json"
    before = said.stat()
    bob.remote().pull()
    assert (said.stat().st_ino, said.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "verb",
    [
        lambda remote: remote_gc.collect(remote, dry_run=False),
        remote_gc.collect,
        remote_gc.restore,
        lambda remote: remote_gc.forget(remote, "f"),
    ],
)
def test_a_remote_in_a_newer_format_is_not_touched(
    ada: Copy, folder: Path, verb: Callable[[Remote], object]
) -> None:
    (folder / "drystone.json").write_text('{"format": 2}')
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ProjectInvalid, match="is in format 2, known here is 1"):
        verb(ada.remote())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_is_young_stays(ada: Copy, folder: Path) -> None:
    age(folder, -10)
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 0
    assert remote_gc.collect(ada.remote(), grace=timedelta(days=5), dry_run=False).packs == 2


def test_the_trash_can_be_brought_back(ada: Copy, folder: Path) -> None:
    before = indexes(folder)
    remote_gc.collect(ada.remote(), dry_run=False)
    assert remote_gc.restore(ada.remote()) == 2
    assert indexes(folder) == before


def test_what_another_copy_needs_stays_until_that_copy_is_forgotten(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    bob = copy("bob")
    bob.track("data", OLD)
    bob.commit("bob's own")
    bob.remote().push()
    age(folder, 20)
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 0
    with pytest.raises(UsageError):
        remote_gc.forget(ada.remote(), "")
    remote_gc.forget(ada.remote(), bob.project.ledger.clone[:20])
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 2


def test_a_directory_that_another_copy_takes_for_a_file_counts_as_a_directory(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    now = ada.project.lock().paths["data"].object
    said = {"clone": "f" * 32, "files": [now], "trees": [], "time": 1, "format": 1}
    (folder / "clones" / f"{'f' * 32}.json").write_text(json.dumps(said))
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 2
    pulled(copy, "bob")


@pytest.mark.parametrize(
    "said", [b"", b"{}", b'{"clone": 7}', b'{"clone":"x","files":["../x"],"trees":[],"time":1}']
)
def test_nothing_is_collected_where_a_registration_cannot_be_read(
    ada: Copy, folder: Path, said: bytes
) -> None:
    (folder / "clones" / f"{'f' * 32}.json").write_bytes(said)
    before = indexes(folder)
    with pytest.raises(Corrupt, match="needs on remote `lab` cannot be understood"):
        remote_gc.collect(ada.remote(), dry_run=False)
    assert indexes(folder) == before
    assert not list((folder / "lease").rglob("*.*"))


def test_nothing_is_collected_where_a_directory_that_is_needed_is_damaged(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    bob = copy("bob")
    remote = bob.remote()
    remote.catalogue.refresh()
    held = remote.catalogue.find(digest_of(bob.project.lock().paths["data"].object))
    assert held is not None
    pack = folder / pack_key(held.pack)
    data = bytearray(pack.read_bytes())
    data[held.place.offset + held.place.stored - 1] ^= 1
    pack.write_bytes(data)
    before = indexes(folder)
    with pytest.raises(Corrupt, match="directories that are needed are damaged"):
        remote_gc.collect(bob.remote(), dry_run=False)
    assert indexes(folder) == before


def test_a_push_that_relies_on_what_goes_away_meanwhile_loses_nothing(
    ada: Copy, folder: Path, copy: Callable[[str], Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector has looked; a push finds the old objects there and ends; they are taken away."""
    bob = copy("bob")
    bob.track("data", OLD)
    bob.commit("back to the old one")
    planned = remote_gc._planned

    def push_first(remote: Remote, *rest: object) -> object:
        plan = planned(remote, *rest)  # type: ignore[arg-type]
        assert bob.remote().push().stored == 0
        return plan

    monkeypatch.setattr(remote_gc, "_planned", push_first)
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 2
    monkeypatch.undo()
    bob.git("push", "-qf", "origin", "main")
    eve = pulled(copy, "eve")
    assert eve.remote().pull().damaged == {}


def test_a_push_that_sees_packs_go_sends_what_it_needs_anew(
    ada: Copy, folder: Path, copy: Callable[[str], Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector that was killed after it took packs away has not read the registrations again."""
    bob = copy("bob")
    bob.track("data", OLD)
    bob.commit("back to the old one")
    lacking = Remote._lacking
    collected = []

    def collect_after(remote: Remote, *, thorough: bool = False) -> object:
        found = lacking(remote, thorough=thorough)
        if not collected:
            collected.append(1)
            for index in (folder / "indexes").iterdir():
                (folder / "trash").mkdir(exist_ok=True)
                index.rename(folder / "trash" / index.name)
        return found

    monkeypatch.setattr(Remote, "_lacking", collect_after)
    assert bob.remote().push().stored > 3 << 20
    bob.git("push", "-qf", "origin", "main")
    pulled(copy, "eve")


def test_what_is_needed_again_comes_back_from_the_trash(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    remote_gc.collect(ada.remote(), dry_run=False)
    bob = copy("bob")
    bob.track("data", OLD)
    bob.commit("back to the old one")
    (folder / "indexes").rename(folder / "hidden")
    (folder / "trash").rename(folder / "indexes")
    bob.remote().push()  # believes that the old packs are there
    (folder / "indexes").rename(folder / "trash")
    (folder / "hidden").rename(folder / "indexes")
    age(folder, 20)
    done = remote_gc.collect(ada.remote(), dry_run=False)
    assert (done.brought_back, done.emptied) == (2, 0)
    bob.git("push", "-qf", "origin", "main")
    pulled(copy, "eve")


def test_two_do_not_collect_at_once(ada: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = remote_gc._planned

    def another(remote: Remote, *rest: object) -> object:
        with pytest.raises(Conflict, match="`gc` is being done on remote `lab` already") as caught:
            remote_gc.collect(ada.remote())
        assert caught.value.because[0].startswith("by ada at ")
        return planned(remote, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(remote_gc, "_planned", another)
    assert remote_gc.collect(ada.remote(), dry_run=False).packs == 2
    assert not list((folder / "lease").rglob("*.*"))


def test_the_lease_of_a_killed_collector_runs_out_by_the_stores_clock(ada: Copy, folder: Path) -> None:
    left = folder / "lease" / "gc" / "0123"
    left.parent.mkdir(parents=True)
    left.write_text("somebody who died")
    with pytest.raises(Conflict):
        remote_gc.collect(ada.remote())
    age(folder, 1 / 24)
    assert remote_gc.collect(ada.remote()).packs == 2
    assert not left.exists()


def test_packs_that_are_garbage_by_half_are_rewritten_if_asked(
    ada: Copy, folder: Path, copy: Callable[[str], Copy]
) -> None:
    ada.track("data", {**NEW, "more": b"more" * 90, "half": os.urandom(900_000)})
    ada.remote().push()
    ada.track("data", {**NEW, "more": b"more" * 90})
    ada.remote().push()
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    age(folder, 20)
    assert remote_gc.collect(ada.remote(), dry_run=False).rewritten == 0
    told = remote_gc.collect(ada.remote(), rewrite=True)
    assert (told.rewritten, told.sparse) == (1, 0)
    before = sum(path.stat().st_size for path in (folder / "packs").rglob("*.pack"))
    assert remote_gc.collect(ada.remote(), rewrite=True, dry_run=False).rewritten == 1
    age(folder, 20)
    remote_gc.collect(ada.remote(), dry_run=False)
    after = sum(path.stat().st_size for path in (folder / "packs").rglob("*.pack"))
    assert before - after > 800_000
    bob = pulled(copy, "bob")
    assert bob.project.store.has(ada.project.lock().paths["data"].object)
