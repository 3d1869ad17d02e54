"""The static table of verbs: all that `drystone` knows before it knows what you want."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from drystone.cli.context import Context

#: In the order of a project's life; `drystone --help` and `docs/reference/cli.md` follow it.
VERBS = (
    "status",
    "init",
    "run",
    "add",
    "untrack",
    "checkout",
    "get",
    "push",
    "pull",
    "remote",
    "undo",
    "log",
    "ls",
    "show",
    "diff",
    "why",
    "join",
    "test",
    "promote",
    "serve",
    "monitor",
    "server",
    "import",
    "export",
    "fsck",
    "gc",
    "doctor",
    "completion",
)
#: What git calls for us: left out of `drystone --help`, told at the end of `docs/reference/cli.md`.
PLUMBING = ("git-merge", "git-hook")
ALIASES = {"ui": "server"}
_MODULES = {"import": "import_"}  # a word of Python's own names no module


class Verb(Protocol):
    """What a module `drystone.cli.VERB` offers."""

    SUMMARY: str
    EXAMPLE: str

    def add_arguments(self, parser: ArgumentParser) -> None: ...

    def run(self, arguments: Namespace, context: Context) -> int: ...


def load(name: str) -> Verb:
    """The module of a verb."""
    name = ALIASES.get(name, name)
    module = _MODULES.get(name, name.replace("-", "_"))
    return cast(Verb, importlib.import_module(f"drystone.cli.{module}"))
