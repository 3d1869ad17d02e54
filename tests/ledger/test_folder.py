"""The index looks only at journals that may have changed, and misses nothing all the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.ledger import facts
from drystone.ledger.folder import folder_stamp, is_closed, list_folder
from drystone.ledger.index import Index
from drystone.ledger.journal import JournalWriter
from drystone.ledger.ledger import Ledger, RunJournal

NAMES = ("a.main.journal", "b.main.journal", "b.0123456789ab.journal", "facts-0.journal")


class Ahead:
    """A clock so far ahead that whatever a file's time says has passed long since."""

    def now(self) -> int:
        return SystemClock().now() + 100_000_000_000


class World:
    """A folder of journals that the hand of chance changes, and an index that follows."""

    def __init__(self, root: Path, *, far: bool) -> None:
        self.layout = Layout(root / "project")
        self.elsewhere = root / "elsewhere"
        self.layout.journals.mkdir(parents=True)
        self.elsewhere.mkdir()
        self.far = far
        self.writers: dict[str, RunJournal] = {}
        self.facts = 0
        self.index = self.open()

    def open(self) -> Index:
        return Index(self.layout, Ahead() if self.far else SystemClock())

    def path(self, name: str) -> Path:
        return self.layout.journals / name

    def fact(self) -> facts.Fact:
        self.facts += 1
        return facts.Tags("run", {f"tag {self.facts}": "x"}, self.facts)

    # -- what can happen to a journal

    def append(self, name: str) -> None:
        """By the writer that holds it, or by a new one."""
        if name not in self.writers:
            self.writers[name] = RunJournal(self.path(name))
        self.writers[name].append(self.fact(), self.fact())

    def close(self, name: str) -> None:
        if writer := self.writers.pop(name, None):
            writer.close()

    def tear(self, name: str) -> None:
        """The writer dies in the middle of an append."""
        if name in self.writers:
            self.close(name)
            with self.path(name).open("ab") as file:
                file.write(b"\x20\0\0\0torn")

    def remove(self, name: str) -> None:
        self.close(name)
        self.path(name).unlink(missing_ok=True)

    def merge(self, name: str) -> None:
        """A longer copy is renamed into place, as rsync does it."""
        self.close(name)
        copy = self.elsewhere / name
        if self.path(name).exists():
            shutil.copyfile(self.path(name), copy)
        writer = JournalWriter(copy)
        writer.append([facts.encode(self.fact())])
        writer.close()
        copy.replace(self.path(name))

    def reopen(self, _name: str) -> None:
        """Another process comes, and this one's index is closed."""
        self.index.close()
        self.index = self.open()

    # -- what is seen

    def seen(self) -> list[tuple[str]]:
        return self.index.query("SELECT key FROM tag ORDER BY key")

    def truth(self) -> list[tuple[str]]:
        """The same from an index that is made from these journals, and from nothing else."""
        copy = self.elsewhere / "copy"
        shutil.copytree(self.layout.journals, Layout(copy).journals)
        fresh = Index(Layout(copy), SystemClock())
        try:
            return fresh.query("SELECT key FROM tag ORDER BY key")
        finally:
            fresh.close()
            shutil.rmtree(copy)

    def let_the_clock_tick(self) -> None:
        """Wait until the file system's clock has moved on, so that a change from now on shows in times."""
        probe = self.elsewhere / "probe"
        probe.touch()
        before = probe.stat().st_mtime_ns
        while probe.stat().st_mtime_ns == before:
            probe.touch()

    def end(self) -> None:
        for name in list(self.writers):
            self.close(name)
        self.index.close()


ACTIONS: dict[str, Callable[[World, str], None]] = {
    action.__name__: action
    for action in (World.append, World.close, World.tear, World.remove, World.merge, World.reopen)
}
stories = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "close", "tear", "remove", "merge", "reopen"]),
        st.sampled_from(NAMES),
        st.booleans(),
    ),
    max_size=14,
)


@pytest.mark.parametrize("far", [True, False], ids=["long after", "at once"])
@settings(max_examples=40)
@example(story=[("append", NAMES[0], True), ("remove", NAMES[0], False), ("append", NAMES[0], True)])
@example(story=[("append", NAMES[0], False), ("close", NAMES[0], True), ("append", NAMES[0], True)])
@given(story=stories)
def test_whatever_happens_to_journals_the_index_is_what_a_rebuild_would_give(
    tmp_path_factory: pytest.TempPathFactory, far: bool, story: list[tuple[str, str, bool]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"), far=far)
    for action, name, look in story:
        ACTIONS[action](world, name)
        if look:
            assert world.seen() == world.truth(), action
        if far:
            world.let_the_clock_tick()
    assert world.seen() == world.truth()
    world.end()


def test_closed_journals_are_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, far=True)
    for name in NAMES[:3]:
        world.append(name)
        world.close(name)
    world.append("c.main.journal")
    world.seen()
    looked: list[str] = []
    original = Path.stat

    def counting(path: Path, **options: bool) -> os.stat_result:
        looked.append(path.name)
        return original(path, **options)

    def refuse(*_: object) -> None:
        raise AssertionError("the folder was listed")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", counting)
        patch.setattr(os, "scandir", refuse)
        assert len(world.seen()) == 8
        assert [name for name in looked if name.endswith(".journal")] == ["c.main.journal"]
        world.append("c.main.journal")
        assert len(world.seen()) == 10
    world.end()


def test_a_journal_that_nobody_holds_is_closed_once_it_has_lain_still(tmp_path: Path) -> None:
    """A tool that copies one into place holds no lock while it writes."""
    journal, shared = tmp_path / "a.main.journal", tmp_path / "facts-0.journal"
    moment = SystemClock().now()
    for path in (journal, shared):
        JournalWriter(path).close()
    later = moment + 61_000_000_000
    assert not is_closed(journal, journal.stat(), moment)
    assert is_closed(journal, journal.stat(), later)
    assert not is_closed(shared, shared.stat(), later)
    writer = JournalWriter(journal)
    assert not is_closed(journal, journal.stat(), later)
    writer.close()


def test_a_folder_that_has_just_changed_has_no_stamp_to_rely_on(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "a.main.journal").close()
    changed = max(tmp_path.stat().st_mtime_ns, tmp_path.stat().st_ctime_ns)
    assert list_folder(tmp_path, changed + 1_000_000).stamp is None
    assert list_folder(tmp_path, changed + 2_100_000_000).stamp == folder_stamp(tmp_path)
    assert list_folder(tmp_path / "absent", changed).stamp is None


def test_the_loss_of_a_journal_is_told(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with Ledger.open(layout) as ledger:
        journal = ledger.journal("0" * 32)
        journal.append(facts.RunStarted("0" * 32, "step", "a", 1))
        journal.close()
        ledger.refresh()
        assert ledger.recovered is None
        (layout.journals / f"{'0' * 32}.main.journal").unlink()
        ledger.refresh()
        assert ledger.recovered is not None and "lost what it held" in ledger.recovered
        assert ledger.query("SELECT * FROM run") == []


def test_an_index_made_by_an_older_version_is_made_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with Ledger.open(layout) as ledger:
        ledger.record(facts.RunStarted("0" * 32, "step", "a", 1))
    database = sqlite3.connect(layout.ledger_index)
    database.executescript(
        "DROP TABLE journal; DROP TABLE folder; CREATE TABLE journal (file TEXT PRIMARY KEY, end INTEGER);"
        "PRAGMA user_version = 1"
    )
    database.close()
    with Ledger.open(layout) as ledger:
        assert [row[0] for row in ledger.query("SELECT name FROM run")] == ["a"]
