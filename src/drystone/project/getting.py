"""`get`: puts what a reference means where the user wants it, and overwrites nothing unasked."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeVar

from drystone.core.errors import Conflict, Corrupt, DrystoneError, NotFound
from drystone.core.ids import digest_of
from drystone.objects.atomic import explained, staging, sync_directory
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress
from drystone.objects.intake import identify_path
from drystone.objects.restore import restore, whole
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk
from drystone.project.contents import Content
from drystone.project.origin import Origin
from drystone.project.placing import Replaced, foreseen, noted
from drystone.project.sources import Distant
from drystone.workspace.checkout import CheckedOut, checkout, only_there, selected
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.operations import Change
from drystone.workspace.recording import kept, recorded
from drystone.workspace.workspace import Workspace

_Done = TypeVar("_Done")


class Got(NamedTuple):
    """What `get` did, or under `dry_run` would do.

    Attributes:
        path: the file or folder that holds it.
        outcome: `written`, or `unchanged` where it was there already.
        saved: contents that were replaced and that nothing else held: objects by their paths.
        aside: where what was replaced lies now, outside of a work tree.
    """

    path: Path
    outcome: Literal["written", "unchanged"]
    saved: dict[str, str]
    aside: Path | None = None


def fetch(origin: Origin, entry: Entry, progress: Progress = lambda _size: None) -> ObjectStore:
    """Brings an entry with all below it into the store of the origin's project, which it returns.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: it is nowhere to be had, whole.
        WorkFailed: the disk is full.
    """
    origin.sources.fetch(entry, progress)
    return origin.project.store


def stored(origin: Origin, entry: Entry, progress: Progress) -> BinaryIO:
    """A file object over a file, all of which is here and was verified.

    Raises:
        NotFound, Corrupt, RemoteUnavailable, WorkFailed: as `fetch`.
    """
    return _healing(lambda: fetch(origin, entry, progress).open(entry.object))


def copied(origin: Origin, entry: Entry, place: Path) -> None:
    """Copies a file to a place where nothing is.

    Raises:
        NotFound, Corrupt, RemoteUnavailable, WorkFailed: as `fetch`.
    """
    _healing(lambda: fetch(origin, entry).copy_to(entry.object, place))


def foresee(origin: Origin, entry: Entry) -> None:
    """Finds out whether `fetch` could bring an entry, by what the sources say that they hold.

    Of the lists of directories what is not here is read, and not stored; of files nothing is.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: it is nowhere to be had.
    """
    sources, errors = origin.sources, list[DrystoneError]()
    remotes: list[Distant] | None = None
    for path, file in walk(sources, entry):
        if any(local.store.has(file.object) for local in sources.local):
            continue
        if remotes is None:
            remotes = list(sources.remotes(errors))
        if not any(one.remote.catalogue.find(digest_of(file.object)) for one in remotes):
            raise sources.absent(f"`{printable(f'{entry.name}/{path}'.rstrip('/'))}`", errors)


def to_its_place(
    origin: Origin,
    content: Content,
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress,
    placing: Progress,
) -> Got:
    """Puts a tracked path where it belongs in the work tree, as `checkout` does.

    Args:
        origin: whose it is.
        content: what.
        force: replace content that only the work tree has; it is stored first.
        dry_run: fetch, store and write nothing.
        progress: is told the bytes of what is fetched.
        placing: is told the bytes of what is written in its place then.

    Raises:
        Conflict: content that only the work tree has is in the way and `force` is off.
        NotFound, Corrupt, RemoteUnavailable, WorkFailed: as `fetch`.
    """
    assert content.path is not None
    project = origin.project
    if dry_run:
        foresee(origin, content.entry)
    else:
        _healing(lambda: fetch(origin, content.entry, progress))
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        place = workspace.place(content.path)
        locked = workspace.lock(content.revision).paths
        try:
            selected(workspace, [place], locked)
        except NotFound:  # a part of a tracked path
            with nullcontext() if dry_run else workspace.changing():
                return _part(workspace, content, force, placing, dry_run)

        def work() -> CheckedOut:
            if not dry_run:
                fetch(origin, content.entry)
            return checkout(
                workspace,
                [place],
                revision=content.revision,
                force=force,
                dry_run=dry_run,
                lacking=dry_run,
                progress=placing,
            )

        done = _healing(work)
    return Got(place, "written" if done.restored else "unchanged", {it.path: it.object for it in done.saved})


def to(
    origin: Origin,
    entry: Entry,
    destination: Path,
    *,
    force: bool = False,
    dry_run: bool = False,
    home: Workspace | None = None,
    progress: Progress,
    placing: Progress,
) -> Got:
    """Puts an entry at a path: whole or not at all.

    Args:
        origin: whose it is.
        entry: what.
        destination: where to.
        force: replace what is there. Within `home` it is stored first, elsewhere it stays beside it.
        dry_run: as for `to_its_place`.
        home: the work tree in which `undo` can take it back.
        progress, placing: as for `to_its_place`.

    Raises:
        Conflict: something else is there and `force` is off.
        NotFound, Corrupt, RemoteUnavailable, WorkFailed: as `fetch`.
        ProjectInvalid: it cannot be written there.
    """
    if _is_there(entry, destination, force):
        return Got(destination, "unchanged", {})
    if dry_run:
        foresee(origin, entry)
        return Got(destination, "written", *foreseen(home, destination, partial(_is_held, origin)))
    _healing(lambda: fetch(origin, entry, progress))

    def may() -> bool:
        """Whether it is to be put there, now that all is ready: somebody may have been quicker."""
        return force or not _is_there(entry, destination, force)

    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        replaced = _healing(lambda: _install(origin, entry, destination, may, home, placing))
    except OSError as error:
        raise explained(error, f"`{printable(destination.name)}` cannot be written", destination) from error
    if replaced is None:
        return Got(destination, "unchanged", {})
    return Got(destination, "written", *replaced)


def _part(workspace: Workspace, content: Content, force: bool, placing: Progress, dry_run: bool) -> Got:
    """As `checkout`, for a path inside of a tracked one."""
    assert content.path is not None
    place = workspace.place(content.path)
    present = workspace.entry(content.path)
    if present is not None and LockedPath.of(present) == LockedPath.of(content.entry):
        return Got(place, "unchanged", {})
    unsaved = only_there(workspace, content.path)
    if unsaved and not force:
        raise Conflict(
            f"`{printable(next(iter(unsaved)))}` has changes that only the work tree holds",
            at=str(place),
            hints=[
                "put it elsewhere with `-o PATH`",
                "replace it with `--force`; its content is stored first",
            ],
        )
    if dry_run:
        return Got(place, "written", unsaved)
    wanted = whole(workspace.store, content.entry, place)
    change = Change(content.path, kept(workspace, content.path), LockedPath.of(content.entry))
    with recorded(workspace, "get", files=[change]):
        wanted.restore(place, known=workspace.stat_index, progress=placing)
    return Got(place, "written", unsaved)


def _is_there(entry: Entry, destination: Path, force: bool) -> bool:
    """Whether a place holds an entry already.

    Raises:
        Conflict: it holds something else, which must not be replaced.
    """
    if not os.path.lexists(destination):
        return False
    if LockedPath.of(identify_path(destination)) == LockedPath.of(entry):
        return True
    if force:
        return False
    raise Conflict(
        f"`{printable(destination.name)}` is in the way, and is something else",
        at=str(destination),
        hints=["give another place with `-o PATH`", "replace it with `--force`"],
    )


def _healing(work: Callable[[], _Done]) -> _Done:
    """Does something that fetches what is not here; what turns out to be damaged here meanwhile is not."""
    met: list[Corrupt] = []
    while True:
        try:
            return work()
        except Corrupt as damage:
            if damage.message in [error.message for error in met]:
                raise
            met.append(damage)
        except NotFound:
            if met:  # it was damaged here and is nowhere else
                raise met[-1] from None
            raise


def _is_held(origin: Origin, name: str) -> bool:
    """Whether an object can be had again: from a store that lasts, or a remote that was asked or can be."""
    lasting = origin.sources.local if origin.own else origin.sources.local[1:]
    if any(local.store.has(name) for local in lasting):
        return True
    remotes = origin.sources.remotes([])
    return any(one.remote.catalogue.find(digest_of(name)) is not None for one in remotes)


def _install(
    origin: Origin,
    entry: Entry,
    destination: Path,
    may: Callable[[], bool],
    home: Workspace | None,
    placing: Progress,
) -> Replaced | None:
    """Makes it beside its place, or in the store where renaming from there is possible, and renames it.

    Returns:
        What became of what was there; None if it was not put there: `may` is asked last, while no other
        `get` puts anything in that folder.
    """
    store, replaced = fetch(origin, entry), Replaced({})
    store.loose.prepare()
    near = store.loose.incoming.stat().st_dev == destination.parent.stat().st_dev
    for folder in (*([store.loose.incoming] if near else []), destination.parent):
        with staging(folder) as stage:
            restore(store, entry, stage / "new", progress=placing)
            try:
                with _alone_in(destination.parent):
                    if not may():
                        return None
                    with noted(home, destination, entry, partial(_is_held, origin)) as replaced:
                        _swap(stage, destination)
            except OSError as error:
                if error.errno == errno.EXDEV and folder != destination.parent:
                    continue
                raise
        sync_directory(destination.parent)
        break
    return replaced


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _swap(stage: Path, destination: Path) -> None:
    """Puts the new in the place of the old, which is deleted with the stage."""
    new, old = stage / "new", stage / "old"
    folders = new.is_dir() and not new.is_symlink(), destination.is_dir() and not destination.is_symlink()
    if not os.path.lexists(destination) or folders == (False, False):
        new.rename(destination)
        return
    destination.rename(old)
    try:
        new.rename(destination)
    except OSError:
        old.rename(destination)
        raise
