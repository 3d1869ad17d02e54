"""The bar, on a real terminal: there after a second, gone in the end, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drystone.objects.sharing import Sharing

Terminal = Callable[..., "tuple[int, str]"]

_LONG = 2.5  # seconds


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Runs a command whose standard error is a terminal; gives its exit code and what was shown there."""

    def call(*words: str, until: Callable[[bytes], None] = lambda _: None, **environ: str) -> tuple[int, str]:
        ours, its = pty.openpty()
        process = subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=its,
        )
        os.close(its)
        shown = b""
        for data in _read(ours):
            shown += data
            until(shown)
        os.close(ours)
        return process.wait(), shown.decode()

    return call


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            return
        if not data:
            return
        yield data


@pytest.fixture
def drystone_on(terminal: Terminal) -> Terminal:
    """As `terminal`, for a verb."""
    return lambda *words, **more: terminal(str(Path(sys.executable).parent / "drystone"), *words, **more)


@contextmanager
def collecting(root: Path, seconds: float = _LONG) -> Iterator[Callable[[], None]]:
    """Somebody collects garbage, for so long or until told to end: who wants to store something waits."""
    begun, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with Sharing(root / ".drystone" / "objects").alone():
            begun.set()
            ended.wait(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(10)
    yield ended.set
    thread.join()


@pytest.fixture
def data(repository: Path) -> Path:
    (repository / "data").mkdir()
    for name in range(50):
        (repository / "data" / str(name)).write_bytes(b"%d" % name * 100)
    return repository


@pytest.mark.parametrize("words", [("add", "data"), ("checkout", "--force")])
def test_what_takes_more_than_a_second_has_a_bar(
    data: Path, drystone_on: Terminal, words: tuple[str, ...]
) -> None:
    if words[0] == "checkout":
        assert drystone_on("add", "data")[0] == 0
        (data / "data" / "7").write_text("of my own")
    what = {"add": "adding", "checkout": "checking out"}[words[0]]
    with collecting(data, 60) as end:
        code, shown = drystone_on(*words, until=lambda shown: end() if what.encode() in shown else None)
    assert code == 0, shown
    assert what in shown
    assert "\x1b[?25h" in shown.split("\x1b[?25l")[1]  # the cursor is back
    assert (data / "data" / "7").read_text() == "7" * 100


@pytest.mark.parametrize(
    "words", [("add", "data"), ("add", "--dry-run", "data"), ("status",), ("checkout",), ("fsck",), ("gc",)]
)
def test_what_is_quick_has_none(data: Path, drystone_on: Terminal, words: tuple[str, ...]) -> None:
    code, shown = drystone_on(*words)
    assert code == 0, shown
    assert "\x1b" not in shown


def test_no_bar_where_a_program_reads_or_nothing_can_be_drawn(data: Path, drystone_on: Terminal) -> None:
    with collecting(data):
        assert drystone_on("add", "data", "--json") == (0, "")
    (data / "data" / "new").touch()
    with collecting(data):
        code, shown = drystone_on("add", "data", TERM="dumb")
    assert (code, "\x1b" in shown, "adding" in shown) == (0, False, False)


def test_a_bar_counts_and_goes_on_to_what_follows(terminal: Terminal) -> None:
    script = """
import os, sys, threading, time
from pathlib import Path
from drystone.cli.context import Context
from drystone.cli.progress import bar

context = Context(cwd=Path.cwd(), environ=dict(os.environ), stdout=sys.stdout, stderr=sys.stderr)
with bar(context, "fetching", 40_000_000) as progress:
    time.sleep(1.2)
    for _ in range(3):
        threads = [threading.Thread(target=progress, args=(1_000_000,)) for _ in range(5)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        time.sleep(0.3)
    following = progress.then("writing", 80_000_000)
    for _ in range(3):
        following(11_000_000)
        time.sleep(0.3)
"""
    code, shown = terminal(sys.executable, "-c", script, COLUMNS="120")
    assert code == 0, shown
    assert "fetching" in shown and "15.0/40.0 MB" in shown
    assert "writing" in shown and "33.0/80.0 MB" in shown.split("writing", 1)[1]
