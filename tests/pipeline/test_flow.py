"""Order and circles, as traces tell of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drystone.pipeline.flow import Flow, Lookups, circle, closure, order
from drystone.pipeline.trace import Trace
from drystone.workspace.lockfile import LockedPath

SOMETHING = LockedPath("b3:" + "0" * 64, "file", 1)


def trace(step: str, reads: list[str], writes: list[str], absent: tuple[str, ...] = ()) -> Trace:
    return Trace(
        step=step,
        file=f"steps/{step}.sh",
        command=("sh", f"steps/{step}.sh"),
        label="proven",
        why="",
        environment="",
        python=False,
        variables={},
        reads=dict.fromkeys(reads, SOMETHING.object),
        absent=absent,
        present=(),
        listed={},
        params={},
        writes=dict.fromkeys(writes, SOMETHING),
        made=(),
        unrepeatable="",
        run="",
        exit_code=0,
        seconds=0,
        cpu=0,
        peak=0,
    )


@given(st.integers(1, 7), st.data())
def test_writers_come_before_readers_whatever_they_are_called(count, data) -> None:
    names = data.draw(st.permutations([f"s{number}" for number in range(count)]))
    reads = {
        name: data.draw(st.sets(st.sampled_from(names[:position]), max_size=3)) if position else set()
        for position, name in enumerate(names)
    }
    traces = {name: trace(name, [f"out/{other}" for other in reads[name]], [f"out/{name}"]) for name in names}
    ordered = order(names, traces)
    assert sorted(ordered) == sorted(names)
    for name in names:
        assert all(ordered.index(other) < ordered.index(name) for other in reads[name])


def test_steps_without_a_trace_come_last_by_name() -> None:
    assert order(["b", "a", "z"], {"z": trace("z", [], ["z.txt"])}) == ["z", "a", "b"]


def test_contradicting_traces_still_give_every_step_once() -> None:
    traces = {"a": trace("a", ["b.txt"], ["a.txt"]), "b": trace("b", ["a.txt"], ["b.txt"])}
    assert sorted(order(traces, traces)) == ["a", "b"]


def test_a_long_chain_is_no_problem() -> None:
    traces = {f"s{n:05}": trace(f"s{n:05}", [f"{n + 1}.txt"], [f"{n}.txt"]) for n in range(5000)}
    assert order(traces, traces) == sorted(traces, reverse=True)


def test_whoever_read_in_a_tree_needs_the_writer_of_the_tree() -> None:
    flow = Flow({"train": ["models/m"]})
    assert flow.sources(Lookups(reads=frozenset(["models/m/w"]))) == {"train": "models/m/w"}


def test_whoever_missed_or_listed_a_folder_needs_whoever_writes_in_it() -> None:
    flow = Flow({"ingest": ["data/raw/1.csv"]})
    assert flow.sources(Lookups(absent=frozenset(["data"]))) == {"ingest": "data"}
    assert flow.sources(Lookups(listed=frozenset(["data"]))) == {"ingest": "data"}
    assert flow.sources(Lookups(reads=frozenset(["data"]))) == {}


def test_what_a_step_needs_is_taken_along_and_no_more() -> None:
    traces = {
        "a": trace("a", [], ["a.txt"]),
        "b": trace("b", ["a.txt"], ["b.txt"]),
        "c": trace("c", ["b.txt"], ["c.txt"]),
        "d": trace("d", [], ["d.txt"]),
    }
    assert closure(["c"], traces) == {"a", "b", "c"}


def test_a_circle_names_both_of_its_ends() -> None:
    settled = {"a": trace("a", ["c.txt"], ["a.txt"]), "b": trace("b", ["a.txt"], ["b.txt"])}
    found = circle("c", Lookups(reads=frozenset(["b.txt"])), ["c.txt"], settled)
    assert found == ("a", "c.txt", "b", "b.txt")
    assert circle("c", Lookups(reads=frozenset(["b.txt"])), ["other.txt"], settled) is None
