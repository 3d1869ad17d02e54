"""What stands where something else is put: kept and on record, so that `undo` brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drystone.objects.entry import Entry
from drystone.objects.tree import Memory, walk
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.operations import Change
from drystone.workspace.recording import kept, recorded
from drystone.workspace.workspace import Workspace


@contextmanager
def noted(home: Workspace | None, destination: Path, entry: Entry) -> Iterator[dict[str, str]]:
    """Puts something in the place of what is there, as an operation of `get`.

    Nothing is noted where nothing is replaced, nor outside of a work tree of ours.

    Args:
        home: a work tree; None if there is none.
        destination: where something is put while this lasts.
        entry: what.

    Yields:
        Contents that are replaced and that nothing else held: objects by their paths.

    Raises:
        UsageError, Conflict, ProjectInvalid, WorkFailed: what is there cannot be stored, and stays.
    """
    name = _named(home, destination)
    if home is None or name is None:
        yield {}
        return
    with home.changing():
        unsaved = only_there(home, name)
        change = Change(name, kept(home, name), LockedPath.of(entry))
        with recorded(home, "get", files=[change]):
            yield unsaved


def would_save(home: Workspace | None, destination: Path) -> dict[str, str]:
    """What `noted` would yield."""
    name = _named(home, destination)
    return {} if home is None or name is None else only_there(home, name)


def _named(home: Workspace | None, destination: Path) -> str | None:
    """What the work tree calls what is there; None where nothing is, or it is outside."""
    place = destination.parent.resolve() / destination.name
    if home is None or not place.is_relative_to(home.layout.root) or not _is_there(place):
        return None
    return home.relative(place)


def only_there(workspace: Workspace, path: str) -> dict[str, str]:
    """The files at or below a path whose content the store lacks: objects by their paths."""
    trees = Memory()
    present = workspace.entry(path, trees)
    return {
        f"{path}/{below}".rstrip("/"): file.object
        for below, file in (walk(trees, present) if present is not None else ())
        if not workspace.store.has(file.object)
    }


def _is_there(place: Path) -> bool:
    return place.exists() or place.is_symlink()
