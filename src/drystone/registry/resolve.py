"""From a reference to the version it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from drystone.core.errors import Ambiguous, NotFound, UsageError
from drystone.core.ids import short
from drystone.core.refs import Reference
from drystone.core.suggest import similar
from drystone.ledger import names
from drystone.ledger.facts import AssetKind, VersionRegistered
from drystone.ledger.ledger import Ledger

#: Given a git revision and a path, the id of the object that `drystone.lock` held for it there.
LockedAt = Callable[[str, str], str | None]

_KINDS: tuple[AssetKind, ...] = ("data", "model")
_OBJECT_PREFIX = re.compile(r"(?:b3:)?([0-9a-f]{8,64})")
_MOST_SHOWN = 5


def resolve(ledger: Ledger, reference: Reference, *, locked_at: LockedAt | None = None) -> VersionRegistered:
    """The registered version that a reference to data or a model means.

    `v7` is a number, a word an alias, 8 or more hex digits the beginning of an object's id,
    `git:REV` what that commit's lock holds; nothing after `@`, and no `@`, is the newest. An alias
    goes before an object whose id begins with the same digits.

    Args:
        ledger: where versions are recorded.
        reference: what to look for; a kind left out is found where the name is unambiguous.
        locked_at: reads another commit's lock, for `git:REV`.

    Raises:
        NotFound: there is no such name, version or alias; similar ones are named.
        Ambiguous: data and a model have that name, or several objects begin so.
        UsageError: a kind that has no versions, or `git:REV` where no commit can be read.
    """
    kind = _kind(ledger, reference)
    versions = names.versions(ledger, kind, reference.name)
    if not versions:
        _no_such_name(ledger, kind, reference.name)
    text = reference.version or ""
    if not text:
        return versions[-1]
    if reference.number is not None:
        return _numbered(versions, reference.number)
    if text.startswith("git:"):
        return _committed(versions, text.removeprefix("git:"), locked_at)
    aliases = names.aliases(ledger, kind, reference.name)
    if text in aliases:
        number = aliases[text].version
        assert number is not None  # `aliases` holds those that stand
        return _numbered(versions, number)
    prefix = _OBJECT_PREFIX.fullmatch(text)
    if prefix:
        return _by_object(versions, prefix[1])
    raise NotFound(
        f"`{kind}:{reference.name}` has no alias `{text}`",
        hints=[
            *(f"an alias with a similar name exists: `{near}`" for near in similar(text, aliases)),
            f"list versions and aliases with `drystone ls {kind}:{reference.name}`",
        ],
    )


def _kind(ledger: Ledger, reference: Reference) -> AssetKind:
    for kind in _KINDS:
        if reference.kind == kind:
            return kind
    if reference.kind is not None:
        raise UsageError(
            f"a {reference.kind} has no versions: `{reference}`",
            because="versions are registered of data and models",
        )
    having = [kind for kind in _KINDS if names.newest(ledger, kind, reference.name) is not None]
    if len(having) > 1:
        raise Ambiguous(
            f"`{reference.name}` is both data and a model",
            hints=[f"say which: `{Reference(kind, *reference[1:])}`" for kind in having],
        )
    if not having:
        _no_such_name(ledger, None, reference.name)
    return having[0]


def _no_such_name(ledger: Ledger, kind: AssetKind | None, name: str) -> NoReturn:
    known = [
        (other, found) for other in _KINDS for found in names.names(ledger, other) if kind in (None, other)
    ]
    hints = []
    for near in similar(name, {found for _, found in known}):
        of = next(other for other, found in known if found == near)
        hints.append(f"{_noun(of)} with a similar name exists: `{of}:{near}`")
    if kind is not None:
        for other in _KINDS:
            if other != kind and names.newest(ledger, other, name) is not None:
                hints.append(f"{_noun(other)} has that name: `{other}:{name}`")
        hints.append(f"list what there is with `drystone ls {kind}`")
        raise NotFound(f"no {kind} named `{name}`", hints=hints)
    raise NotFound(
        f"no data or model named `{name}`",
        hints=[*hints, "list what there is with `drystone ls data` or `drystone ls model`"],
    )


def _noun(kind: AssetKind) -> str:
    return "data" if kind == "data" else "a model"


def _numbered(versions: list[VersionRegistered], number: int) -> VersionRegistered:
    for version in versions:
        if version.version == number:
            return version
    last = versions[-1]
    raise NotFound(
        f"`{last.kind}:{last.name}` has no version v{number}",
        because=f"its newest is v{last.version}",
        hints=[f"list its versions with `drystone ls {last.kind}:{last.name}`"],
    )


def _by_object(versions: list[VersionRegistered], digits: str) -> VersionRegistered:
    """The newest version among those that are the one object beginning so."""
    matching = [version for version in versions if version.object.startswith(f"b3:{digits}")]
    objects = {version.object for version in matching}
    last = versions[-1]
    if not matching:
        raise NotFound(
            f"no version of `{last.kind}:{last.name}` is an object that begins with `b3:{digits}`",
            hints=[f"list its versions with `drystone ls {last.kind}:{last.name}`"],
        )
    if len(objects) > 1:
        shown = [f"`v{version.version}` is `{version.object[:19]}…`" for version in matching[:_MOST_SHOWN]]
        raise Ambiguous(
            f"several versions of `{last.kind}:{last.name}` begin with `b3:{digits}`",
            because=", ".join(shown),
            hints=[f"name one by number, as in `{last.kind}:{last.name}@v{matching[-1].version}`"],
        )
    return matching[-1]


def _committed(
    versions: list[VersionRegistered], revision: str, locked_at: LockedAt | None
) -> VersionRegistered:
    last = versions[-1]
    subject = f"{last.kind}:{last.name}"
    if locked_at is None:
        raise UsageError(
            f"`{subject}@git:{revision}` cannot be read here",
            because="this command does not read other commits' locks",
            hints=[f"name a version instead, as in `{subject}@v{last.version}`"],
        )
    object_id = locked_at(revision, last.path)
    if object_id is None:
        raise NotFound(
            f"commit `{revision}` holds no `{subject}`",
            because=f"`{last.path}` is not in its `drystone.lock`",
            hints=[f"list its versions with `drystone ls {subject}`"],
        )
    for version in reversed(versions):
        if version.object == object_id:
            return version
    raise NotFound(
        f"what commit `{revision}` holds as `{subject}` was never registered here",
        because=f"its lock names `{short(object_id)}`",
        hints=[f"list its versions with `drystone ls {subject}`"],
    )
