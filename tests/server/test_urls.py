from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import UsageError
from drystone.server import urls


@given(st.text(min_size=1))
def test_any_name_survives_an_address_as_one_segment(name: str) -> None:
    segment = urls.segment(name)
    assert urls.unsegment(segment) == name
    assert segment.isascii() and not set(segment) & set("/?#%&\\\"'<> ")
    assert segment not in (".", "..") and not segment.endswith(".json")


@pytest.mark.parametrize("text", ["~", "~ZZ", "~FF", "~C3~28", "ü"])
def test_what_is_no_segment_comes_back_unharmed(text: str) -> None:
    assert urls.unsegment(text) == text


@given(st.text(min_size=1))
def test_a_paging_token_is_opaque_and_gives_back_what_it_holds(last: str) -> None:
    assert urls.read_token(urls.paging_token(last)) == last


@pytest.mark.parametrize("token", ["!", "a", "_w", "=", "ä"])
def test_a_token_nobody_gave_out_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="not a paging token"):
        urls.read_token(token)


def test_a_query_holds_only_what_is_there() -> None:
    assert (
        urls.with_query("/runs", {"kind": None, "name": "a b&c", "metric": ["x", "y"]})
        == "/runs?name=a+b%26c&metric=x&metric=y"
    )
    assert urls.with_query("/runs", {"kind": None, "metric": []}) == "/runs"
