"""Journals are the truth; the index can be lost, and facts come in any order."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.clock import ManualClock
from drystone.core.errors import Corrupt
from drystone.core.layout import Layout
from drystone.ledger import deployments, evidence, facts, lineage, names, runs, traces
from drystone.ledger.ledger import Ledger

RUN = "0" * 32
OTHER = "1" * 32
X, Y = "b3:" + "a" * 64, "b3:" + "b" * 64
INFINITY, NAN = float("inf"), float("nan")

identifiers = st.sampled_from([RUN, OTHER])
keys = st.sampled_from(["a", "b"])
times = st.integers(0, 3)
values = st.one_of(st.floats(), st.integers(-3, 3).map(float))


@st.composite
def points(draw: st.DrawFn) -> facts.Points:
    rows = draw(st.lists(st.tuples(times, times, values), min_size=1, max_size=4))
    steps, at, numbers = (list(column) for column in zip(*rows, strict=True))
    return facts.Points(draw(identifiers), draw(keys), steps, at, numbers)


some_fact = st.one_of(
    st.builds(facts.RunStarted, identifiers, st.just("step"), st.just("train"), times),
    st.builds(facts.RunFinished, identifiers, st.sampled_from(["succeeded", "failed", "lost"]), times),
    st.builds(
        facts.Params,
        identifiers,
        st.dictionaries(keys, st.one_of(st.integers(0, 2), st.text(max_size=2)), max_size=2),
    ),
    st.builds(facts.Tags, identifiers, st.dictionaries(keys, st.text(max_size=2), max_size=2), times),
    points(),
    st.builds(facts.Edge, identifiers, st.sampled_from(["read", "write"]), keys, st.sampled_from([X, Y])),
    st.builds(
        facts.VersionRegistered,
        st.just("model"),
        keys,
        st.integers(1, 3),
        st.sampled_from([X, Y]),
        keys,
        times,
        times,
    ),
    st.builds(
        facts.AliasMoved,
        st.just("model"),
        keys,
        st.just("champion"),
        st.one_of(st.none(), st.integers(1, 3)),
        times,
    ),
    st.builds(facts.OutputCaptured, identifiers, st.sampled_from([X, Y]), times),
)


def _open(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger.open(Layout(tmp_path_factory.mktemp("project")), ManualClock())


def _state(ledger: Ledger) -> list[list[object]]:
    """Everything a reader can see, in an order that does not depend on history."""
    tables = ("run", "param", "conflict", "tag", "latest", "edge", "version", "alias", "trace")
    series = [
        (run, key, [(step, time, repr(value)) for step, time, value in runs.history(ledger, run, key)])
        for run in (RUN, OTHER)
        for key in ("a", "b")
    ]
    return [sorted(map(repr, ledger.query(f"SELECT * FROM {table}"))) for table in tables] + [
        sorted(map(repr, series))
    ]


@given(st.lists(some_fact, max_size=12), st.randoms(use_true_random=False))
def test_facts_in_any_order_and_repeated_give_the_same_ledger(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[facts.Fact], chance: random.Random
) -> None:
    first, second = _open(tmp_path_factory), _open(tmp_path_factory)
    for fact in sequence:
        first.record(fact)
    shuffled = [*sequence, *chance.sample(sequence, len(sequence) // 2)]
    chance.shuffle(shuffled)
    if shuffled:
        second.record(*shuffled)
    assert _state(first) == _state(second)
    before = _state(first)
    first.rebuild()
    assert _state(first) == before
    first.close()
    second.close()


@pytest.mark.parametrize("damage", ["delete", "garbage", "truncate", "old version", "zeros", "flips"])
def test_a_lost_or_damaged_index_is_rebuilt_from_the_journals(tmp_path: Path, damage: str) -> None:
    layout = Layout(tmp_path)
    with Ledger.open(layout, ManualClock()) as ledger:
        ledger.record(facts.VersionRegistered("model", "churn", 1, X, "models/churn", 5, 10))
        ledger.rebuild()
    index = layout.ledger_index
    for extra in ("-wal", "-shm"):
        index.with_name(index.name + extra).unlink(missing_ok=True)
    if damage == "delete":
        index.unlink()
    elif damage == "garbage":
        index.write_bytes(b"not a database" * 1000)
    elif damage == "zeros":  # the first page is whole, so it opens, and fails later
        content = index.read_bytes()
        index.write_bytes(content[:4096] + bytes(len(content) - 4096))
    elif damage == "flips":
        content = bytearray(index.read_bytes())
        for at in range(4096, len(content), 97):
            content[at] ^= 0xFF
        index.write_bytes(bytes(content))
    elif damage == "truncate":
        index.write_bytes(index.read_bytes()[:3000])
    else:
        content = bytearray(index.read_bytes())
        content[60:64] = (99).to_bytes(4, "big")  # user_version in SQLite's file header
        index.write_bytes(bytes(content))
    with Ledger.open(layout, ManualClock()) as ledger:
        assert names.names(ledger, "model") == ["churn"]
        assert (ledger.recovered is None) == (damage == "delete")


def test_a_run_is_told_from_start_to_end(ledger: Ledger) -> None:
    journal = ledger.journal(RUN)
    code = facts.Code("c" * 40, "main", True, X)
    journal.append(facts.RunStarted(RUN, "step", "train", 5, command=("python", "train.py"), code=code))
    assert [row.status for row in runs.recent(ledger)] == ["running"]
    journal.append(facts.Params(RUN, {"depth": 3, "rate": 0.1, "name": "x", "flag": True, "none": None}))
    journal.append(facts.RunFinished(RUN, "failed", 7, 3, "it broke"))
    journal.close()
    row = runs.find(ledger, RUN[:8])
    assert (row.status, row.exit_code, row.error, row.code) == ("failed", 3, "it broke", code)
    assert row.seconds == pytest.approx(2e-9)
    assert runs.params(ledger, RUN) == {"depth": 3, "flag": True, "name": "x", "none": None, "rate": 0.1}


def test_not_a_number_and_infinities_stay_what_they_are(ledger: Ledger) -> None:
    ledger.record(facts.Points(RUN, "loss", [0, 1, 2], [0, 0, 0], [NAN, INFINITY, -INFINITY]))
    assert [repr(value) for _, _, value in runs.history(ledger, RUN, "loss")] == ["nan", "inf", "-inf"]
    assert runs.latest_metrics(ledger, RUN) == {"loss": -INFINITY}


def test_the_latest_value_is_that_of_the_greatest_step_not_the_last_written(ledger: Ledger) -> None:
    ledger.record(facts.Points(RUN, "loss", [9], [1], [0.5]), facts.Points(RUN, "loss", [2], [8], [0.9]))
    assert runs.latest_metrics(ledger, RUN) == {"loss": 0.5}


def test_a_parameter_given_twice_is_a_conflict_that_keeps_both(ledger: Ledger) -> None:
    ledger.record(facts.Params(RUN, {"depth": 3}), facts.Params(RUN, {"depth": 4}))
    assert runs.conflicts(ledger, RUN) == {"depth": [3, 4]}


def test_a_run_whose_writers_are_dead_is_lost_and_one_that_lives_is_not(ledger: Ledger) -> None:
    living, dead = ledger.journal(RUN), ledger.journal(OTHER)
    living.append(facts.RunStarted(RUN, "step", "a", 1))
    dead.append(facts.RunStarted(OTHER, "step", "b", 1))
    dead.close()
    assert ledger.mark_lost() == [OTHER]
    assert {row.name: row.status for row in runs.recent(ledger)} == {"a": "running", "b": "lost"}
    living.close()


def test_what_a_lost_server_served_is_served_no_more(ledger: Ledger) -> None:
    journal = ledger.journal(RUN)
    journal.append(
        facts.RunStarted(RUN, "serve", "d", 1),
        facts.DeploymentChanged("d", "serving", "m", 1, X, RUN, 1, "http://x"),
    )
    assert [change.status for change in deployments.current(ledger)] == ["serving"]
    journal.close()
    ledger.mark_lost()
    assert [(change.status, change.url) for change in deployments.current(ledger)] == [("stopped", None)]


def test_a_witnessed_end_beats_the_guess_that_it_was_lost(ledger: Ledger) -> None:
    ledger.record(
        facts.RunStarted(RUN, "step", "a", 1),
        facts.RunFinished(RUN, "lost", 9),
        facts.RunFinished(RUN, "succeeded", 5),
    )
    assert runs.find(ledger, RUN).status == "succeeded"


def test_damaged_and_unknown_records_are_reported_and_passed_over(ledger: Ledger) -> None:
    ledger.record(facts.RunStarted(RUN, "step", "a", 1))
    stray = ledger.layout.journals / "stray.journal"
    stray.write_bytes(b"hello, this is no journal")
    from drystone.ledger.journal import JournalWriter

    writer = JournalWriter(ledger.layout.journals / "future.journal")
    writer.append([b"\x81\xa4fact\xa9from-2030"])
    writer.close()
    assert [row.name for row in runs.recent(ledger)] == ["a"]
    assert ledger.problems() == [
        "`future.journal`, byte 19: the record is none this version knows",
        "`stray.journal`, byte 0: is not a journal",
    ]


def test_damage_to_what_was_entered_before_is_found_by_reading_everything_again(ledger: Ledger) -> None:
    ledger.record(facts.RunStarted(RUN, "step", "a", 1))
    ledger.record(facts.RunFinished(RUN, "succeeded", 2))
    [journal] = ledger.layout.journals.iterdir()
    content = bytearray(journal.read_bytes())
    content[40] ^= 0xFF
    journal.write_bytes(content)
    assert ledger.problems() == []
    assert ledger.verify() == [f"`{journal.name}`, byte 19: the record is damaged and was passed over"]
    assert runs.find(ledger, RUN).status == "succeeded"


def test_a_fact_that_no_database_can_hold_is_passed_over(ledger: Ledger) -> None:
    ledger.record(
        facts.WindowJudged("d", 0, 2**63, 5, "pass", X, RUN, 1), facts.RunStarted(RUN, "step", "a", 1)
    )
    assert [row.name for row in runs.recent(ledger)] == ["a"]
    assert len(ledger.problems()) == 1


def test_text_that_is_no_unicode_is_kept_with_escapes(ledger: Ledger) -> None:
    ledger.record(facts.RunStarted(RUN, "command", "x", 1, command=("echo", "\udcff")))
    assert runs.find(ledger, RUN).command == ("echo", "\\udcff")


def test_where_nothing_can_be_written_the_journals_are_read_all_the_same(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with Ledger.open(layout, ManualClock()) as ledger:
        ledger.record(facts.RunStarted(RUN, "step", "a", 1))
    for path in layout.state.glob("ledger.sqlite*"):
        path.unlink()
    layout.ledger_index.mkdir()  # as root may write anything, a folder stands for what cannot be opened
    with Ledger.open(layout, ManualClock()) as ledger:
        assert [row.name for row in runs.recent(ledger)] == ["a"]
        assert ledger.recovered is not None and "cannot be written" in ledger.recovered


def test_lineage_leads_from_a_model_back_to_its_sources(ledger: Ledger) -> None:
    z = "b3:" + "c" * 64
    ledger.record(
        facts.RunStarted(RUN, "step", "ingest", 1),
        facts.Edge(RUN, "read", "raw.csv", X),
        facts.Edge(RUN, "write", "data/a", Y),
        facts.RunStarted(OTHER, "step", "train", 2),
        facts.Edge(OTHER, "read", "data/a", Y),
        facts.Edge(OTHER, "write", "models/m", z),
    )
    producer = lineage.producer(ledger, z)
    assert producer is not None and producer.name == "train"
    assert [
        (origin.edge.path, origin.producer and origin.producer.name, origin.depth)
        for origin in lineage.upstream(ledger, OTHER)
    ] == [
        ("data/a", "ingest", 1),
        ("raw.csv", None, 2),
    ]
    assert [row.name for row in lineage.readers(ledger, Y)] == ["train"]


def test_of_two_runs_that_wrote_the_same_bytes_the_one_at_that_path_made_it(ledger: Ledger) -> None:
    ledger.record(
        facts.RunStarted(RUN, "step", "make", 1),
        facts.Edge(RUN, "write", "data/a", X),
        facts.RunStarted(OTHER, "step", "copy", 2),
        facts.Edge(OTHER, "write", "data/b", X),
    )
    made = [lineage.producer(ledger, X, path=path) for path in ("data/a", "data/b", "")]
    assert [run and run.name for run in made] == ["make", "copy", "copy"]


def test_readers_of_names_evidence_deployments_and_traces_give_the_newest(ledger: Ledger) -> None:
    ledger.record(
        facts.AliasMoved("model", "m", "champion", 1, 1),
        facts.AliasMoved("model", "m", "champion", 2, 2, previous=1),
        facts.AliasMoved("model", "m", "old", 1, 1),
        facts.AliasMoved("model", "m", "old", None, 2, previous=1),
        facts.Evidence("e1", "c", X, "model:m", "fail", RUN, 1),
        facts.Evidence("e2", "c", X, "model:m", "pass", RUN, 2),
        facts.DeploymentChanged("d", "serving", "m", 1, X, RUN, 1),
        facts.DeploymentChanged("d", "stopped", "m", 1, X, RUN, 2),
        facts.WindowJudged("d", 0, 10, 5, "pass", X, RUN, 1),
        facts.WindowJudged("d", 0, 10, 7, "fail", X, RUN, 2),
        facts.TraceRecorded(RUN, "s", "c", X, "proven", 1),
        facts.TraceRecorded(OTHER, "s", "c", Y, "proven", 2),
    )
    assert {alias: move.version for alias, move in names.aliases(ledger, "model", "m").items()} == {
        "champion": 2
    }
    assert [move.version for move in names.alias_history(ledger, "model", "m", "old")] == [1, None]
    assert [judged.verdict for judged in evidence.for_subject(ledger, X)] == ["pass"]
    assert [change.status for change in deployments.current(ledger)] == ["stopped"]
    assert [(window.n, window.verdict) for window in deployments.windows(ledger, "d")] == [(7, "fail")]
    assert [trace.trace for trace in traces.for_step(ledger, "s")] == [Y, X]


def test_of_a_test_that_failed_and_its_claims_that_passed_whichever_is_newer_stands(ledger: Ledger) -> None:
    def judged(number: int, check: str, verdict: facts.Verdict, run: str) -> facts.Evidence:
        return facts.Evidence(f"e{number}", check, X, "model:m", verdict, run, number)

    def standing() -> list[str]:
        return [one.check for one in evidence.for_subject(ledger, X)]

    ledger.record(judged(1, "t", "fail", RUN), judged(2, "other[a]", "fail", RUN))
    ledger.record(judged(3, "t[auc]", "pass", OTHER), judged(4, "t[brier]", "pass", OTHER))
    assert standing() == ["other[a]", "t[auc]", "t[brier]"]
    ledger.record(judged(5, "t", "fail", RUN[:-1] + "2"), judged(6, "other[b]", "pass", OTHER))
    assert standing() == ["other[a]", "other[b]", "t"]


def _record_versions(root: Path, start: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    with Ledger.open(Layout(root)) as ledger:
        barrier.wait()
        for number in range(start, start + 20):
            with ledger.exclusive():
                count = len(names.versions(ledger, "model", "m"))
                ledger.record(
                    facts.VersionRegistered("model", "m", count + 1, f"b3:{number:064x}", "p", number, 1)
                )


def test_processes_that_write_at_once_lose_nothing_and_never_share_a_number(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    workers = [context.Process(target=_record_versions, args=(tmp_path, 100 * n, barrier)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with Ledger.open(Layout(tmp_path)) as ledger:
        assert [version.version for version in names.versions(ledger, "model", "m")] == list(range(1, 61))
        assert ledger.problems() == []


def test_a_damaged_id_of_the_copy_is_told_with_the_way_out(tmp_path: Path) -> None:
    with Ledger.open(Layout(tmp_path), ManualClock()) as ledger:
        before = ledger.clone
    (tmp_path / ".drystone" / "clone").write_bytes(bytes(range(128, 256)))
    with Ledger.open(Layout(tmp_path), ManualClock()) as ledger:
        with pytest.raises(Corrupt, match="this copy's id is damaged") as caught:
            _ = ledger.clone
        assert caught.value.hints == (f"remove it: `rm {tmp_path / '.drystone' / 'clone'}`",)
        (tmp_path / ".drystone" / "clone").unlink()
        assert ledger.clone != before
