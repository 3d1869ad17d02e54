"""`drystone run -- COMMAND`: any command, observed and on record; nothing about it is reused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import DrystoneError, UsageError
from drystone.ledger.facts import Edge, Fact
from drystone.pipeline import metrics
from drystone.pipeline.capture import UNWRITABLE, Capture
from drystone.pipeline.observation import Observation
from drystone.pipeline.observer import observe
from drystone.pipeline.present import Present
from drystone.pipeline.rooms import Rooms
from drystone.pipeline.steps import COMMANDS
from drystone.pipeline.tracing import Account, Findings
from drystone.tracking import parameters
from drystone.tracking.environment import fingerprint
from drystone.tracking.recorder import ActiveRun
from drystone.workspace.lockfile import Lock

Sink = Callable[[bytes], None]


class CommandResult(NamedTuple):
    """How a tracked command ended.

    Attributes:
        exit_code: its own.
        interrupted: whether the user stopped it; `timed_out` whether its time was up.
        label: how far it was observed; `warnings` are sentences about what could not be recorded.
    """

    run: str
    exit_code: int
    seconds: float
    interrupted: bool
    label: str
    warnings: tuple[str, ...]
    timed_out: bool = False


def run_command(
    rooms: Rooms,
    command: Sequence[str],
    *,
    cwd: Path,
    sink: Sink,
    errors: Sink | None = None,
    timeout: float | None = None,
) -> CommandResult:
    """Run a command and record what it printed, read, wrote and measured.

    It gets the user's whole environment, standard input, and the signal that interrupts us. No lock is
    written and no step is made.

    Args:
        rooms: what to work with.
        command: the command and its arguments.
        cwd: where it runs, absolute, in the project.
        sink: is given its output as it appears.
        errors: is given its standard error; `sink` is if there is none.
        timeout: seconds that it may take.

    Raises:
        UsageError: there is no command.
    """
    if not command:
        raise UsageError(
            "there is no command to run", hints=["name one behind `--`, e.g. `drystone run -- make`"]
        )
    run = _start(rooms, command, cwd)
    capture = Capture(run, rooms.layout)
    locked, warnings = _locked(rooms)
    started = rooms.clock.now()
    try:
        seen = _observe(rooms, capture, run.id, command, cwd, (sink, errors), timeout)
    except BaseException as error:
        run.finish("killed", error=f"{type(error).__name__}: {error}")
        raise
    try:
        warnings += _record(rooms, run, seen, started, locked)
        run.tags({f"drystone.warning.{number}": text for number, text in enumerate(warnings, 1)})
    except UNWRITABLE as error:
        warnings.append(f"not everything was recorded: {error}")
    _finish(capture, seen)
    warnings += filter(None, [capture.problem])
    rooms.index.close()
    return CommandResult(
        run=run.id,
        exit_code=seen.exit_code,
        seconds=seen.seconds,
        interrupted=seen.ended == "interrupted",
        label=seen.label,
        warnings=tuple(warnings),
        timed_out=seen.ended == "timeout",
    )


def _start(rooms: Rooms, command: Sequence[str], cwd: Path) -> ActiveRun:
    return rooms.recorder.start(
        kind="command",
        name=_name(command, cwd),
        command=command,
        parent=rooms.parent,
        code=rooms.code(),
        environment=rooms.store.put_bytes(fingerprint(_interpreter(rooms, command)).data),
    )


def _locked(rooms: Rooms) -> tuple[Collection[str], list[str]]:
    """Paths that are tracked, or why nobody knows: a damaged lock is no reason not to run a command."""
    try:
        return Lock.read(rooms.layout.lock).paths.keys(), []
    except DrystoneError as error:
        reasons = "; ".join(error.because)
        return (), [f"tracked files that it read outside `data/` and `models/` are not told: {reasons}"]


def _observe(
    rooms: Rooms,
    capture: Capture,
    run: str,
    command: Sequence[str],
    cwd: Path,
    sinks: tuple[Sink, Sink | None],
    timeout: float | None,
) -> Observation:
    def logged(sink: Sink) -> Sink:
        def take(data: bytes) -> None:
            capture.write(data)
            sink(data)

        return take

    sink, errors = sinks
    given = {"DRYSTONE_RUN": run, "DRYSTONE_ROOT": str(rooms.layout.root)}
    return observe(
        command,
        cwd=cwd,
        env={**rooms.settings.variables, **given},
        root=rooms.layout.root,
        output=logged(sink),
        errors=logged(errors) if errors is not None else None,
        ignore=rooms.territory.unseen,
        timeout=timeout,
        interrupted=rooms.interrupted,
        stop_signal=lambda: rooms.received,
        inherit_stdin=True,
    )


def _name(command: Sequence[str], cwd: Path) -> str:
    """What to call the run: its script if it has one, else its program; without the suffix of a language."""

    def is_script(word: str) -> bool:
        file = cwd / word
        return file.is_file() and (file.suffix in COMMANDS or os.access(file, os.X_OK))

    called = Path(next(filter(is_script, command[1:]), command[0]))
    return called.stem if called.suffix in COMMANDS else called.name


def _interpreter(rooms: Rooms, command: Sequence[str]) -> Path:
    """The Python whose packages count: the command itself if it is one, else the project's."""
    if Path(command[0]).name.startswith("python"):
        found = shutil.which(command[0], path=rooms.settings.variables.get("PATH"))
        if found is not None:
            return Path(found)
    return rooms.interpreter


def _record(
    rooms: Rooms, run: ActiveRun, seen: Observation, started: int, locked: Collection[str]
) -> list[str]:
    present = Present(rooms.territory, rooms.index, frozenset())
    found = Account(seen, rooms.territory, present, started, ()).findings()
    warnings: list[str] = []
    run.record(*_edges(run.id, found, present, locked, warnings))
    numbers = metrics.read(rooms.layout.root, [name for name in found.outputs if metrics.is_metrics(name)])
    run.metrics(numbers.values)
    warnings += numbers.warnings
    if any(name in parameters.FILES for name in found.reads):
        try:
            run.params(parameters.flatten(parameters.load(rooms.layout.root)[1]))
        except DrystoneError as error:
            warnings.append(f"parameters were not recorded: {error.message}")
    run.tags(
        {
            "drystone.label": seen.label,
            "drystone.seconds": f"{seen.seconds:.3f}",
            "drystone.cpu_seconds": f"{seen.cpu:.3f}",
            "drystone.peak_bytes": str(seen.peak),
        }
    )
    return warnings


def _edges(
    run: str, found: Findings, present: Present, locked: Collection[str], warnings: list[str]
) -> list[Fact]:
    """Data that was read, and everything that was written; code that was read is told by the commit."""
    edges: list[Fact] = [
        Edge(run, "read", name, object_id)
        for name, object_id in found.reads.items()
        if name in locked or name.startswith(("data/", "models/"))
    ]
    for name in found.outputs:
        try:
            output = present.output(name)
        except DrystoneError as error:  # a pipe, perhaps
            warnings.append(f"`{name}` was not recorded: {error.message}")
            continue
        if output is not None:
            edges.append(Edge(run, "write", name, output.object, output.kind == "tree"))
    return edges


def _finish(run: Capture, seen: Observation) -> None:
    match seen.ended:
        case "exited":
            run.finish("failed" if seen.exit_code else "succeeded", seen.exit_code)
        case "timeout":
            run.finish("killed", seen.exit_code, "it did not end in time")
        case "interrupted":
            run.finish("killed", seen.exit_code, "it was interrupted")
        case "signal":
            run.finish("killed", seen.exit_code, f"it was killed by signal {seen.exit_code - 128}")
