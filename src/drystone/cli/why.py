"""`drystone why`: the chain behind anything."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.ids import short

if TYPE_CHECKING:
    from drystone.project.why import Cause

SUMMARY = "explain a prediction, run, step, version, view or deployment by what it came from"
EXAMPLE = "drystone why step:train"

_FACT_COLOURS = {"pass": "green", "fail": "red", "unsure": "yellow"}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("what", help="a prediction id, a run id, a step's name, or KIND:NAME[@VERSION]")


def run(arguments: Namespace, context: Context) -> int:
    """Print the tree of causes."""
    from drystone.project.why import why

    cause = why(context.project(), arguments.what)
    if arguments.json:
        context.json(cause)
    else:
        _print(cause, context, "", "")
    return 0


def _print(cause: Cause, context: Context, first: str, rest: str) -> None:
    name = f"  {context.style(short(cause.id), 'dim')}" if cause.id else ""
    context.out(f"{first}{context.style(cause.what, 'bold')}{name}")
    bar = "│ " if cause.because else "  "
    width = max((len(word) for word, _ in cause.facts), default=0)
    for word, value in cause.facts:
        colour = _FACT_COLOURS.get(word, "dim")
        context.out(f"{rest}{bar}{context.style(word.ljust(width), colour)}  {value}")
    for position, child in enumerate(cause.because):
        last = position == len(cause.because) - 1
        _print(child, context, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
