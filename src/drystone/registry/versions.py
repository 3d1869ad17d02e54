"""Numbering: what was stored under a name becomes its next version."""

from __future__ import annotations

from drystone.core.clock import Clock
from drystone.core.errors import UsageError
from drystone.core.refs import is_valid_name
from drystone.ledger import names
from drystone.ledger.facts import AssetKind, VersionRegistered
from drystone.ledger.ledger import Ledger


def register(
    ledger: Ledger,
    kind: AssetKind,
    name: str,
    *,
    object: str,  # noqa: A002  the word of the glossary and of the fact
    path: str,
    size: int,
    run: str | None,
    clock: Clock,
) -> VersionRegistered:
    """Register an object as the next version of a name.

    What is already the newest version stays that version: registering it again records nothing.
    Safe against any number of processes registering at once.

    Args:
        ledger: where it is recorded.
        kind: `data` or `model`.
        name: its name, e.g. `late-arrival`.
        object: id of the object or tree.
        path: where it lies in the work tree, relative to the root, posix.
        size: bytes, of a tree the sum of its files.
        run: the run that made it, None where no run did.
        clock: tells the time of registration.

    Raises:
        UsageError: `name` cannot stand in a reference.
    """
    if not is_valid_name(name):
        raise UsageError(
            f"`{name}` cannot be the name of a {kind}",
            because="a name is made of letters, digits, `_`, `.` and `-`, its parts joined by `/`",
        )
    with ledger.exclusive():
        newest = names.newest(ledger, kind, name)
        if newest is not None and newest.object == object:
            return newest
        version = VersionRegistered(
            kind=kind,
            name=name,
            version=newest.version + 1 if newest else 1,
            object=object,
            path=path,
            time=clock.now(),
            size=size,
            run=run,
        )
        ledger.record(version)
        return version


def reference(version: VersionRegistered) -> str:
    """The text that names this version: `model:late-arrival@v2`."""
    return f"{version.kind}:{version.name}@v{version.version}"
