"""What stands where something else is put is kept: on record in a work tree, beside it elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from drystone.objects.entry import Entry
from drystone.objects.intake import identify_path
from drystone.objects.tree import Memory, walk
from drystone.workspace.checkout import only_there
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.operations import Change
from drystone.workspace.recording import kept, recorded
from drystone.workspace.workspace import Workspace

_ASIDE = ".before-get"


class Replaced(NamedTuple):
    """What became of what was there.

    Attributes:
        saved: contents that nothing else held and that are in the store now: objects by their paths.
        aside: where it lies now, outside of a work tree; None where nothing was moved aside.
    """

    saved: dict[str, str]
    aside: Path | None = None


def _nowhere(_name: str) -> bool:
    return False


@contextmanager
def noted(
    home: Workspace | None, destination: Path, entry: Entry, held: Callable[[str], bool] = _nowhere
) -> Iterator[Replaced]:
    """Puts something in the place of what is there.

    In a work tree of ours that is an operation of `get`, which `undo` takes back. Elsewhere what is
    replaced stays beside it, as `NAME.before-get`, unless all of it can be had again.

    Args:
        home: a work tree; None if there is none.
        destination: where something is put while this lasts.
        entry: what.
        held: whether an object can be had again.

    Yields:
        What became of what was there.

    Raises:
        UsageError, Conflict, ProjectInvalid, WorkFailed: what is there cannot be stored, and stays.
        OSError: it cannot be put aside, and stays.
    """
    name = _named(home, destination)
    if home is None or name is None:
        aside = _place_aside(destination, held)
        if aside is None:
            yield Replaced({})
            return
        with _aside(destination, aside):
            yield Replaced({}, aside)
        return
    with home.changing():
        unsaved = only_there(home, name)
        change = Change(name, kept(home, name), LockedPath.of(entry))
        with recorded(home, "get", files=[change]):
            yield Replaced(unsaved)


def foreseen(home: Workspace | None, destination: Path, held: Callable[[str], bool] = _nowhere) -> Replaced:
    """What `noted` would yield."""
    name = _named(home, destination)
    if home is None or name is None:
        return Replaced({}, _place_aside(destination, held))
    return Replaced(only_there(home, name))


def _named(home: Workspace | None, destination: Path) -> str | None:
    """What the work tree calls what is there; None where nothing is, or it is outside."""
    place = destination.parent.resolve() / destination.name
    if home is None or not place.is_relative_to(home.layout.root) or not os.path.lexists(place):
        return None
    return home.relative(place)


def _place_aside(destination: Path, held: Callable[[str], bool]) -> Path | None:
    """Where what is there goes; None where nothing is, or all of it can be had again."""
    if not os.path.lexists(destination):
        return None
    trees = Memory()
    present = identify_path(destination, trees=trees)
    if all(held(file.object) for _, file in walk(trees, present)):
        return None
    names = (f"{destination.name}{_ASIDE}{f'-{number}' * (number > 1)}" for number in count(1))
    return next(place for place in map(destination.with_name, names) if not os.path.lexists(place))


@contextmanager
def _aside(destination: Path, aside: Path) -> Iterator[None]:
    """Moves what is there aside; after an error it is back. A file is never away in between."""
    try:
        os.link(destination, aside, follow_symlinks=False)
    except OSError:  # a folder, or a file system without hard links
        destination.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(destination)
        aside.unlink(missing_ok=True)  # to rename a file onto another name of its own does nothing
        raise
