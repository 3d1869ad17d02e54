"""Pages as transcripts: what they show is done, in order, in a terminal, and what comes is compared.

A page's `console` blocks hold commands: `$ ` begins one, `> ` continues it, the other lines are what it
prints; a line `...` stands for any lines, and an id that was printed may be typed later on. A block of
code whose first line is a comment with a path is that file. `<!-- after: PAGE -->` says that a page
goes on where another one ends.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_ID = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b")
#: What differs from one run to the next, and what stands for it.
VARYING = (
    (r"\d+\.\d+ m?s\b", "DURATION"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z( by \w+)?", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"seconds +\d+(\.\d+)?|bytes +\d+", "RESOURCES"),
    (r"b3:[0-9a-f]{8}", "OBJECT"),
    (r"commit [0-9a-f]{7}\b|code +[0-9a-f]{12}\b", "COMMIT"),
    (_ID.pattern, "ID"),
    (r"/\S+(?=/\.drystone/)", "ROOT"),
)
PORT = "8080"
_FILE = re.compile(r"(?:#|--) ([\w-]+(?:/[\w.-]+)*\.\w+)\b")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_AFTER = re.compile(r"<!-- after: (\S+) -->")
_ENDED = re.compile(r"<ended (\d+)>")
_PATIENCE_S = 60.0


class Command(NamedTuple):
    """A command and what the page says that it prints."""

    text: str
    prints: str


class File(NamedTuple):
    """A file that the page shows whole."""

    path: str
    content: str


def acts(page: Path) -> Iterator[Command | File]:
    """What a reader of the page does, in order, with the pages that it goes on from."""
    for before in goes_on_from(page):
        yield from acts(before)
    for kind, block in _BLOCK.findall(page.read_text()):
        if kind == "console":
            yield from _commands(block)
        elif named := _FILE.match(block):
            yield File(named[1], block)


def goes_on_from(page: Path) -> list[Path]:
    """The pages whose end is this one's beginning."""
    return [page.parent / name for name in _AFTER.findall(page.read_text())]


def _commands(block: str) -> list[Command]:
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ""))
        elif line == ">" or line.startswith("> "):
            found[-1] = Command(f"{found[-1].text}\n{line[2:]}", "")
        else:
            found[-1] = Command(found[-1].text, f"{found[-1].prints}{line}\n")
    return found


def told(text: str) -> str:
    """The text without what differs from one run to the next."""
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return re.sub(r" +", " ", text).strip()


def fits(printed: str, expected: str) -> bool:
    """Whether a command printed what the page says."""
    pattern = re.escape(told(expected)).replace(r"\.\.\.", ".*?")
    return re.fullmatch(pattern, told(printed), flags=re.DOTALL) is not None


class Terminal:
    """One shell in one folder, as a reader has it open; what it started dies with it.

    Args:
        folder: where it begins.
        port: what stands in for 8080, which may be taken here.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._port = str(port)
        self._ids: dict[str, str] = {}  # of the page, and what they are here
        # Commands come by a pipe of their own: they must not read what comes after them.
        commands, self._commands = os.pipe()
        loop = (
            f'status=0; while IFS= read -r -d "" -u {commands} command; do '
            '(exit $status); eval "$command"; status=$?; printf "<ended %s>" $status; done'
        )
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", loop],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[commands],
            start_new_session=True,
        )
        os.close(commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._commands)
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()

    def run(self, command: Command) -> tuple[str, int]:
        """What it prints and how it ends; of one that goes on in the background, what the page waits for."""
        text = _ID.sub(lambda found: self._ids.get(found[0], found[0]), command.text)
        os.write(self._commands, text.replace(PORT, self._port).encode() + b"\0")
        printed, deadline = b"", time.monotonic() + _PATIENCE_S
        while True:
            text = printed.decode(errors="replace").replace(self._port, PORT)
            shown, ended = _ENDED.sub("", text), _ENDED.search(text)
            if ended and (not command.text.endswith("&") or fits(shown, command.prints)):
                self._ids |= dict(zip(_ID.findall(command.prints), _ID.findall(shown), strict=False))
                return shown, int(ended[1])
            printed += self._more(deadline, shown)

    def _more(self, deadline: float, shown: str) -> bytes:
        assert self._shell.stdout is not None
        output = self._shell.stdout.fileno()
        if not select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"nothing more came after {_PATIENCE_S:g} s:\n{shown}")
        return os.read(output, 65536)

    def write(self, folder: Path, file: File) -> None:
        """Put a file of the page where it says."""
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content.replace(PORT, self._port))


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DRYSTONE_")}
    return {
        **own,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
    }
