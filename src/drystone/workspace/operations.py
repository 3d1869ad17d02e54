"""What verbs did to the lock and to tracked files, so that it can be undone.

Each operation is a file in `.drystone/operations/`. What it replaced is in the store, so an operation
holds ids only; garbage collection keeps what the newest ones name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from drystone.core.clock import Clock
from drystone.core.errors import NotFound
from drystone.core.ids import new_id
from drystone.objects.atomic import explained, sweep, write_atomic
from drystone.objects.entry import escape, unescape
from drystone.workspace.lockfile import LockedPath

_KEPT = 200


class Change(msgspec.Struct, frozen=True):
    """What a path was before and after; None where nothing was."""

    path: str
    before: LockedPath | None
    after: LockedPath | None

    @property
    def inverse(self) -> Change:
        """From after to before."""
        return Change(self.path, self.after, self.before)


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a verb did.

    Attributes:
        id: 32 hex digits, sorting by time.
        verb: which.
        time: when, nanoseconds since the epoch.
        lock: lines of the lock that it changed.
        files: files and folders that it changed.
        ignored: paths for which it wrote a line to `.gitignore`.
        undoes: the operation that this one took back.
        complete: whether it was done to its end; else it goes on, or its process was killed.
    """

    id: str
    verb: str
    time: int
    lock: tuple[Change, ...] = ()
    files: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    undoes: str | None = None
    complete: bool = True


class Operations:
    """The operations of one work tree, oldest first.

    Args:
        folder: where they lie.
        clock: dates them.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def begin(
        self,
        verb: str,
        *,
        lock: Sequence[Change] = (),
        files: Sequence[Change] = (),
        ignored: Sequence[str] = (),
        undoes: str | None = None,
    ) -> Operation | None:
        """Notes, durably, what is about to be done, if it is anything; only the newest 200 are kept.

        Raises:
            WorkFailed, ProjectInvalid: it cannot be written.
        """
        lock = tuple(change for change in lock if change.before != change.after)
        if not (lock or files or ignored):
            return None
        now = self._clock.now()
        operation = Operation(
            new_id(now), verb, now, lock, tuple(files), tuple(ignored), undoes, complete=False
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep(self._folder)
        except OSError as error:
            raise explained(error, "what is to be done cannot be noted", self._folder) from error
        self._write(operation)
        for old in sorted(self._folder.glob("*.json"))[:-_KEPT]:
            old.unlink(missing_ok=True)
        return operation

    def finish(self, operation: Operation) -> None:
        """Notes that it was done to its end.

        Raises:
            WorkFailed, ProjectInvalid: it cannot be written.
        """
        self._write(msgspec.structs.replace(operation, complete=True))

    def drop(self, operation: Operation) -> None:
        """Forgets an operation of which nothing was done."""
        self._place(operation).unlink(missing_ok=True)

    def again(self, operation: Operation) -> Operation:
        """As it is noted now: it may have come to its end since it was read."""
        return next((one for one in self if one.id == operation.id), operation)

    def _write(self, operation: Operation) -> None:
        write_atomic(self._place(operation), msgspec.json.encode(_respelt(operation, escape)))

    def _place(self, operation: Operation) -> Path:
        return self._folder / f"{operation.id}.json"

    def __iter__(self) -> Iterator[Operation]:
        for path in sorted(self._folder.glob("*.json")):
            with suppress(OSError, ValueError):  # a damaged one cannot be undone
                yield _respelt(msgspec.json.decode(path.read_bytes(), type=Operation), unescape)

    def choose(self, text: str | None) -> Operation:
        """The operation whose id begins so; the newest that is not undone yet where no text is given.

        An `undo` is chosen unasked only if it was interrupted.

        Raises:
            NotFound: there is none.
        """
        known = list(self)
        if text is not None:
            found = [operation for operation in known if operation.id.startswith(text)]
            if len(found) == 1:
                return found[0]
            raise NotFound(
                f"{'several operations begin' if found else 'no operation begins'} with `{text}`",
                hints=["list them with `drystone undo --list`"],
            )
        undone = undone_of(known)
        for operation in reversed(known):
            if operation.id not in undone and (operation.undoes is None or not operation.complete):
                return operation
        raise NotFound(
            "there is nothing to undo", because="no verb changed the lock, the settings or a file here"
        )


def _respelt(operation: Operation, spell: Callable[[str], str]) -> Operation:
    """The operation with its paths escaped, or not: names need not be Unicode, JSON is."""

    def changed(changes: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(msgspec.structs.replace(change, path=spell(change.path)) for change in changes)

    return msgspec.structs.replace(
        operation,
        lock=changed(operation.lock),
        files=changed(operation.files),
        ignored=tuple(map(spell, operation.ignored)),
    )


def undone_of(operations: list[Operation]) -> set[str]:
    """Ids of operations that stand undone: taken back, and the taking back not taken back."""
    known = {operation.id: operation for operation in operations}
    undone: set[str] = set()
    for operation in operations:
        if operation.undoes is not None:
            undone.add(operation.undoes)
            target = known.get(operation.undoes)
            if target is not None and target.undoes is not None:
                undone.discard(target.undoes)
    return undone
