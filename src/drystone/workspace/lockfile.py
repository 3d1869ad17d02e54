"""`drystone.lock`: what the tracked paths and steps are, by content; committed to git.

Text behind a header, sorted, each entry with a blank line before it: git takes changes of adjacent
lines for a conflict, and with the blank lines two branches may change neighbours and merge.

    # drystone.lock 1

    path data/flights.parquet b3:<64 hex> file 123456

    step train b3:<64 hex of the trace>

Names are escaped as in tree objects, so no name contains a space or a line break.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from drystone.core.errors import Conflict, Corrupt, ProjectInvalid
from drystone.core.ids import is_object_id
from drystone.objects.atomic import explained, write_atomic
from drystone.objects.entry import Entry, Kind, escape, is_safe_name, kind_of, parse_size, unescape, word_of

HEADER = "# drystone.lock 1"
#: How the lines begin with which git sets conflicting lines apart.
MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_RESOLVE = (
    "keep one line of each conflict with `drystone git-merge --ours` (or `--theirs`), or in an editor",
    "merge it anew with `git checkout --merge drystone.lock`",
)


class LockedPath(msgspec.Struct, frozen=True):
    """What a tracked path is: the fields of its `Entry` but the name."""

    object: str
    kind: Kind
    size: int
    executable: bool = False

    @classmethod
    def of(cls, entry: Entry) -> LockedPath:
        """The locked form of an entry."""
        return cls(entry.object, entry.kind, entry.size, entry.executable)

    def entry(self, path: str) -> Entry:
        """The entry of the tracked path `path`."""
        return Entry(path.rpartition("/")[2], self.kind, self.object, self.size, self.executable)


class Lock(msgspec.Struct, frozen=True):
    """The content of `drystone.lock`.

    Attributes:
        paths: by posix path relative to the root; none lies inside another.
        steps: trace object by step name.
    """

    paths: dict[str, LockedPath] = {}
    steps: dict[str, str] = {}

    @classmethod
    def read(cls, path: Path) -> Lock:
        """The lock in a file, empty if there is no file.

        Raises:
            Corrupt: the file cannot be understood; the error names the line.
            ProjectInvalid: it cannot be read.
        """
        data = read_bytes(path)
        return cls() if data is None else cls.parse(data)

    @classmethod
    def parse(cls, data: bytes) -> Lock:
        """The inverse of `encode`; order and blank lines do not matter, as git may have merged them.

        Raises:
            Corrupt: with the number of the first line that is wrong.
        """
        paths: dict[str, LockedPath] = {}
        steps: dict[str, str] = {}
        lines = data.split(b"\n")
        for number, raw in enumerate(lines, start=1):
            line = _text(raw, number)
            if line.startswith(MARKERS):
                raise Corrupt(
                    "`drystone.lock` has unresolved merge conflicts",
                    at=f"drystone.lock:{number}",
                    hints=_RESOLVE,
                )
            if number == 1:
                _check_header(line)
            elif line:
                _add(line, number, paths, steps)
        if lines[-1]:
            raise _bad(len(lines), "the last line is cut off")
        overlap = overlapping(paths)
        if overlap:
            raise _bad(_line_of(lines, overlap[1]), f"`{overlap[1]}` lies inside `{overlap[0]}`")
        return cls(paths, steps)

    def encode(self) -> bytes:
        """The bytes of the file; equal locks give equal bytes.

        Raises:
            Conflict: one tracked path lies inside another.
        """
        overlap = overlapping(self.paths)
        if overlap:
            raise Conflict(f"`{overlap[1]}` cannot be tracked: it lies inside `{overlap[0]}`, which is")
        lines = [HEADER]
        for path, locked in sorted(self.paths.items(), key=lambda item: escape(item[0])):
            lines.append(path_line(path, locked))
        lines.extend(step_line(step, trace) for step, trace in sorted(self.steps.items()))
        return ("\n\n".join(lines) + "\n").encode()

    def entries(self) -> Iterator[Entry]:
        """All that it names: tracked paths, called by their whole paths, and the traces of steps."""
        for path, locked in self.paths.items():
            yield Entry(path, locked.kind, locked.object, locked.size, locked.executable)
        for step, trace in self.steps.items():
            yield Entry(f"trace of step {step}", "file", trace, 0)

    def changed(
        self,
        *,
        paths: Mapping[str, LockedPath | None] | None = None,
        steps: Mapping[str, str | None] | None = None,
    ) -> Lock:
        """A lock with some entries set, or removed where the new value is None."""
        new_paths = {**self.paths, **(paths or {})}
        new_steps = {**self.steps, **(steps or {})}
        return Lock(
            {path: locked for path, locked in new_paths.items() if locked is not None},
            {step: trace for step, trace in new_steps.items() if trace is not None},
        )


def read_bytes(path: Path) -> bytes | None:
    """What a lock file holds, None if there is no file.

    Raises:
        ProjectInvalid: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise ProjectInvalid(
            f"`{path.name}` is a folder, and must be a file",
            at=str(path),
            hints=[
                f"move it away with `mv {path.name} {path.name}.folder`; if there was a lock, then take the "
                f"last committed one with `git checkout HEAD -- {path.name}`"
            ],
        ) from error
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be read", path) from error


def path_line(path: str, locked: LockedPath) -> str:
    """The line of a tracked path."""
    word = word_of(locked.kind, locked.executable)
    return f"path {escape(path)} {locked.object} {word} {locked.size}"


def step_line(step: str, trace: str) -> str:
    """The line of a step."""
    return f"step {escape(step)} {trace}"


def write(path: Path, lock: Lock) -> None:
    """Replaces the lock file atomically; leaves it alone if it has these bytes already.

    Raises:
        Conflict: one tracked path lies inside another.
        WorkFailed: the disk is full.
        ProjectInvalid: permission is missing.
    """
    data = lock.encode()
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass  # absent, or the write below will say what is wrong
    replace(path, data, path.parent / ".drystone")


def replace(path: Path, data: bytes, state: Path) -> None:
    """Replaces a file at the root; what a killed process leaves is not in git's way.

    Args:
        path: the file.
        data: its new bytes.
        state: `layout.state`.

    Raises:
        WorkFailed, ProjectInvalid: it cannot be written.
    """
    is_near = state.is_dir() and state.stat().st_dev == path.parent.stat().st_dev
    write_atomic(path, data, temporary_in=state if is_near else None)


def update(path: Path, guards: Path, change: Callable[[Lock], Lock]) -> Lock:
    """Reads the lock, changes it and writes it, while no other process does the same.

    Args:
        path: the lock file.
        guards: `layout.guards`, where the file lies that is locked meanwhile.
        change: gives the new lock.

    Raises:
        Corrupt, Conflict, WorkFailed, ProjectInvalid: as `Lock.read` and `write`.
    """
    with guarded(path, guards):
        lock = change(Lock.read(path))
        write(path, lock)
        return lock


@contextmanager
def guarded(path: Path, guards: Path) -> Iterator[None]:
    """While this lasts, no other process changes the lock.

    Raises:
        WorkFailed, ProjectInvalid: the file that is locked cannot be made.
    """
    with held(guards / "drystone.lock", f"`{path.name}` cannot be changed"):
        yield


@contextmanager
def held(guard: Path, otherwise: str) -> Iterator[None]:
    """Holds a guard alone; the kernel frees it when its holder dies.

    Args:
        guard: a file, made if need be.
        otherwise: what to say where that cannot be.

    Raises:
        WorkFailed, ProjectInvalid: it cannot be made.
    """
    try:
        guard.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise explained(error, otherwise, guard.parent) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_safe_path(path: str) -> bool:
    """Whether a lock may name `path`: relative, normal, and neither git's nor Drystone's own."""
    parts = path.split("/")
    return all(map(is_safe_name, parts)) and parts[0] not in (".drystone", "drystone.lock")


def overlapping(paths: Mapping[str, object]) -> tuple[str, str] | None:
    """Two of `paths`, the second inside the first, if there are such."""
    for path in sorted(paths):
        parent = path
        while parent := parent.rpartition("/")[0]:
            if parent in paths:
                return parent, path
    return None


def _text(raw: bytes, number: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _bad(number, "it is not text in UTF-8") from None


def _check_header(line: str) -> None:
    if line == HEADER:
        return
    if re.fullmatch("# drystone.lock [0-9]+", line):
        raise ProjectInvalid(
            f"`drystone.lock` is in format {line.rpartition(' ')[2]}, known here is 1",
            hints=["update with `pip install --upgrade drystone`"],
        )
    raise _bad(1, f"the first line is not `{HEADER}`")


def _add(line: str, number: int, paths: dict[str, LockedPath], steps: dict[str, str]) -> None:
    words = line.split(" ")
    kind, escaped = words[0], words[1] if len(words) > 1 else ""
    try:
        name = unescape(escaped)
    except ValueError:
        raise _bad(number, f"{escaped!a} is not an escaped name") from None
    if kind == "path" and len(words) == 5:
        locked = _locked(*words[2:])
        if locked is None:
            raise _bad(number, "the line cannot be read")
        if not is_safe_path(name):
            raise _bad(number, f"the path {name!a} may not be tracked")
        if name in paths:
            raise _bad(number, f"a second line for the path `{escaped}`")
        paths[name] = locked
    elif kind == "step" and len(words) == 3 and name and is_object_id(words[2]):
        if name in steps:
            raise _bad(number, f"a second line for the step `{escaped}`")
        steps[name] = words[2]
    else:
        raise _bad(number, "the line cannot be read")


def _locked(content: str, word: str, size: str) -> LockedPath | None:
    kind, number = kind_of(word), parse_size(size)
    if kind is None or number is None or not is_object_id(content):
        return None
    return LockedPath(content, kind[0], number, kind[1])


def _line_of(lines: list[bytes], path: str) -> int:
    start = f"path {escape(path)} ".encode()
    return next(number for number, line in enumerate(lines, start=1) if line.startswith(start))


def _bad(number: int, because: str) -> Corrupt:
    return Corrupt(
        "`drystone.lock` cannot be understood",
        at=f"drystone.lock:{number}",
        because=because,
        hints=["take the last committed one with `git checkout HEAD -- drystone.lock`"],
    )
