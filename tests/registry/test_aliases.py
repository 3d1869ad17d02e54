from __future__ import annotations

import pytest

from drystone.core.clock import ManualClock
from drystone.core.errors import NotFound, UsageError
from drystone.ledger import names
from drystone.ledger.ledger import Ledger
from drystone.registry import aliases

from .registry_world import Registering


def test_an_alias_moves_and_keeps_its_history(
    ledger: Ledger, clock: ManualClock, registering: Registering
) -> None:
    first, second = registering("churn", "aa"), registering("churn", "bb")
    for version in (first, second, first):
        clock.advance(1)
        aliases.move(ledger, version, "stable", by="ada", clock=clock)
    moves = names.alias_history(ledger, "model", "churn", "stable")
    assert [(move.previous, move.version) for move in moves] == [(None, 1), (1, 2), (2, 1)]
    assert {move.by for move in moves} == {"ada"}
    assert names.aliases(ledger, "model", "churn")["stable"].version == 1


def test_an_alias_that_stands_there_already_records_nothing(
    ledger: Ledger, clock: ManualClock, registering: Registering
) -> None:
    version = registering("churn", "aa")
    first = aliases.move(ledger, version, "stable", by="ada", clock=clock)
    clock.advance(1)
    assert aliases.move(ledger, version, "stable", by="bob", clock=clock) == first
    assert len(names.alias_history(ledger, "model", "churn")) == 1


def test_a_removed_alias_is_gone_and_its_history_stays(
    ledger: Ledger, clock: ManualClock, registering: Registering
) -> None:
    aliases.move(ledger, registering("churn", "aa"), "stable", by=None, clock=clock)
    clock.advance(1)
    removed = aliases.remove(ledger, "model", "churn", "stable", by="ada", clock=clock)
    assert (removed.version, removed.previous) == (None, 1)
    assert names.aliases(ledger, "model", "churn") == {}
    assert len(names.alias_history(ledger, "model", "churn", "stable")) == 2


def test_removing_an_alias_that_is_not_there_names_the_similar_one(
    ledger: Ledger, clock: ManualClock, registering: Registering
) -> None:
    aliases.move(ledger, registering("churn", "aa"), "stable", by=None, clock=clock)
    with pytest.raises(NotFound) as raised:
        aliases.remove(ledger, "model", "churn", "stabel", by=None, clock=clock)
    assert raised.value.hints == ("an alias with a similar name exists: `stable`",)


@pytest.mark.parametrize("alias", ["v7", "", "a b", "git:x", "1st", "b3:00"])
def test_what_could_be_taken_for_something_else_is_no_alias(
    ledger: Ledger, clock: ManualClock, registering: Registering, alias: str
) -> None:
    with pytest.raises(UsageError, match="not an alias"):
        aliases.move(ledger, registering("churn", "aa"), alias, by=None, clock=clock)
