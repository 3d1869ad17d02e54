"""The pytest plugin: fixtures `data` and `model`, and the third outcome `unsure`.

Pytest loads this module in every project of an environment that has Drystone, so it imports nothing
but pytest and the standard library, and each hook returns at once unless a test has used a fixture
of ours or `drystone test` started the session. Plain `pytest checks/` judges and records nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drystone.checks.stash import LOG, SESSION

if TYPE_CHECKING:
    from drystone.checks.claims import ClaimLog
    from drystone.checks.data import Data
    from drystone.checks.model import Model


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `drystone test` say what it wants."""
    parser.getgroup("drystone").addoption(
        "--drystone-session",
        metavar="FILE",
        help="record evidence as `drystone test` asks in this file; not for use by hand",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Switch recording on if `drystone test` started this session."""
    file = config.getoption("--drystone-session")
    if file:
        from drystone.checks.recording import Recording, read_session

        session = read_session(Path(file))
        config.stash[SESSION] = session
        worker = hasattr(config, "workerinput")  # of pytest-xdist
        config.pluginmanager.register(Recording(session, worker=worker), "drystone-recording")
    else:
        config.args[:] = [each for argument in config.args for each in _expanded(config, argument)]


def _expanded(config: pytest.Config, argument: str) -> list[str]:
    """The files of a Drystone project's `checks/` in its place: their names need no `test_`."""
    folder = config.invocation_params.dir / argument
    root = folder.parent
    if folder.name != "checks" or not ((root / "drystone.lock").exists() or (root / ".drystone").is_dir()):
        return [argument]
    from drystone.checks.discovery import check_files

    return [str(file) for file in check_files(folder)] or [argument]


@pytest.fixture
def data(request: pytest.FixtureRequest) -> Data:
    """A dataset of this project to make claims about; `data("flights")` is the one of that name.

    As it stands it is the dataset that the file is named after, or the only one.
    """
    from drystone.checks.fixtures import make_data

    return make_data(request, _log(request.node))


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Model:
    """A model of this project to make claims about; `model("churn")` is the one of that name.

    As it stands it is the model that the file is named after, or the only one.
    """
    from drystone.checks.fixtures import make_model

    return make_model(request, _log(request.node))


def _log(item: pytest.Item) -> ClaimLog:
    """The claims of a test, shared by its fixtures."""
    from drystone.checks.claims import ClaimLog

    return item.stash.setdefault(LOG, ClaimLog())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Fail a test whose claims failed, at its end, so that one run tells everything that is wrong."""
    if LOG not in pyfuncitem.stash:
        return (yield)
    from drystone.checks.fixtures import skip_if_elsewhere
    from drystone.checks.verdicts import ClaimsFailed

    log, session = pyfuncitem.stash[LOG], pyfuncitem.config.stash.get(SESSION, None)
    with skip_if_elsewhere(log, session):
        result = yield
    if any(claim.verdict == "fail" for claim in log.claims):
        raise ClaimsFailed
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in the report what the claims say."""
    report = yield
    if LOG in item.stash or SESSION in item.config.stash:
        from drystone.checks.verdicts import annotate

        annotate(report, item, call, item.stash.get(LOG, None))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Show the third outcome."""
    if report.when == "call" and getattr(report, "drystone_unsure", False):
        return "unsure", "u", ("UNSURE", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell why checks were unsure."""
    unsure = terminalreporter.stats.get("unsure", [])
    if unsure:
        terminalreporter.section("unsure: too little data to say")
        for report in unsure:
            terminalreporter.write_line(f"{report.nodeid}\n{report.longrepr[2]}")
