"""Making the fixtures: what pytest knows becomes values for `Data` and `Model`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drystone.checks.claims import ClaimLog
from drystone.checks.data import Data
from drystone.checks.model import Model
from drystone.checks.outcome import Session
from drystone.checks.stash import SESSION
from drystone.checks.subjects import Elsewhere, Subjects
from drystone.core.errors import NotARepository
from drystone.core.layout import Layout

_SUBJECTS = pytest.StashKey[Subjects]()


def make_data(request: pytest.FixtureRequest, log: ClaimLog) -> Data:
    """The fixture `data` of one test."""
    return Data(_subjects(request), log, request.path, _clock(request.config))


def make_model(request: pytest.FixtureRequest, log: ClaimLog) -> Model:
    """The fixture `model` of one test."""
    return Model(_subjects(request), log, request.path)


@contextmanager
def skip_if_elsewhere(log: ClaimLog, session: Session | None) -> Iterator[None]:
    """Skip a test that turns out not to be about what the session is about."""
    try:
        yield
    except Elsewhere as other:
        log.elsewhere = other.about
        pytest.skip(str(other))
    if session is None or not session.given:
        return
    wanted = [one.about for one in session.given]
    if log.judged and not any(about in log.judged for about in wanted):
        pytest.skip(f"not about {', '.join(wanted)}")


def _subjects(request: pytest.FixtureRequest) -> Subjects:
    config = request.config
    if _SUBJECTS not in config.stash:
        session = config.stash.get(SESSION, None)
        if session is not None:
            layout, scratch = Layout(Path(session.root)), Path(session.scratch)
        else:
            layout = Layout(_root(request.path))
            scratch = request.getfixturevalue("tmp_path_factory").mktemp("drystone")
        config.stash[_SUBJECTS] = Subjects(layout, session, scratch)
    return config.stash[_SUBJECTS]


def _root(file: Path) -> Path:
    for folder in file.resolve().parents:
        if (folder / ".git").exists():
            return folder
    raise NotARepository(
        "the fixtures `data` and `model` are of a Drystone project, and this is none",
        because=f"there is no git repository around `{file.name}`",
        hints=["make one with `git init`"],
    )


def _clock(config: pytest.Config) -> Callable[[], int]:
    session = config.stash.get(SESSION, None)
    return time.time_ns if session is None else lambda: session.now
