"""Reading named versions and the aliases that point at them."""

from __future__ import annotations

from typing import Any, TypeVar

from drystone.ledger.facts import AliasMoved, AssetKind, Fact, VersionRegistered, decode
from drystone.ledger.ledger import Ledger

_AnyFact = TypeVar("_AnyFact", bound=Fact)


def decoded(rows: list[Any], kind: type[_AnyFact]) -> list[_AnyFact]:
    """The facts in the first column of rows."""
    found = []
    for row in rows:
        fact = decode(row[0])
        assert isinstance(fact, kind)
        found.append(fact)
    return found


def names(ledger: Ledger, kind: AssetKind) -> list[str]:
    """Names with at least one version, sorted."""
    return [
        name
        for (name,) in ledger.query("SELECT DISTINCT name FROM version WHERE kind = ? ORDER BY 1", (kind,))
    ]


def versions(ledger: Ledger, kind: AssetKind, name: str) -> list[VersionRegistered]:
    """Every version, oldest first."""
    rows = ledger.query(
        "SELECT fact FROM version WHERE kind = ? AND name = ? ORDER BY version, object", (kind, name)
    )
    return decoded(rows, VersionRegistered)


def version(ledger: Ledger, kind: AssetKind, name: str, number: int) -> VersionRegistered | None:
    """One version by its number."""
    rows = ledger.query(
        "SELECT fact FROM version WHERE kind = ? AND name = ? AND version = ?", (kind, name, number)
    )
    return decoded(rows, VersionRegistered)[0] if rows else None


def newest(ledger: Ledger, kind: AssetKind, name: str) -> VersionRegistered | None:
    """The version with the highest number."""
    rows = ledger.query(
        "SELECT fact FROM version WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1", (kind, name)
    )
    return decoded(rows, VersionRegistered)[0] if rows else None


def of_object(ledger: Ledger, object_id: str) -> list[VersionRegistered]:
    """The versions that are this object, under whatever names."""
    rows = ledger.query(
        "SELECT fact FROM version WHERE object = ? ORDER BY kind, name, version", (object_id,)
    )
    return decoded(rows, VersionRegistered)


def alias_history(ledger: Ledger, kind: AssetKind, name: str, alias: str | None = None) -> list[AliasMoved]:
    """Every move of one alias, or of all aliases of a name, oldest first."""
    rows = ledger.query(
        "SELECT fact FROM alias WHERE kind = ? AND name = ? AND (? IS NULL OR alias = ?) ORDER BY time, fact",
        (kind, name, alias, alias),
    )
    return decoded(rows, AliasMoved)


def aliases(ledger: Ledger, kind: AssetKind, name: str) -> dict[str, AliasMoved]:
    """Aliases that stand, with the move that put them where they are."""
    last = {move.alias: move for move in alias_history(ledger, kind, name)}
    return {alias: move for alias, move in sorted(last.items()) if move.version is not None}
