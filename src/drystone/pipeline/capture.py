"""What a command prints, kept as long as there is room: a full disk ends neither command nor record."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress

from drystone.core.errors import DrystoneError
from drystone.core.layout import Layout
from drystone.ledger.facts import Status
from drystone.tracking.recorder import ActiveRun

_TAIL = 20
#: What a full disk is met as, by whoever writes.
UNWRITABLE = (OSError, sqlite3.Error, DrystoneError)


class Capture:
    """Takes a command's output to its run's log and remembers the last lines.

    Attributes:
        problem: a sentence if the log is not whole, else "".
    """

    def __init__(self, run: ActiveRun, layout: Layout) -> None:
        self._run = run
        self._log = layout.logs / f"{run.id}.log"
        self._last = b""
        self.problem = ""

    def write(self, data: bytes) -> None:
        """Take some output."""
        self._last = (self._last + data)[-16_384:]
        if not self.problem:
            try:
                self._run.log_output(data)
            except OSError as error:
                self.problem = f"what it printed was not kept whole: {(error.strerror or str(error)).lower()}"

    @property
    def text(self) -> str:
        """The last lines."""
        return "\n".join(self._last.decode("utf-8", "replace").rstrip().splitlines()[-_TAIL:])

    def finish(self, status: Status, exit_code: int | None, error: str | None = None) -> None:
        """End the run; where there is no room for what was printed, without it."""
        try:
            self._run.finish(status, exit_code, error)
        except UNWRITABLE as problem:
            self.problem = f"what it printed was not kept: {problem}"
            with suppress(OSError):
                os.truncate(self._log, 0)
            with suppress(*UNWRITABLE):  # not even for a line: it counts as lost
                self._run.finish(status, exit_code, error)
