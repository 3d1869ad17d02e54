"""Push and pull of whole projects."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.project.conftest import Copy

from drystone.core.errors import Corrupt, NotFound, ProjectInvalid
from drystone.ledger import facts, names
from drystone.ledger.ledger import Ledger
from drystone.objects.entry import Entry
from drystone.objects.intake import identify_path, store_path
from drystone.objects.remote.sending import Sender, Wanted
from drystone.objects.restore import restore
from drystone.objects.tree import read_tree
from drystone.project import configuration, remote_gc
from drystone.project.clones import registered
from drystone.project.remotes import Remote
from drystone.registry.versions import register

FILES = {"a": b"one\n" * 100, "below/b": b"two", "below/empty": b""}
RUN = "0" * 31 + "1"


def everything(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    tables = ("run", "param", "conflict", "latest", "tag", "edge", "version", "evidence", "trace")
    return {table: sorted(ledger.query(f"SELECT * FROM {table}"), key=repr) for table in tables}


def test_what_one_copy_tracks_and_records_another_one_has(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    ada.project.ledger.record(facts.RunStarted(RUN, "script", "train", 1), facts.Params(RUN, {"depth": 3}))
    ada.commit()
    pushed = ada.remote().push()
    assert pushed.objects == 5
    assert pushed.journals > 0
    ada.git("push", "-q", "origin", "main")
    bob = copy("bob")
    pulled = bob.remote().pull()
    assert (pulled.objects, pulled.journals, pulled.missing, pulled.damaged) == (5, 1, {}, {})
    assert everything(bob.project.ledger) == everything(ada.project.ledger)
    assert bob.remote().pull().objects == 0
    assert ada.remote().push()[1:4] == (0, 0, 0)


def test_an_object_that_only_an_old_run_named_does_not_stop_a_push(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    half = ada.project.store.put_bytes(b"# drystone tree 1\nfile b3:" + b"0" * 64 + b" 3 x\n")
    ada.project.ledger.record(
        facts.RunStarted(RUN, "script", "train", 1), facts.Edge(RUN, "write", "out", half, tree=True)
    )
    assert ada.remote().push().objects == 5


def test_content_that_is_nowhere_is_named_and_all_else_is_sent(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    ada.track("more", {"x": b"precious" * 10, "y": b"kept"})
    lost = next(name for name in ada.project.store if ada.project.store.read(name) == b"precious" * 10)
    ada.project.store.loose.path(lost).unlink()
    with pytest.raises(NotFound, match="1 tracked contents are neither here nor on remote `lab`") as caught:
        ada.remote().push()
    assert caught.value.at == ("more/x",)
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    bob = copy("bob")
    pulled = bob.remote().pull()
    assert pulled.objects == 5
    assert list(pulled.missing.values()) == ["more"]


def test_a_damaged_object_is_not_sent_and_what_is_whole_is(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    bad = next(name for name in ada.project.store if ada.project.store.read(name) == b"two")
    path = ada.project.store.loose.path(bad)
    path.chmod(0o644)
    path.write_bytes(b"owt")
    with pytest.raises(Corrupt):
        ada.remote().push()
    remote = ada.remote()
    remote.catalogue.refresh()
    assert len(remote.catalogue) == 2  # the two files that are whole, and no list that names the third
    ada.track("data", FILES)
    assert ada.remote().push().objects == 3


def test_another_remote_gives_what_one_has_damaged(copy: Callable[[str], Copy], tmp_path: Path) -> None:
    ada = copy("ada")
    (tmp_path / "second").mkdir()
    configuration.add_remote(ada.root, "second", {"url": str(tmp_path / "second")})
    ada.track("data", FILES)
    ada.remote("lab").push()
    ada.remote("second").push()
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    for pack in (tmp_path / "remote" / "packs").rglob("*.pack"):
        pack.write_bytes(pack.read_bytes().replace(b"one", b"eno"))
    bob = copy("bob")
    pulled = bob.remote("lab").pull()
    assert (pulled.missing, pulled.damaged, pulled.others) == ({}, {}, ("second",))
    assert ada.remote("lab").push(repair=True).repaired == 1
    assert copy("eve").remote("lab").pull().others == ()


def test_a_damaged_parcel_of_journals_costs_the_record_and_no_data(
    copy: Callable[[str], Copy], tmp_path: Path
) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    ada.project.ledger.record(facts.RunStarted(RUN, "script", "train", 1))
    ada.commit()
    ada.remote().push()
    ada.git("push", "-q", "origin", "main")
    (parcel,) = (tmp_path / "remote" / "journals").iterdir()
    parcel.write_bytes(parcel.read_bytes()[:-3])
    pulled = copy("bob").remote().pull()
    assert pulled.objects == 5
    assert pulled.parcels == (parcel.name,)


def test_a_remote_of_a_newer_format_is_left_alone(copy: Callable[[str], Copy], tmp_path: Path) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    (tmp_path / "remote" / "drystone.json").write_text('{"format": 2}')
    for attempt in (ada.remote().push, ada.remote().pull):
        with pytest.raises(ProjectInvalid, match="is in format 2, known here is 1"):
            attempt()
    assert [path.name for path in (tmp_path / "remote").iterdir()] == ["drystone.json"]


def test_pulling_from_where_nothing_was_pushed(copy: Callable[[str], Copy], tmp_path: Path) -> None:
    ada = copy("ada")
    with pytest.raises(NotFound, match="nothing was pushed to remote `lab` yet") as caught:
        ada.remote().pull()
    assert caught.value.hints == ("push from where the data is with `drystone push lab`",)
    assert list((tmp_path / "remote").iterdir()) == []


def test_a_push_says_what_its_copy_needs_in_all_its_history(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", {"a": b"old"})
    old = ada.project.lock().paths["data"].object
    ada.commit()
    ada.git("checkout", "-q", "-b", "side")
    ada.track("data", {"a": b"side"})
    side = ada.project.lock().paths["data"].object
    ada.commit()
    ada.git("checkout", "-q", "main")
    ada.track("data", {"a": b"new"})
    new = ada.project.lock().paths["data"].object
    remote = ada.remote()
    remote.push()
    (one,) = registered(remote.bucket)
    assert set(one.said.trees) == {old, side, new}
    assert one.said.clone == ada.project.ledger.clone


def test_a_journal_of_a_run_elsewhere_is_not_marked_lost(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    running = ada.project.ledger.journal(RUN)
    running.append(facts.RunStarted(RUN, "script", "train", 1, host="a-machine-far-away"))
    ada.commit()
    ada.remote().push()
    ada.git("push", "-q", "origin", "main")
    bob = copy("bob")
    bob.remote().pull()
    assert bob.project.ledger.mark_lost() == []
    running.append(facts.RunFinished(RUN, "succeeded", 2))
    running.close()
    ada.remote().push()
    bob.remote().pull()
    assert bob.project.ledger.query("SELECT status FROM run") == [("succeeded",)]


def test_the_plan_of_a_push_is_what_it_sends(copy: Callable[[str], Copy]) -> None:
    ada = copy("ada")
    ada.track("data", FILES)
    ada.remote().push()
    ada.track("data", {**FILES, "c": b"three"})
    wanted = Remote(ada.project).plan()
    assert (len(wanted.files), len(wanted.trees), wanted.size) == (1, 1, 5)


def test_a_registered_version_is_whole_on_the_other_side(copy: Callable[[str], Copy], tmp_path: Path) -> None:
    """Registered by a person, so that no run has written that it is a directory."""
    ada = copy("ada")
    folder, single = ada.root / "data", ada.root / "single"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "large").write_bytes(os.urandom(3 << 20))
    (folder / "small").write_bytes(b"small")
    single.write_bytes(b"# drystone tree 1\nand no directory\n")
    for place in (folder, single):
        entry = store_path(ada.project.store, place)
        _register(ada, entry)
    ada.commit()
    ada.git("push", "-q", "origin", "main")
    ada.remote().push()
    bob = copy("bob")
    remote = bob.remote()
    remote.pull()
    for place in (folder, single):
        version = names.newest(bob.project.ledger, "data", place.name)
        assert version is not None
        entry = Entry("got", "tree" if place is folder else "file", version.object, version.size)
        assert remote.fetcher().closure([entry]).lacking == frozenset()
        restore(bob.project.store, entry, tmp_path / place.name)
        assert identify_path(tmp_path / place.name).object == version.object
    assert remote_gc.collect(ada.remote(), grace=timedelta(0), dry_run=False).packs == 0
    assert remote_gc.collect(bob.remote(), grace=timedelta(0), dry_run=False).packs == 0


def test_what_a_directory_there_names_and_is_not_is_sent_by_a_repair(copy: Callable[[str], Copy]) -> None:
    """As when only the list of a registered folder was sent."""
    ada = copy("ada")
    (ada.root / "data").mkdir()
    (ada.root / "data" / "a").write_bytes(os.urandom(5000))
    entry = store_path(ada.project.store, ada.root / "data")
    remote = ada.remote()
    remote.push()
    Sender(remote.project.store, remote.bucket, remote.catalogue, remote.pieces).send(
        Wanted({entry.object: 0}, (), {})
    )
    _register(ada, entry)
    assert ada.remote().push().objects == 0  # what has the list has all of it, it believes
    assert ada.remote().push(repair=True).repaired == 1
    bob = copy("bob")
    bob.remote().pull_journals()
    assert bob.remote().fetch([entry.object])
    (below,) = read_tree(bob.project.store, entry.object)
    assert bob.remote().fetch([below.object]) == {below.object}


def _register(copy: Copy, entry: Entry) -> None:
    """Makes it the next version of what its name says."""
    clock = copy.project.clock
    register(
        copy.project.ledger,
        "data",
        entry.name,
        object=entry.object,
        path=entry.name,
        size=entry.size,
        run=None,
        clock=clock,
    )
