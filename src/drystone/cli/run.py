"""`drystone run`: the steps, or any command."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drystone.core.errors import UsageError
from drystone.core.ids import short

if TYPE_CHECKING:
    from drystone.cli.context import Context
    from drystone.pipeline.results import Event, PipelineResult, RunOptions, StepResult

SUMMARY = "run the steps that need it, or track any command behind `--`"
EXAMPLE = "drystone run train    drystone run -- python experiment.py"

_INTERRUPTED = 130
_COLOURS = {
    "ran": "green",
    "restored": "cyan",
    "failed": "red",
    "blocked": "yellow",
    "would-run": "green",
    "may-run": "yellow",
    "would-restore": "cyan",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("steps", nargs="*", metavar="STEP", help="only these, and what they need")
    parser.add_argument("--force", action="store_true", help="run them even if nothing changed")
    parser.add_argument("--dry-run", action="store_true", help="say what would run and why, and run nothing")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="stop a step that takes longer")
    parser.add_argument("--wait", action="store_true", help="wait for another `drystone run` to end")
    parser.set_defaults(command=None)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Run, and print one line per step."""
    if arguments.timeout is not None and not arguments.timeout > 0:
        raise UsageError(f"not a time limit: `{arguments.timeout:g}` seconds")
    if arguments.command is not None:
        return _command(arguments, context)
    from drystone.pipeline.engine import run_steps
    from drystone.pipeline.results import RunOptions

    options = RunOptions(
        steps=tuple(arguments.steps),
        force=arguments.force,
        dry_run=arguments.dry_run,
        wait=arguments.wait,
        timeout=arguments.timeout,
    )
    rooms = context.project().rooms
    printer = _Printer(context)
    with _stoppable(rooms.interrupt):
        result = run_steps(rooms, options, printer.tell)
    if arguments.json:
        context.json({**result.as_dict(), "dry_run": context.dry_run})
    else:
        printer.versions()
        _close(result, options, context)
    if result.interrupted:
        return _INTERRUPTED
    return result.error.exit if result.error else 0


def _command(arguments: argparse.Namespace, context: Context) -> int:
    from drystone.pipeline.command import run_command

    if arguments.steps or arguments.force or arguments.dry_run:
        raise UsageError("steps and a command behind `--` do not go together")
    rooms = context.project().rooms
    with _stoppable(rooms.interrupt):
        ended = run_command(
            rooms,
            arguments.command,
            cwd=context.cwd,
            sink=_silence if arguments.json else context.raw,
            errors=_silence if arguments.json else context.raw_error,
            timeout=arguments.timeout,
        )
    if arguments.json:
        context.json(ended)
    else:
        if ended.timed_out:
            context.note(f"stopped after {arguments.timeout:g} s")
        for warning in ended.warnings:
            context.note(f"warning: {warning}")
        context.note(f"run {short(ended.run)} is on record: `drystone show {short(ended.run)}`")
    return ended.exit_code


def _silence(_data: bytes) -> None:
    """Print nothing: standard output is for the document."""


class _Printer:
    """One line per step as it comes to rest; standard error is also told what is going on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registered: list[tuple[str, str]] = []
        self._width = max((len(name) for name in context.project().pipeline_steps()), default=0)

    def tell(self, event: Event) -> None:
        from drystone.pipeline.results import StepFinished, StepRegistered, StepStarted

        context = self._context
        if context.json_mode:
            return
        if isinstance(event, StepFinished):
            result = event.result
            tail = result.tail.splitlines() if result.outcome == "failed" else ()
            context.out(self._line(result))
            for line in (*result.notes, *(f"| {line}" for line in tail)):
                context.out(f"{'':<{self._width}}  {context.style(line, 'dim')}")
        elif isinstance(event, StepRegistered):
            self._registered += [
                (f"{version.kind}:{version.name}@v{version.version}", event.step)
                for version in event.published
            ]
        else:
            word = "starts: " if isinstance(event, StepStarted) else ""  # the other reasons say that it waits
            context.note(f"{event.step:<{self._width}}  {word}{event.because}")

    def versions(self) -> None:
        """One line per version, below all steps, with the step that made it."""
        width = max((len(made) for made, _ in self._registered), default=0)
        for made, step in self._registered:
            self._context.out(f"registered  {self._context.style(f'{made:<{width}}', 'cyan')}  by {step}")

    def _line(self, result: StepResult) -> str:
        outcome = self._context.style(f"{result.outcome:<13}", *filter(None, [_COLOURS.get(result.outcome)]))
        seconds = f"{result.seconds:7.1f} s" if result.seconds else " " * 9
        return f"{result.step:<{self._width}}  {outcome} {seconds}  {result.because}".rstrip()


def _close(result: PipelineResult, options: RunOptions, context: Context) -> None:
    """What is to be said about the whole."""
    for note in result.notes:
        context.note(f"note: {note}")
    for path, why in result.others.items():
        context.note(f"note: `{path}` is not a step because {why}")
    counts: dict[str, int] = {}
    for step in result.steps:
        counts[step.outcome] = counts.get(step.outcome, 0) + 1
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    context.note(f"{told} in {result.seconds:.2f} s" + (", nothing was done" if options.dry_run else ""))
    if result.error is not None:
        context.error(result.error)


@contextmanager
def _stoppable(interrupt: Callable[[int], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end what is in progress, put a step's outputs back, and stop."""
    before = {
        number: signal.signal(number, lambda received, _frame: interrupt(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
