"""Two remotes, of which the first is bad as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project.conftest import Copy

from drystone.core.errors import RemoteUnavailable
from drystone.ledger import facts
from drystone.objects.tree import walk
from drystone.project import configuration

FILES = {"a": b"one\n" * 100, "large": bytes(range(256)) * 9000}
RUN = "0" * 31 + "1"


def gone(lab: Path) -> None:
    shutil.rmtree(lab)


def emptied(lab: Path) -> None:
    shutil.rmtree(lab)
    lab.mkdir()


def unmarked(lab: Path) -> None:
    (lab / "drystone.json").write_text("<html>")


def of_the_future(lab: Path) -> None:
    (lab / "drystone.json").write_text('{"format": 2}')


def without_indexes(lab: Path) -> None:
    for index in (lab / "indexes").iterdir():
        index.write_bytes(b"")


@pytest.fixture
def ada(copy: Callable[[str], Copy], tmp_path: Path) -> Copy:
    """Has pushed to `lab` and `bak`."""
    ada = copy("ada")
    configuration.add_remote(ada.root, "bak", {"url": str(tmp_path / "bak")})
    ada.track("data", FILES)
    ada.project.ledger.record(facts.RunStarted(RUN, "script", "train", 1))
    ada.commit()
    ada.remote("lab").push()
    ada.remote("bak").push()
    ada.git("push", "-q", "origin", "main")
    return ada


def content(copy: Copy) -> dict[str, bytes]:
    store = copy.project.store
    (root,) = copy.project.lock().entries()
    return {path: store.read(entry.object) for path, entry in walk(store, root)}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (gone, "remote `lab` cannot be used"),
        (emptied, "nothing was pushed to remote `lab` yet"),
        (unmarked, "the marker of remote `lab` is damaged"),
        (of_the_future, "remote `lab` is in format 2, known here is 1"),
    ],
)
def test_the_second_remote_gives_everything(
    ada: Copy, copy: Callable[[str], Copy], tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    damage(tmp_path / "remote")
    bob = copy("bob")
    pulled = bob.remote().pull()
    assert content(bob) == FILES
    assert (pulled.missing, pulled.damaged, pulled.others, pulled.unusable) == ({}, {}, ("bak",), why)
    assert pulled.journals == 1
    assert bob.project.ledger.query("SELECT run FROM run") == [(RUN,)]


def test_indexes_that_are_bad_all_over_cost_nothing(
    ada: Copy, copy: Callable[[str], Copy], tmp_path: Path
) -> None:
    without_indexes(tmp_path / "remote")
    bob = copy("bob")
    assert bob.remote().pull().others == ("bak",)
    assert content(bob) == FILES


def test_what_no_other_can_give_is_the_first_ones_fault(
    ada: Copy, copy: Callable[[str], Copy], tmp_path: Path
) -> None:
    unmarked(tmp_path / "remote")
    shutil.rmtree(tmp_path / "bak" / "packs")
    with pytest.raises(RemoteUnavailable, match="the marker of remote `lab` is damaged") as caught:
        copy("bob").remote().pull()
    assert caught.value.because[-1] == "1 objects are not on remote `bak` either, or damaged there"
    gone(tmp_path / "bak")
    with pytest.raises(RemoteUnavailable, match="the marker of remote `lab` is damaged") as caught:
        copy("eve").remote().pull()
    assert caught.value.because[-1] == "remote `bak` cannot be used"
