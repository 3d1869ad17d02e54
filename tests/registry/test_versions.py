from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drystone.core.clock import ManualClock
from drystone.core.errors import UsageError
from drystone.core.layout import Layout
from drystone.ledger import names
from drystone.ledger.ledger import Ledger
from drystone.registry.versions import reference, register

from .registry_world import Registering, object_id


def test_versions_count_from_one(registering: Registering) -> None:
    assert [registering("churn", digits).version for digits in ("aa", "bb", "cc")] == [1, 2, 3]


def test_the_same_object_again_is_the_same_version(registering: Registering, ledger: Ledger) -> None:
    first = registering("churn", "aa")
    assert registering("churn", "aa") == first
    assert names.versions(ledger, "model", "churn") == [first]


def test_an_older_object_again_is_a_new_version(registering: Registering) -> None:
    registering("churn", "aa")
    registering("churn", "bb")
    assert registering("churn", "aa").version == 3


def test_data_and_models_of_one_name_are_numbered_apart(registering: Registering) -> None:
    registering("churn", "aa")
    assert registering("churn", "aa", kind="data").version == 1


@pytest.mark.parametrize("name", ["", "a b", "-x", "a@b", "a/"])
def test_a_name_that_no_reference_can_hold_is_refused(ledger: Ledger, clock: ManualClock, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        register(ledger, "model", name, object=object_id("aa"), path="p", size=1, run=None, clock=clock)


def test_a_version_is_named_by_its_reference(registering: Registering) -> None:
    assert reference(registering("late-arrival", "aa")) == "model:late-arrival@v1"


_REGISTER_MANY = """
import sys
from pathlib import Path
from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger
from drystone.registry.versions import register

with Ledger.open(Layout(Path(sys.argv[1]))) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(10, 40):
        name = "b3:" + f"{sys.argv[2]}{turn}".ljust(64, "0")
        register(ledger, "model", "churn", object=name, path="p", size=1, run=None, clock=SystemClock())
"""


def test_processes_that_register_at_once_get_different_numbers(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _REGISTER_MANY, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen([*command, worker], **pipes) for worker in "12"]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    with Ledger.open(Layout(tmp_path)) as ledger:
        found = names.versions(ledger, "model", "churn")
    assert [version.version for version in found] == list(range(1, 61))
    assert len({version.object for version in found}) == 60
