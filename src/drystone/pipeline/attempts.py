"""What keeps the last good outputs safe: an execution in progress, on disk, until it is committed.

.drystone/attempts/STEP.json        who began, and what the step's outputs were
.drystone/attempts/STEP.outputs/    those outputs, moved out of the way
.drystone/attempts/STEP.wrote       each path that it was about to write, NUL behind each; if observed
.drystone/attempts/STEP.version     the trace of an execution whose datasets and models are no versions yet
.drystone/attempts/STEP.kept        what other files were before it changed them, a line of JSON for each
.drystone/leftovers/RUN/            what a failed execution made
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from drystone.core.errors import Corrupt
from drystone.core.layout import Layout
from drystone.objects.atomic import sync_directory, write_atomic
from drystone.workspace.lockfile import LockedPath

FORMAT = 1
_BEAT = 0.5
_ROOM = 1 << 20


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that has begun.

    Attributes:
        run: the run's id; it is the token by which a commit is known to be of this attempt.
        started: nanoseconds since the epoch.
        previous: what the step's outputs were before.
        edited: those of them that were something else in the work tree: the user had changed them.
        made: folders that the step made before; they go when they are empty.
    """

    run: str
    step: str
    started: int
    previous: dict[str, LockedPath]
    edited: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    format: int = FORMAT


_decode = msgspec.json.Decoder(Attempt).decode
_kept = msgspec.json.Decoder(tuple[str, LockedPath])


class Attempts:
    """The attempts of a project. At most one process works here: whoever holds the pipeline's guard."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def begin(self, attempt: Attempt) -> None:
        """Write the attempt down, durably."""
        self._layout.attempts.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file(attempt.step), msgspec.json.encode(attempt, order="sorted"))

    def unfinished(self) -> list[Attempt]:
        """Attempts that nobody finished: their process was killed, or the machine lost power.

        Raises:
            Corrupt: a file is none that `begin` wrote.
        """
        found = []
        for path in sorted(self._layout.attempts.glob("*.json")):
            try:
                found.append(_decode(path.read_bytes()))
            except msgspec.MsgspecError as error:
                raise Corrupt(
                    f"the attempt `{path.name}` cannot be read",
                    at=str(path),
                    because=str(error),
                    hints=[f"compare the work tree with `drystone status`, then remove it with `rm {path}`"],
                ) from None
        return found

    def set_aside(self, attempt: Attempt) -> None:
        """Move the step's outputs out of the way, so that an execution starts as in a fresh clone."""
        for name in attempt.previous:
            path = self._layout.root / name
            if os.path.lexists(path):
                self._move(path, self._aside(attempt, name))
        self._prune(attempt.made)

    def put_back(self, attempt: Attempt, strays: Iterable[str], made: Iterable[str] = ()) -> list[str]:
        """Undo an execution: what it made goes to the leftovers, the previous outputs come back.

        Args:
            attempt: the execution.
            strays: paths that it wrote.
            made: folders that it made.

        Returns:
            the strays that are in the leftovers now, for the user to know. On a full disk there are none:
            they are removed.
        """
        moved, room = [], self.have_room()
        aside = [name for name in attempt.previous if os.path.lexists(self._aside(attempt, name))]
        alone = [name for name in strays if not any(name.startswith(f"{other}/") for other in aside)]
        for name in dict.fromkeys([*alone, *aside]):
            path = self._layout.root / name
            if os.path.lexists(path) and room:
                self._move(path, self.leftovers(attempt.run) / name)
                moved.append(name)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self._prune(made)
        for name in aside:
            self._move(self._aside(attempt, name), self._layout.root / name)
        return moved

    def keep(self, attempt: Attempt, name: str, before: LockedPath) -> None:
        """Note what a file was that the execution is about to change."""
        with self._kept(attempt.step).open("ab") as file:
            file.write(msgspec.json.encode((name, before)) + b"\n")

    def kept(self, attempt: Attempt) -> dict[str, LockedPath]:
        """What files were before the execution changed them, as far as it came."""
        found = {}
        with suppress(FileNotFoundError, msgspec.MsgspecError):  # its last line may be torn
            for line in self._kept(attempt.step).read_bytes().splitlines():
                name, before = _kept.decode(line)
                found[name] = before
        return found

    def owe(self, step: str, trace_id: str) -> None:
        """Note, durably, that what a step's last execution made is to become versions if it stands."""
        self._layout.attempts.mkdir(parents=True, exist_ok=True)
        write_atomic(self._owed(step), f"{trace_id}\n".encode())

    def owed(self) -> dict[str, str]:
        """Traces by step whose datasets and models are no versions yet."""
        return {
            path.stem: path.read_text().strip() for path in sorted(self._layout.attempts.glob("*.version"))
        }

    def settle(self, step: str) -> None:
        """What a step made has become versions, or never will."""
        self._owed(step).unlink(missing_ok=True)

    @contextmanager
    def writing(self, attempt: Attempt) -> Iterator[Callable[[str], None]]:
        """Gives what notes each path that the execution is about to write: a killed one is undone by it."""
        with self._wrote(attempt.step).open("wb", buffering=0) as file:

            def note(name: str) -> None:
                with suppress(OSError):  # a full disk: the command is told by itself
                    file.write(os.fsencode(name) + b"\0")

            yield note

    def wrote(self, attempt: Attempt) -> list[str] | None:
        """What the execution was about to write; None if nobody observed it."""
        try:
            noted = self._wrote(attempt.step).read_bytes()
        except FileNotFoundError:
            return None
        return [os.fsdecode(name) for name in noted.split(b"\0")[:-1]] or None

    def have_room(self) -> bool:
        """Whether the disk has room for what is worth keeping but not needed."""
        return shutil.disk_usage(self._layout.root).free >= _ROOM

    def end(self, attempt: Attempt) -> None:
        """Forget the attempt and what was set aside for it."""
        shutil.rmtree(self._folder(attempt.step), ignore_errors=True)
        self._kept(attempt.step).unlink(missing_ok=True)
        self._wrote(attempt.step).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            self._file(attempt.step).unlink()
            sync_directory(self._layout.attempts)

    def keep_edited(self, attempt: Attempt) -> dict[str, str]:
        """Move what the user had made of outputs to the leftovers; gives where each is now."""
        kept = {}
        for name in attempt.edited:
            aside, refuge = self._aside(attempt, name), self.leftovers(attempt.run) / name
            if os.path.lexists(aside):
                self._move(aside, refuge)
                kept[name] = str(refuge.relative_to(self._layout.root))
        return kept

    def take_away(self, name: str, token: str) -> str:
        """Move what stands at a path to the leftovers; gives where it is now."""
        refuge = self.leftovers(token) / name
        self._move(self._layout.root / name, refuge)
        return str(refuge.relative_to(self._layout.root))

    def last_alive(self, attempt: Attempt) -> int:
        """When the process of an attempt was last known to live, nanoseconds since the epoch."""
        return self._file(attempt.step).stat().st_mtime_ns

    def leftovers(self, run: str) -> Path:
        """Where what a failed execution made is kept."""
        return self._layout.state / "leftovers" / run

    @contextmanager
    def alive(self, attempt: Attempt) -> Iterator[None]:
        """Note twice a second that this process lives.

        If it is killed, what was made before that and what the user makes after it can be told apart.
        """
        path, over = self._file(attempt.step), threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT):
                os.utime(path)

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    def _aside(self, attempt: Attempt, name: str) -> Path:
        return self._folder(attempt.step) / name

    def _file(self, step: str) -> Path:
        return self._layout.attempts / f"{step}.json"

    def _kept(self, step: str) -> Path:
        return self._layout.attempts / f"{step}.kept"

    def _owed(self, step: str) -> Path:
        return self._layout.attempts / f"{step}.version"

    def _wrote(self, step: str) -> Path:
        return self._layout.attempts / f"{step}.wrote"

    def _folder(self, step: str) -> Path:
        return self._layout.attempts / f"{step}.outputs"

    def _prune(self, folders: Iterable[str]) -> None:
        """Remove folders that are empty, the deepest first."""
        for name in sorted(set(folders), key=len, reverse=True):
            with suppress(OSError):  # not empty, or not there
                (self._layout.root / name).rmdir()

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        shutil.move(source, target)  # a folder of the project may be a file system of its own
