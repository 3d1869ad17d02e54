"""References have one grammar: KIND:NAME[@VERSION]."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import UsageError
from drystone.core.refs import KINDS, Reference, is_valid_alias, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model:churn@v7", Reference("model", "churn", "v7")),
        ("churn", Reference(None, "churn", None)),
        ("data:flights@", Reference("data", "flights", "")),
        ("data:raw/eu.west-1@git:HEAD~2", Reference("data", "raw/eu.west-1", "git:HEAD~2")),
        ("model:churn@b3:0a1b2c3d", Reference("model", "churn", "b3:0a1b2c3d")),
    ],
)
def test_a_reference_is_read_in_parts(text: str, expected: Reference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", ":", "@v1", "model:", "model:@v1", "../etc", "a//b", "a/", "a b", "-x"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a reference"):
        parse(text)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as raised:
        parse("modell:churn")
    assert "`model`" in raised.value.hints[0]


@pytest.mark.parametrize(
    ("text", "number"), [("m@v1", 1), ("m@v120", 120), ("m@v0", None), ("m@vx", None), ("m", None)]
)
def test_only_v_and_a_positive_number_is_a_version_number(text: str, number: int | None) -> None:
    assert parse(text).number == number


@pytest.mark.parametrize("alias", ["v1", "b3:ab", "git:x", "", "1st", "a b"])
def test_an_alias_can_be_mistaken_for_nothing_else(alias: str) -> None:
    assert not is_valid_alias(alias)


@given(
    st.sampled_from([None, *KINDS]),
    st.from_regex(r"[a-z0-9_]{1,8}(/[a-z0-9._-]{0,3}[a-z]){0,2}", fullmatch=True).filter(
        lambda n: "/." not in n and "/-" not in n
    ),
    st.one_of(st.none(), st.from_regex(r"[a-z0-9:~^]{0,9}", fullmatch=True)),
)
def test_writing_and_reading_a_reference_is_the_identity(
    kind: str | None, name: str, version: str | None
) -> None:
    reference = Reference(kind, name, version)
    assert parse(str(reference)) == reference
