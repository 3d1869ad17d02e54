"""Points are gathered, and none is lost or changed on the way."""

from __future__ import annotations

import threading

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import UsageError
from drystone.ledger.facts import Points
from drystone.tracking.metrics import MetricBuffer

RUN = "0" * 32


class Sink:
    """Takes what a buffer writes."""

    def __init__(self) -> None:
        self.points: list[Points] = []
        self.arrived = threading.Event()

    def __call__(self, points: list[Points]) -> None:
        self.points += points
        self.arrived.set()

    def of(self, key: str) -> list[tuple[int, float]]:
        return [pair for p in self.points if p.key == key for pair in zip(p.steps, p.values, strict=True)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(allow_nan=False)), max_size=50))
def test_every_point_arrives_in_order_with_counted_steps(logged: list[tuple[str, float]]) -> None:
    sink = Sink()
    buffer = MetricBuffer(RUN, sink)
    for key, value in logged:
        buffer.log({key: value}, None)
    buffer.flush()
    for key in "ab":
        assert sink.of(key) == list(enumerate(value for name, value in logged if name == key))


def test_a_given_step_is_kept_and_counting_goes_on_from_it() -> None:
    sink = Sink()
    buffer = MetricBuffer(RUN, sink)
    buffer.log({"loss": 1.0}, 10)
    buffer.log({"loss": 2}, None)
    buffer.log({"loss": numpy.float32(0.5)}, numpy.int64(3))  # type: ignore[arg-type]
    buffer.flush()
    assert sink.of("loss") == [(10, 1.0), (11, 2.0), (3, 0.5)]


def test_points_are_written_soon_without_being_asked() -> None:
    sink = Sink()
    MetricBuffer(RUN, sink).log({"loss": 1.0}, 0)
    assert sink.arrived.wait(timeout=30)
    assert sink.of("loss") == [(0, 1.0)]


def test_threads_that_log_at_once_lose_nothing() -> None:
    sink = Sink()
    buffer = MetricBuffer(RUN, sink)

    def work(key: str) -> None:
        for step in range(20_000):
            buffer.log({key: float(step)}, step)

    workers = [threading.Thread(target=work, args=(key,)) for key in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    buffer.flush()
    for key in "abc":
        assert sorted(sink.of(key)) == [(step, float(step)) for step in range(20_000)]


def test_points_that_could_not_be_written_wait_for_the_next_time() -> None:
    sink = Sink()
    full = [True]

    def write(points: list[Points]) -> None:
        if full[0]:
            raise OSError("disk full")
        sink(points)

    buffer = MetricBuffer(RUN, write)
    buffer.log({"loss": 1.0}, 0)
    with pytest.raises(OSError, match="disk full"):
        buffer.flush()
    full[0] = False
    buffer.flush()
    assert sink.of("loss") == [(0, 1.0)]


@pytest.mark.parametrize("value", ["0.5", None, [1], b"1", object()])
def test_what_is_no_number_is_refused_at_once(value: object) -> None:
    with pytest.raises(UsageError, match="`loss` must be a number"):
        MetricBuffer(RUN, Sink()).log({"loss": value}, 0)


def test_a_step_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(UsageError, match="whole number"):
        MetricBuffer(RUN, Sink()).log({"loss": 1.0}, 0.5)  # type: ignore[arg-type]
