"""Reading the command line with argparse, without abbreviations and with our own errors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from drystone.cli import verbs
from drystone.cli.context import Context
from drystone.core.errors import UsageError
from drystone.core.suggest import similar

DESCRIPTION = "The whole cycle of data, model and code, in any git repository."
EXIT_CODES = (
    "exit codes: 0 ok, 1 the work failed, 2 usage, 3 project invalid, 4 not found or ambiguous,\n"
    "5 conflict, 6 remote unreachable, 70 our bug, 130 interrupted; `run -- CMD` gives CMD's own"
)


class Parser(argparse.ArgumentParser):
    """argparse that raises `UsageError` and never guesses abbreviations."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hints=[f"see `{self.prog} --help`"])


def verb_parser(name: str) -> Parser:
    """The parser of one verb."""
    verb = verbs.load(name)
    parser = Parser(
        prog=f"drystone {name}",
        description=verb.SUMMARY,
        epilog=f"example:\n  {verb.EXAMPLE}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    if "--json" not in parser._option_string_actions:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def overview() -> str:
    """`drystone --help`."""
    width = max(map(len, verbs.VERBS))
    lines = [f"usage: drystone [-C DIR] VERB ...\n\n{DESCRIPTION}\n"]
    lines += [f"  {name:<{width}}  {verbs.load(name).SUMMARY}" for name in verbs.VERBS]
    lines += ["", "`drystone VERB --help` tells more; `ui` is `server`.", "", EXIT_CODES]
    return "\n".join(lines)


def dispatch(words: Sequence[str], context: Context) -> int:
    """Run the verb that the words name.

    Raises:
        UsageError: they name none, or its arguments are off.
    """
    rest = list(words)
    while rest[:1] == ["-C"]:
        if len(rest) < 2:
            raise UsageError("`-C` needs a folder")
        context.move(rest[1])
        rest = rest[2:]
    if not rest or rest[0] in ("-h", "--help", "help"):
        context.out(overview())
        return 0
    name, *given = rest
    if name not in (*verbs.VERBS, *verbs.PLUMBING, *verbs.ALIASES):
        raise _no_such_verb(name)
    parser = verb_parser(name)
    command = None
    has_command = "command" in parser._defaults
    if has_command and "--" in given:  # everything behind it is somebody else's command line
        split = given.index("--")
        given, command = given[:split], given[split + 1 :]
    elif given[-1:] == ["--"]:  # it ends the options, and argparse minds where nothing comes behind
        given = given[:-1]
    try:
        arguments = parser.parse_args(given)
    except SystemExit as stop:  # --help has printed and asks to leave
        return int(stop.code or 0)
    if has_command:
        arguments.command = command
    context.dry_run = getattr(arguments, "dry_run", False)
    return verbs.load(name).run(arguments, context)


def _no_such_verb(name: str) -> UsageError:
    if name.startswith("-"):
        return UsageError(f"no such option: `{name}`", hints=["see `drystone --help`"])
    near = similar(name, [*verbs.VERBS, *verbs.ALIASES])
    hints = [f"a verb with a similar name exists: `drystone {near[0]}`"] if near else []
    return UsageError(f"no such verb: `{name}`", hints=[*hints, "list verbs with `drystone --help`"])
