"""Ids sort by time; object ids are BLAKE3."""

from hypothesis import given
from hypothesis import strategies as st

from drystone.core.ids import id_time, is_object_id, is_run_id, new_id, short

moments = st.integers(min_value=0, max_value=2**48 * 1_000_000 - 1)


@given(moments)
def test_an_id_tells_when_it_was_made(now: int) -> None:
    identifier = new_id(now)
    assert is_run_id(identifier)
    assert id_time(identifier) == now - now % 1_000_000


@given(moments, moments)
def test_ids_sort_as_the_milliseconds_they_were_made_in(first: int, second: int) -> None:
    if first // 1_000_000 < second // 1_000_000:
        assert new_id(first) < new_id(second)


def test_two_ids_of_one_moment_differ() -> None:
    assert len({new_id(5) for _ in range(1000)}) == 1000


def test_only_whole_ids_are_ids() -> None:
    assert is_object_id("b3:" + "0" * 64)
    assert not is_object_id("b3:" + "0" * 63)
    assert not is_object_id("b3:" + "G" * 64)
    assert not is_run_id("0" * 31)


def test_people_see_the_first_digits() -> None:
    assert short("b3:0123456789" + "0" * 54) == "b3:01234567"
    assert short("0123456789abcdef" * 2) == "0123456789abcdef"
