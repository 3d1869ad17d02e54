"""The part of the plugin that `drystone test` switches on: it says what happens, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.checks import outcome
from drystone.checks.outcome import Collected, Finished, Message, Outcome, Session, Uncollected
from drystone.checks.verdicts import kind_of

_TAIL = 2000


def read_session(file: Path) -> Session:
    """The session file that `drystone test` wrote.

    Raises:
        pytest.UsageError: it cannot be read.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Session)
    except (OSError, msgspec.MsgspecError) as error:
        raise pytest.UsageError(f"--drystone-session {file}: {error}") from error


class Recording:
    """Hooks that append a line to the outcomes file for everything `drystone test` wants to know.

    Args:
        session: what it wants to know, and where.
        worker: whether this is a process that another one gave its tests to; that one reports them.
    """

    def __init__(self, session: Session, *, worker: bool) -> None:
        self._session, self._worker = session, worker
        # Appending whole lines with one write each: what was said stays said if the process dies.
        self._file = os.open(session.outcomes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._say(Collected({item.nodeid: kind_of(item) for item in items}))
        kinds = {given.kind for given in self._session.given}
        if kinds:
            left_out = [item for item in items if kind_of(item) not in kinds]
            items[:] = [item for item in items if kind_of(item) in kinds]
            config.hook.pytest_deselected(items=left_out)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self._worker:
            self._say(Uncollected(report.nodeid, report.longreprtext[-_TAIL:]))

    def pytest_runtest_logreport(self, report: Any) -> None:
        plain = getattr(report, "drystone", None)
        if plain is not None and not self._worker:
            self._say(msgspec.convert(plain, Outcome))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if not self._worker:
            self._say(Finished(int(exitstatus)))

    def pytest_unconfigure(self) -> None:
        os.close(self._file)

    def _say(self, message: Message) -> None:
        os.write(self._file, outcome.encode(message) + b"\n")
