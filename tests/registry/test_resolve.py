from __future__ import annotations

import pytest

from drystone.core.clock import ManualClock
from drystone.core.errors import Ambiguous, NotFound, UsageError
from drystone.core.refs import parse
from drystone.ledger.facts import VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.registry import aliases
from drystone.registry.resolve import LockedAt, resolve

from .registry_world import Registering, object_id


@pytest.fixture
def churn(registering: Registering) -> list[VersionRegistered]:
    return [registering("churn", digits) for digits in ("aaaaaaaa1", "aaaaaaaa2", "bbbbbbbb")]


def _resolve(ledger: Ledger, text: str, locked_at: LockedAt | None = None) -> VersionRegistered:
    return resolve(ledger, parse(text), locked_at=locked_at)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("model:churn", 3),
        ("model:churn@", 3),
        ("churn", 3),
        ("model:churn@v1", 1),
        ("churn@v2", 2),
        ("churn@bbbbbbbb", 3),
        ("churn@b3:bbbbbbbb", 3),
        ("churn@aaaaaaaa2", 2),
        (f"churn@{object_id('aaaaaaaa1')}", 1),
    ],
)
def test_a_reference_names_one_version(
    ledger: Ledger, churn: list[VersionRegistered], text: str, number: int
) -> None:
    assert _resolve(ledger, text) == churn[number - 1]


def test_an_alias_names_what_it_points_at(
    ledger: Ledger, clock: ManualClock, churn: list[VersionRegistered]
) -> None:
    aliases.move(ledger, churn[0], "stable", by=None, clock=clock)
    assert _resolve(ledger, "churn@stable") == churn[0]


def test_an_alias_goes_before_an_object_of_the_same_digits(
    ledger: Ledger, clock: ManualClock, churn: list[VersionRegistered]
) -> None:
    aliases.move(ledger, churn[0], "bbbbbbbb", by=None, clock=clock)
    assert _resolve(ledger, "churn@bbbbbbbb") == churn[0]


def test_one_object_under_two_numbers_is_the_newer(
    ledger: Ledger, churn: list[VersionRegistered], registering: Registering
) -> None:
    registering("churn", "aaaaaaaa1")
    assert _resolve(ledger, "churn@aaaaaaaa1").version == 4


def test_a_prefix_of_several_objects_is_ambiguous_and_lists_them(
    ledger: Ledger, churn: list[VersionRegistered]
) -> None:
    with pytest.raises(Ambiguous) as raised:
        _resolve(ledger, "churn@aaaaaaaa")
    assert "`v1`" in raised.value.because[0]
    assert "`v2`" in raised.value.because[0]


def test_a_name_of_data_and_of_a_model_is_ambiguous_without_its_kind(
    ledger: Ledger, churn: list[VersionRegistered], registering: Registering
) -> None:
    data = registering("churn", "cc", kind="data")
    with pytest.raises(Ambiguous) as raised:
        _resolve(ledger, "churn@v1")
    assert raised.value.hints == ("say which: `data:churn@v1`", "say which: `model:churn@v1`")
    assert _resolve(ledger, "data:churn") == data


def test_a_misspelt_name_is_told_the_similar_ones(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(NotFound) as raised:
        _resolve(ledger, "model:chrun")
    assert raised.value.message == "no model named `chrun`"
    assert raised.value.hints == (
        "a model with a similar name exists: `model:churn`",
        "list what there is with `drystone ls model`",
    )


def test_a_name_of_the_other_kind_is_pointed_out(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(NotFound) as raised:
        _resolve(ledger, "data:churn")
    assert "a model has that name: `model:churn`" in raised.value.hints


def test_an_unknown_name_without_a_kind_is_not_found(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(NotFound, match="no data or model named `weather`"):
        _resolve(ledger, "weather")


def test_a_misspelt_alias_is_told_the_similar_ones(
    ledger: Ledger, clock: ManualClock, churn: list[VersionRegistered]
) -> None:
    aliases.move(ledger, churn[0], "champion", by=None, clock=clock)
    with pytest.raises(NotFound) as raised:
        _resolve(ledger, "churn@chapmion")
    assert raised.value.hints[0] == "an alias with a similar name exists: `champion`"


def test_a_number_beyond_the_newest_is_not_found(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(NotFound, match="has no version v9") as raised:
        _resolve(ledger, "churn@v9")
    assert raised.value.because == ("its newest is v3",)


def test_an_object_nobody_registered_is_not_found(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(NotFound, match="b3:cccccccc"):
        _resolve(ledger, "churn@cccccccc")


def test_a_kind_without_versions_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="a step has no versions"):
        _resolve(ledger, "step:train")


def test_a_commit_names_what_its_lock_holds(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    asked = []

    def locked_at(revision: str, path: str) -> str | None:
        asked.append((revision, path))
        return churn[1].object

    assert _resolve(ledger, "churn@git:HEAD~1", locked_at) == churn[1]
    assert asked == [("HEAD~1", "models/churn")]


def test_a_commit_that_holds_nothing_of_that_name_is_not_found(
    ledger: Ledger, churn: list[VersionRegistered]
) -> None:
    with pytest.raises(NotFound, match="holds no `model:churn`"):
        _resolve(ledger, "churn@git:HEAD", lambda revision, path: None)


def test_a_commit_whose_object_was_never_registered_is_not_found(
    ledger: Ledger, churn: list[VersionRegistered]
) -> None:
    with pytest.raises(NotFound, match="never registered"):
        _resolve(ledger, "churn@git:HEAD", lambda revision, path: object_id("ee"))


def test_a_commit_cannot_be_read_without_a_reader(ledger: Ledger, churn: list[VersionRegistered]) -> None:
    with pytest.raises(UsageError):
        _resolve(ledger, "churn@git:HEAD")
