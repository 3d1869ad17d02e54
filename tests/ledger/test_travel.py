"""Journals on their way: parcels in any order, double, with losses, give one ledger."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.clock import ManualClock
from drystone.core.errors import Corrupt
from drystone.core.layout import Layout
from drystone.ledger import facts
from drystone.ledger.journal import HEADER, JournalWriter, frame
from drystone.ledger.ledger import Ledger
from drystone.ledger.travel import Piece, parcel, take_in, unpack

RUNS = [f"{number:032x}" for number in range(3)]


def everything(folder: Path) -> list[list[tuple[object, ...]]]:
    with Ledger.open(Layout(folder), ManualClock()) as ledger:
        assert ledger.problems() == []
        tables = ("run", "param", "conflict", "tag", "latest")
        return [sorted(ledger.query(f"SELECT * FROM {table}"), key=repr) for table in tables]


def journals(folder: Path) -> Path:
    return Layout(folder).journals


@st.composite
def histories(draw: st.DrawFn) -> list[list[tuple[str, facts.Fact]]]:
    """What was appended to which run between one push and the next."""
    some = st.tuples(
        st.sampled_from(RUNS),
        st.one_of(
            st.builds(lambda depth: facts.Params("", {"depth": depth}), st.integers(0, 3)),
            st.builds(
                lambda time, text: facts.Tags("", {"note": text}, time),
                st.integers(0, 5),
                st.text(max_size=3),
            ),
            st.builds(lambda time: facts.RunFinished("", "failed", time), st.integers(0, 5)),
        ),
    )
    return draw(st.lists(st.lists(some, max_size=4), min_size=1, max_size=6))


@given(histories(), st.data())
def test_parcels_in_any_order_and_double_give_the_same_ledger(
    history: list[list[tuple[str, facts.Fact]]], data: st.DataObject
) -> None:
    import msgspec

    with tempfile.TemporaryDirectory() as name:
        here, there = Path(name, "here"), Path(name, "there")
        journals(here).mkdir(parents=True)
        ends: dict[str, int] = {}
        parcels: list[bytes] = []
        for batch in history:
            for run, fact in batch:
                writer = JournalWriter(journals(here) / f"{run}.main.journal")
                writer.append([facts.encode(msgspec.structs.replace(fact, run=run))])
                writer.close()
            packed = parcel(journals(here), ends)
            if packed is not None:
                parcels.append(packed[0])
                ends = packed[1]
        order = data.draw(st.permutations(parcels * 2))
        size = data.draw(st.integers(1, 3))
        waiting: list[Piece] = []
        for at in range(0, len(order), size):
            pieces = [piece for one in order[at : at + size] for piece in unpack(one)]
            waiting = list(take_in(journals(there), [*waiting, *pieces]).waiting)
        assert waiting == []
        assert everything(there) == everything(here)
        for path in journals(here).iterdir():
            assert (journals(there) / path.name).read_bytes() == path.read_bytes()
        # tails that were lost, as by a power cut, come again
        for path in list(journals(there).iterdir()):
            os.truncate(path, data.draw(st.integers(0, path.stat().st_size)))
        take_in(journals(there), [piece for one in parcels for piece in unpack(one)])
        assert everything(there) == everything(here)


def piece_of(*payloads: facts.Fact, offset: int = 0, journal: str = f"{RUNS[0]}.main.journal") -> Piece:
    data = b"".join(frame(facts.encode(fact)) for fact in payloads)
    return Piece(journal, offset, data if offset else HEADER + data)


def test_journals_that_contradict_are_both_kept_and_the_ledger_is_the_same_everywhere(tmp_path: Path) -> None:
    """As of two copies made by copying the whole folder, id and all."""
    ours = piece_of(facts.Params(RUNS[0], {"a": 1}), journal=f"facts-{'a' * 32}.journal")
    theirs = piece_of(facts.Params(RUNS[0], {"b": 2}), facts.Params(RUNS[0], {"c": 3}), journal=ours.journal)
    for name, order in (("one", [ours, theirs]), ("two", [theirs, ours])):
        folder = journals(tmp_path / name)
        assert take_in(folder, order[:1]).aside == ()
        (aside,) = take_in(folder, order[1:]).aside
        take_in(folder, order)
        assert sorted(path.name for path in folder.iterdir()) == sorted([ours.journal, aside])
    assert everything(tmp_path / "one") == everything(tmp_path / "two")


def test_a_journal_that_is_being_written_is_left_to_its_writer(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / f"{RUNS[0]}.main.journal")
    size = writer.path.stat().st_size
    more = piece_of(facts.Params(RUNS[0], {"a": 1}), offset=size)
    assert take_in(tmp_path, [more]).waiting == (more,)
    writer.close()
    assert take_in(tmp_path, [more]).ends == {writer.path.name: size + len(more.data)}


def test_a_torn_tail_is_not_sent_until_it_is_whole(tmp_path: Path) -> None:
    whole = frame(facts.encode(facts.Params(RUNS[0], {"a": 1})))
    path = tmp_path / f"{RUNS[0]}.main.journal"
    path.write_bytes(HEADER + whole + whole[:-2])
    packed = parcel(tmp_path, {})
    assert packed is not None
    assert [piece.data for piece in unpack(packed[0])] == [HEADER + whole]
    assert parcel(tmp_path, packed[1]) is None


GOOD = piece_of(facts.Params(RUNS[0], {"a": 1}))


def sealed(name: bytes, offset: int, data: bytes) -> bytes:
    lengths = len(name).to_bytes(2, "little") + offset.to_bytes(8, "little") + len(data).to_bytes(8, "little")
    return b"drystone journals 1\n" + lengths + name + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"drystone journals 2\n",
        sealed(GOOD.journal.encode(), 0, GOOD.data)[:-1],
        sealed(b"../../evil.journal", 0, GOOD.data),
        sealed(b"/etc/passwd", 0, GOOD.data),
        sealed(GOOD.journal.encode(), 0, b"no frames at all"),
        sealed(GOOD.journal.encode(), 0, GOOD.data + b"tail"),
        sealed(GOOD.journal.encode(), 0, GOOD.data[len(HEADER) :]),
        sealed(GOOD.journal.encode(), 19, GOOD.data),
        sealed(GOOD.journal.encode(), 0, GOOD.data)[:30],
    ],
)
def test_what_is_no_parcel_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        list(unpack(data))


def test_two_pulls_at_once_do_not_double_a_journal(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    facts_ = [facts.Params(RUNS[0], {str(number): number}) for number in range(50)]
    piece = piece_of(*facts_)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: take_in(folder, [piece]), range(4)))  # noqa: B023
        take_in(folder, [piece])
        assert (folder / piece.journal).read_bytes() == piece.data
        shutil.rmtree(folder)
