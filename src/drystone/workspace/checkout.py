"""`checkout`: make tracked paths be what the lock says, and never lose what was there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import msgspec

from drystone.core.errors import Conflict, Corrupt, NotFound
from drystone.core.ids import short
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress
from drystone.objects.restore import Wanted, remove
from drystone.objects.tree import Memory, walk
from drystone.workspace.diff import is_within, not_tracked
from drystone.workspace.lockfile import LockedPath, path_line
from drystone.workspace.operations import Change
from drystone.workspace.recording import kept, recorded
from drystone.workspace.workspace import Workspace

_SHOWN = 5


class Lacking(NotFound):
    """The store has not all of what `path` should be: `wanted`."""

    path: str
    wanted: Entry


class Damaged(Corrupt):
    """Something of what `path` should be, `wanted`, turned out to be damaged."""

    path: str
    wanted: Entry


class Saved(msgspec.Struct, frozen=True):
    """A file that was replaced and whose content only the work tree had: it is this object now."""

    path: str
    object: str


class CheckedOut(msgspec.Struct, frozen=True):
    """What `checkout` did, or under `dry_run` would do.

    Attributes:
        restored: paths made equal to the lock.
        unchanged: paths that were so already.
        saved: contents kept before they were replaced.
    """

    restored: tuple[str, ...]
    unchanged: tuple[str, ...]
    saved: tuple[Saved, ...]


class _Plan(msgspec.Struct, frozen=True):
    """One path to restore: what is there, and the files in it whose content the store lacks."""

    path: str
    wanted: Entry
    present: Entry | None
    unsaved: tuple[tuple[str, str], ...]


def checkout(
    workspace: Workspace,
    paths: Sequence[Path] = (),
    *,
    revision: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    lacking: bool = False,
    progress: Progress | None = None,
) -> CheckedOut:
    """Makes tracked paths equal to the lock, or to the lock of a git revision.

    The lock file stays as it is. Content that the store does not have is never simply overwritten:
    without `force` nothing is touched at all, with it that content is stored first and reported.

    Args:
        workspace: where.
        paths: absolute; tracked paths at or below them. None given: all.
        revision: a git revision.
        force: replace unsaved content, after saving it.
        dry_run: touch and store nothing.
        lacking: under `dry_run`, whether the store may lack what would be fetched first.
        progress: is told the bytes of what is written.

    Raises:
        NotFound: a path is not tracked, no such revision, or the store lacks objects.
        Conflict: unsaved content is in the way and `force` is off, or a file keeps changing.
        Corrupt: the lock or an object is damaged.
        WorkFailed, ProjectInvalid: it cannot be written.
    """
    with nullcontext() if dry_run else workspace.changing():
        names, todo = _planned(workspace, paths, revision)
        contents = [] if dry_run and lacking else _need_objects(workspace, todo)
        if not force:
            _refuse_unsaved(todo)
        saved = tuple(Saved(path, name) for plan in todo for path, name in plan.unsaved)
        if not dry_run:
            _carry_out(workspace, todo, contents, progress)
        restored = tuple(plan.path for plan in todo)
        return CheckedOut(restored, tuple(name for name in names if name not in restored), saved)


def _planned(
    workspace: Workspace, paths: Sequence[Path], revision: str | None
) -> tuple[list[str], list[_Plan]]:
    """The paths that are meant, and what is to be done for those that are not as they should be."""
    locked = workspace.lock(revision).paths
    names = selected(workspace, paths, locked)
    plans = [_plan(workspace, name, locked[name].entry(name)) for name in names]
    return names, [plan for plan in plans if plan.present is None or not _equal(plan.present, plan.wanted)]


def withdraw(workspace: Workspace, path: str, expected: LockedPath) -> bool:
    """Deletes a path that is no longer tracked, and the folders above it that are empty then.

    Args:
        workspace: where.
        path: which; relative to the root.
        expected: what must be there; anything else is left.

    Returns:
        Whether it was deleted.

    Raises:
        UsageError, Conflict: what is there cannot be stored, or keeps changing.
        WorkFailed, ProjectInvalid: it cannot be stored or deleted.
    """
    place = workspace.place(path)
    with workspace.changing():
        present = workspace.entry(path)
        if present is None or LockedPath.of(present) != expected:
            return False
        # what the store lacks of it, or what changed since, is not lost with it
        if LockedPath.of(workspace.save(path)) != expected:
            return False
        with recorded(workspace, "checkout", files=[Change(path, expected, None)]):
            remove(place)
        with suppress(OSError):  # the first that holds something else ends it
            for folder in list(place.relative_to(workspace.layout.root).parents)[:-1]:
                (workspace.layout.root / folder).rmdir()
    return True


def selected(workspace: Workspace, paths: Sequence[Path], locked: dict[str, LockedPath]) -> list[str]:
    """The tracked paths at or below `paths`; all where none is given.

    Raises:
        NotFound: one holds nothing that is tracked.
    """
    if not paths:
        return sorted(locked)
    chosen: set[str] = set()
    for path in paths:
        name = "" if Path(os.path.normpath(path)) == workspace.layout.root else workspace.relative(path)
        found = [other for other in locked if not name or is_within(other, name)]
        if not found and name:
            outer = next((other for other in locked if is_within(name, other)), None)
            if outer is not None:
                raise NotFound(
                    f"`{name}` is part of the tracked path `{outer}`",
                    hints=[f"check out the whole with `drystone checkout {outer}`"],
                )
            raise not_tracked(name, locked)
        chosen.update(found)
    return sorted(chosen)


def _plan(workspace: Workspace, path: str, wanted: Entry) -> _Plan:
    trees = Memory()
    present = workspace.entry(path, trees)
    if present is None or _equal(present, wanted):
        return _Plan(path, wanted, present, ())
    return _Plan(path, wanted, present, tuple(_unsaved(workspace, path, present, trees)))


def only_there(workspace: Workspace, path: str) -> dict[str, str]:
    """The files at or below a path whose content the store lacks: objects by their paths.

    Raises:
        UsageError, Conflict, ProjectInvalid: as `Workspace.entry`.
    """
    trees = Memory()
    present = workspace.entry(path, trees)
    return dict(_unsaved(workspace, path, present, trees)) if present is not None else {}


def _unsaved(workspace: Workspace, path: str, present: Entry, trees: Memory) -> Iterator[tuple[str, str]]:
    for below, file in walk(trees, present):
        if not workspace.store.has(file.object):
            yield f"{path}/{below}" if below else path, file.object


def _equal(present: Entry, wanted: Entry) -> bool:
    return LockedPath.of(present) == LockedPath.of(wanted)


def _need_objects(workspace: Workspace, plans: Sequence[_Plan]) -> list[Wanted]:
    """What is to be restored, all of which the store has."""
    contents = []
    for plan in plans:
        try:
            content = Wanted(workspace.store, plan.wanted)
            missing = content.missing
            contents.append(content)
        except NotFound:
            missing = [""]
        if missing:
            what = short(plan.wanted.object)
            error = Lacking(
                f"`{printable(plan.path)}` cannot be checked out: `{what}` is not completely in the local"
                " store",
                at=[printable(f"{plan.path}/{name}") for name in missing[:_SHOWN] if name],
            )
            error.path, error.wanted = plan.path, plan.wanted
            raise error
        _check_size(plan, contents[-1].size)
    return contents


def _check_size(plan: _Plan, size: int) -> None:
    """Raises where the lock tells another size than there is: what was restored would differ for ever."""
    if plan.wanted.size != size:
        raise Corrupt(
            f"`drystone.lock` gives `{printable(plan.path)}` another size than it has",
            at=f"drystone.lock, the line `{path_line(plan.path, LockedPath.of(plan.wanted))}`",
            because=f"`{short(plan.wanted.object)}` has {size:,} bytes; nothing was checked out",
            hints=[
                f"write {size} at the end of that line, or take the last committed lock with "
                "`git checkout HEAD -- drystone.lock`"
            ],
        )


def _refuse_unsaved(plans: Sequence[_Plan]) -> None:
    unsaved = [path for plan in plans for path, _ in plan.unsaved]
    if not unsaved:
        return
    several = f"{len(unsaved)} files have" if len(unsaved) > 1 else f"`{unsaved[0]}` has"
    first = next(plan.path for plan in plans if plan.unsaved)
    raise Conflict(
        f"{several} changes that only the work tree holds; nothing was checked out",
        at=[*unsaved[:_SHOWN], *([f"and {len(unsaved) - _SHOWN} more"] if len(unsaved) > _SHOWN else [])],
        hints=[
            f"keep them with `drystone add {first}`",
            f"replace them with `drystone checkout --force {first}`; their content is stored first",
        ],
    )


def _carry_out(
    workspace: Workspace, todo: Sequence[_Plan], contents: Sequence[Wanted], progress: Progress | None
) -> None:
    """Stores what is there, notes what is to be done, and only then replaces the first file.

    What is there is looked at once more: it may have changed since this was planned.
    """
    changes = [Change(plan.path, kept(workspace, plan.path), LockedPath.of(plan.wanted)) for plan in todo]
    with recorded(workspace, "checkout", files=changes):
        for plan, content in zip(todo, contents, strict=True):
            _restore(workspace, plan, content, progress)


def _restore(workspace: Workspace, plan: _Plan, content: Wanted, progress: Progress | None) -> None:
    place = workspace.place(plan.path)
    try:
        content.restore(place, known=workspace.stat_index, progress=progress)
    except Corrupt as found:
        error = Damaged(
            f"`{printable(plan.path)}` cannot be checked out: {found.message}",
            at=found.at,
            because=found.because,
            hints=found.hints,
        )
        error.path, error.wanted = plan.path, plan.wanted
        raise error from found
