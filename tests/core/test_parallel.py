"""Each in a new interpreter: one that has threads does not fork, and other tests' libraries start some."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from drystone.core.parallel import processors

several = pytest.mark.skipif(processors() < 2, reason="needs two processors")
PRELUDE = """
import json, os, signal, threading
from drystone.core.errors import NotFound, WorkFailed
from drystone.core.parallel import spread

def squares(numbers):
    return os.getpid(), [number**2 for number in numbers]
"""


def told(program: str) -> object:
    """What a program says as its last word, in JSON."""
    done = subprocess.run([sys.executable, "-c", PRELUDE + program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@several
def test_shares_are_done_by_processes_and_come_back_in_order() -> None:
    answer = told("print(json.dumps([os.getpid(), spread(squares, range(1001), least=100)]))")
    assert isinstance(answer, list)
    here, shares = answer
    assert [square for _, share in shares for square in share] == [number**2 for number in range(1001)]
    assert shares[0][0] == here
    assert len({process for process, _ in shares}) == len(shares) == min(processors(), 8)


@pytest.mark.parametrize("number", [0, 1, 199])
def test_little_is_done_here(number: int) -> None:
    program = (
        f"print(json.dumps([[os.getpid()], [p for p, _ in spread(squares, range({number}), least=100)]]))"
    )
    answer = told(program)
    assert isinstance(answer, list)
    assert answer[0] == answer[1]


def test_a_process_with_threads_is_not_forked() -> None:
    assert (
        told(
            "done = threading.Event()\n"
            "threading.Thread(target=done.wait).start()\n"
            "print(len(spread(squares, range(1000), least=1)))\n"
            "done.set()"
        )
        == 1
    )


FAILING = """
def work(numbers):
    if {number} in numbers:
        {does}
    elif {others}:
        signal.pause()

try:
    spread(work, range(1000), least=1)
except Exception as error:
    found = error.as_dict()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    found["left"] = 0
print(json.dumps(found))
"""


@several
def test_what_a_share_raises_is_raised_whole() -> None:
    raising = "raise NotFound('the last', at='here', hints=['look'])"
    found = told(FAILING.format(number=999, does=raising, others=False))
    assert isinstance(found, dict)
    assert (found["code"], found["message"], found["at"], found["hints"]) == (
        "not-found",
        "the last",
        ["here"],
        ["look"],
    )


@several
def test_a_killed_process_is_told() -> None:
    found = told(FAILING.format(number=999, does="os.kill(os.getpid(), signal.SIGKILL)", others=False))
    assert isinstance(found, dict)
    assert (found["code"], found["because"]) == ("work-failed", ["it was killed by SIGKILL"])


@several
def test_where_one_share_fails_the_others_are_ended() -> None:
    found = told(FAILING.format(number=0, does="raise NotFound('the first')", others=True))
    assert isinstance(found, dict)
    assert (found["message"], found["left"]) == ("the first", 0)


@several
def test_threads_that_nobody_needs_do_not_keep_from_forking() -> None:
    assert told(
        "from drystone.core.parallel import bystanders\n"
        "done = threading.Event()\n"
        "thread = threading.Thread(target=done.wait)\n"
        "bystanders.add(thread)\n"
        "thread.start()\n"
        "print(len(spread(squares, range(1000), least=1)))\n"
        "done.set()"
    ) == min(processors(), 8)


def test_what_all_processes_tell_is_passed_on_in_one_sum() -> None:
    program = (
        "from drystone.core.parallel import Tally\n"
        "heard = []\n"
        "tally = Tally(heard.append)\n"
        "def work(numbers):\n"
        "    for number in numbers:\n"
        "        tally(number)\n"
        "spread(work, range(1000), least=10)\n"
        "spread(work, range(1000), least=10)\n"
        "tally(0)\n"
        "print(sum(heard))"
    )
    assert told(program) == 2 * sum(range(1000))
