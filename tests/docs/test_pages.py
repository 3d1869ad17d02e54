"""What pages show in `console` blocks is done, each page in a fresh repository, and prints what they say."""

from __future__ import annotations

import itertools
import socket
import subprocess
from pathlib import Path

import pytest

from .transcript import Command, File, Terminal, acts, fits, goes_on_from, told

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```console\n" in page.read_text()
]

#: A page that another one goes on from is run with that one.
LAST = [page for page in PAGES if not any(page in goes_on_from(other) for other in PAGES)]


def test_the_pages_that_tell_how_to_do_something_show_it() -> None:
    shown = {page.stem for page in PAGES}
    assert shown >= {"README", "check-data-and-models", "serve-and-monitor", "track-any-command"}


@pytest.mark.parametrize("page", LAST, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], check=True)
    with Terminal(tmp_path, _free_port()) as terminal:
        for act, following in itertools.pairwise([*acts(page), None]):
            if isinstance(act, File):
                terminal.write(tmp_path, act)
                continue
            assert isinstance(act, Command)
            printed, status = terminal.run(act)
            if not fits(printed, act.prints):
                assert f"$ {act.text}\n{told(printed)}" == f"$ {act.text}\n{told(act.prints)}"
            if status and "error:" not in act.prints:  # a failure is shown as one, or asked for
                assert isinstance(following, Command) and following.text == "echo $?", printed


@pytest.mark.parametrize(
    ("printed", "expected", "fit"),
    [
        ("took 1.53 s\n", "took 0.2 s", True),
        ("a\nb\nc\n", "a\n...\nc", True),
        ("a\nb\nd\n", "a\n...\nc", False),
        ("a (b)\n", "a (c)", False),
        ("ran  twice\n", "ran twice\n", True),
        ("", "something", False),
    ],
)
def test_what_is_compared(printed: str, expected: str, fit: bool) -> None:
    assert fits(printed, expected) is fit


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
