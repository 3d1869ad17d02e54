"""Aliases: names that point at a version and move, with their whole history."""

from __future__ import annotations

from typing import Literal

from drystone.core.clock import Clock
from drystone.core.errors import NotFound, UsageError
from drystone.core.refs import is_valid_alias
from drystone.core.suggest import similar
from drystone.ledger import names
from drystone.ledger.facts import AliasMoved, AssetKind, VersionRegistered
from drystone.ledger.ledger import Ledger

Gate = Literal["passed", "overridden", "none"]


def check_name(alias: str) -> None:
    """Refuse what cannot be an alias.

    Raises:
        UsageError: `alias` is not a word, or could be taken for a version number.
    """
    if not is_valid_alias(alias):
        raise UsageError(
            f"not an alias: `{alias}`",
            because="an alias is a word such as `champion` that cannot be taken for a version as in `v7`",
        )


def move(
    ledger: Ledger,
    version: VersionRegistered,
    alias: str,
    *,
    by: str | None,
    clock: Clock,
    gate: Gate = "none",
    reason: str | None = None,
    evidence: tuple[str, ...] = (),
) -> AliasMoved:
    """Point an alias at a version. Gates are asked before, by `gates.promote`.

    An alias that already stands there, for the same reason, is left as it is and its last move returned.

    Raises:
        UsageError: `alias` is not a word, or could be taken for a version number.
    """
    check_name(alias)
    with ledger.exclusive():
        standing = names.aliases(ledger, version.kind, version.name).get(alias)
        if standing is not None and (standing.version, standing.gate, standing.reason) == (
            version.version,
            gate,
            reason,
        ):
            return standing
        moved = AliasMoved(
            kind=version.kind,
            name=version.name,
            alias=alias,
            version=version.version,
            time=clock.now(),
            previous=standing.version if standing else None,
            by=by,
            reason=reason,
            gate=gate,
            evidence=evidence,
        )
        ledger.record(moved)
        return moved


def remove(
    ledger: Ledger, kind: AssetKind, name: str, alias: str, *, by: str | None, clock: Clock
) -> AliasMoved:
    """Take an alias away; its history stays.

    Raises:
        NotFound: no version of that name has this alias.
    """
    with ledger.exclusive():
        standing = names.aliases(ledger, kind, name)
        if alias not in standing:
            near = similar(alias, standing)
            raise NotFound(
                f"`{kind}:{name}` has no alias `{alias}`",
                hints=[f"an alias with a similar name exists: `{known}`" for known in near],
            )
        moved = AliasMoved(
            kind=kind,
            name=name,
            alias=alias,
            version=None,
            time=clock.now(),
            previous=standing[alias].version,
            by=by,
        )
        ledger.record(moved)
        return moved
