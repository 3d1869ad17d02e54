"""Every file of a remote removed, cut off and changed, one at a time: a repair from where all is mends it."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.project.conftest import Copy

from drystone.core.errors import NotFound, ProjectInvalid, RemoteUnavailable
from drystone.ledger import facts
from drystone.objects.tree import walk
from drystone.project.remotes import Pulled

LARGE = random.Random(4).randbytes(2_500_000)
FIRST = {"a": b"one\n" * 100, "below/b": b"two", "below/empty": b"", "large": LARGE}
SECOND = {**FIRST, "a": b"another one\n" * 50, "large": LARGE[:1_300_000] + b"!" + LARGE[1_300_000:]}
RUNS = ("0" * 31 + "1", "0" * 31 + "2")


class Place(NamedTuple):
    """A remote that was pushed to twice, and where it can be put back as it was."""

    ada: Copy
    remote: Path
    saved: Path

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.remote)) for p in self.remote.rglob("*") if p.is_file())

    def renew(self, *, forget: bool = False) -> None:
        """The remote, and what ada knows of it, as they were."""
        state = self.ada.project.layout.state / "remotes"
        for folder, name in ((self.remote, "remote"), (state, "known")):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.saved / name, folder)
        for index in state.rglob("*.index") if forget else ():
            index.unlink()


@pytest.fixture
def place(copy: Callable[[str], Copy], tmp_path: Path) -> Place:
    ada = copy("ada")
    for files, run in zip((FIRST, SECOND), RUNS, strict=True):
        ada.track("data", files)
        ada.project.ledger.record(
            facts.RunStarted(run, "script", "train", 1), facts.Params(run, {"depth": 3})
        )
        ada.commit()
        ada.remote().push()
    ada.git("push", "-q", "origin", "main")
    shutil.copytree(tmp_path / "remote", tmp_path / "saved" / "remote")
    shutil.copytree(ada.project.layout.state / "remotes", tmp_path / "saved" / "known")
    return Place(ada, tmp_path / "remote", tmp_path / "saved")


def content(copy: Copy) -> dict[str, bytes]:
    """All that the lock names, verified."""
    store = copy.project.store
    return {
        path: store.read(entry.object)
        for root in copy.project.lock().entries()
        for path, entry in walk(store, root)
    }


def runs(copy: Copy) -> list[tuple[object, ...]]:
    copy.project.ledger.refresh()
    return sorted(copy.project.ledger.query("SELECT run FROM run"))


def removed(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("forget", [False, True], ids=["with what it knows", "having forgotten the indexes"])
@pytest.mark.parametrize("damage", [removed, cut_off, changed])
def test_every_file_is_mended(
    place: Place, copy: Callable[[str], Copy], damage: Callable[[Path], None], forget: bool
) -> None:
    kinds = set()
    for number, file in enumerate(place.files()):
        place.renew(forget=forget)
        kinds.add(file.split("/")[0])
        damage(place.remote / file)
        place.ada.remote().push(repair=True)
        fresh = copy(f"fresh-{number}")
        pulled = fresh.remote().pull()
        assert (pulled.missing, pulled.damaged, pulled.parcels) == ({}, {}, ()), file
        assert content(fresh) == content(place.ada), file
        assert runs(fresh) == runs(place.ada), file
        again = place.ada.remote().push(repair=True)
        assert (again.objects, again.journals, again.repaired) == (0, 0, 0), file
        shutil.rmtree(fresh.root)
    assert kinds == {"drystone.json", "packs", "indexes", "journals", "clones"}


def test_what_only_an_older_commit_needs_is_mended_too(place: Place, copy: Callable[[str], Copy]) -> None:
    for file in place.files():
        if file.startswith("packs/"):
            place.renew()
            removed(place.remote / file)
            place.ada.remote().push(repair=True)
            old = copy("old")
            old.git("checkout", "-q", "HEAD~1")
            assert old.remote().pull().missing == {}, file
            assert content(old) == FIRST
            shutil.rmtree(old.root)


@pytest.mark.parametrize("damage", [removed, cut_off, changed])
def test_a_bad_index_is_named(
    place: Place, copy: Callable[[str], Copy], damage: Callable[[Path], None]
) -> None:
    for number, file in enumerate(file for file in place.files() if file.startswith("indexes/")):
        place.renew()
        damage(place.remote / file)
        pulled: Pulled = copy(f"fresh-{number}").remote().pull()
        if pulled.missing:
            assert pulled.indexes == (file,)


@pytest.mark.parametrize("text", [b"", b'{"form', b'{"fo2mat": 1}', b"[1]", b"<!doctype html>\n<p>Hello"])
def test_a_damaged_marker_is_named_and_written_anew(
    place: Place, copy: Callable[[str], Copy], text: bytes
) -> None:
    marker = place.remote / "drystone.json"
    good = marker.read_bytes()
    marker.write_bytes(text)
    for attempt in (place.ada.remote().push, copy("fresh").remote().pull):
        with pytest.raises(RemoteUnavailable, match="the marker of remote `lab` is damaged") as caught:
            attempt()
        assert caught.value.at == (str(marker),)
        assert caught.value.hints[0].endswith("`drystone push lab --repair`")
    assert marker.read_bytes() == text
    assert place.ada.remote().push(repair=True).repaired == 1
    assert marker.read_bytes() == good


def test_no_marker_is_written_where_nothing_of_ours_is(copy: Callable[[str], Copy], tmp_path: Path) -> None:
    ada = copy("ada")
    ada.track("data", {"a": b"x"})
    other = tmp_path / "remote"
    (other / "packs" / "ab").mkdir(parents=True)
    (other / "packs" / "ab" / "things.pack").write_bytes(b"of somebody else")
    (other / "drystone.json").write_bytes(b"<html>")
    with pytest.raises(RemoteUnavailable, match="nothing of Drystone's is there"):
        ada.remote().push(repair=True)
    assert (other / "drystone.json").read_bytes() == b"<html>"


def test_another_format_that_is_none_can_be_undone_by_hand(place: Place, copy: Callable[[str], Copy]) -> None:
    marker = place.remote / "drystone.json"
    marker.write_text('{"format": 3}\n')
    with pytest.raises(ProjectInvalid, match="is in format 3") as caught:
        place.ada.remote().push(repair=True)
    assert re.search(r"remove .*drystone push lab --repair", caught.value.hints[1])
    marker.unlink()
    with pytest.raises(NotFound, match="nothing was pushed"):
        copy("fresh").remote().pull()
    place.ada.remote().push(repair=True)
    assert copy("other").remote().pull().missing == {}
