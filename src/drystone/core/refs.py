"""The one grammar of references: `KIND:NAME[@VERSION]`."""

from __future__ import annotations

import re
from typing import NamedTuple

from drystone.core.errors import UsageError

KINDS = ("data", "model", "view", "step", "run", "deploy")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")
_NUMBER = re.compile(r"v([1-9][0-9]*)")
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")


class Reference(NamedTuple):
    """A parsed reference.

    Attributes:
        kind: one of `KINDS`, or None where the text left it out.
        name: what is meant, e.g. `late-arrival`.
        version: `v7`, an alias, an object id or its prefix, `git:REV`, "" for the newest (`@`
            alone), or None where the text had no `@`. What None means is the caller's affair.
    """

    kind: str | None
    name: str
    version: str | None

    def __str__(self) -> str:
        kind = "" if self.kind is None else f"{self.kind}:"
        version = "" if self.version is None else f"@{self.version}"
        return f"{kind}{self.name}{version}"

    @property
    def number(self) -> int | None:
        """7 for `@v7`, None for every other version."""
        found = _NUMBER.fullmatch(self.version or "")
        return int(found[1]) if found else None


def parse(text: str) -> Reference:
    """Read a reference.

    Raises:
        UsageError: `text` is not of the form `[KIND:]NAME[@VERSION]`.
    """
    rest, at, version = text.partition("@")
    head, colon, tail = rest.partition(":")
    kind, name = (head, tail) if colon else (None, rest)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"not a reference: `{text}`",
            because="a reference is KIND:NAME[@VERSION], as in `model:churn@v7`",
        )
    if kind is not None and kind not in KINDS:
        raise UsageError(
            f"no such kind of thing: `{kind}`",
            because=f"`{text}` is read as KIND:NAME[@VERSION]",
            hints=[f"kinds are {', '.join(f'`{known}`' for known in KINDS)}"],
        )
    return Reference(kind, name, version if at else None)


def is_valid_name(name: str) -> bool:
    """Whether `name` can stand in a reference: letters, digits, `_ . -`, parts joined by `/`."""
    return _NAME.fullmatch(name) is not None


def is_valid_alias(alias: str) -> bool:
    """Whether `alias` can name a version: a word that cannot be mistaken for `v7`, `b3:` or `git:`."""
    return _ALIAS.fullmatch(alias) is not None and not _NUMBER.fullmatch(alias)
