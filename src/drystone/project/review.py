"""Files that differ between two sides of a comparison, and reviews of those that are tables."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import (
    Conflict,
    DrystoneError,
    NotFound,
    ProjectInvalid,
    RemoteUnavailable,
    UsageError,
)
from drystone.ledger.facts import VersionRegistered
from drystone.objects.entry import printable
from drystone.objects.scratch import Scratch
from drystone.project import getting
from drystone.project.compare import WORKSPACE, Side
from drystone.project.contents import of_version
from drystone.project.origin import Origin
from drystone.tables.facts import Review
from drystone.tables.forms import form_of
from drystone.workspace import diff
from drystone.workspace.diff import FileChange
from drystone.workspace.lockfile import LockedPath
from drystone.workspace.workspace import Workspace


class TableReview(NamedTuple):
    """A table that differs: how, or why that cannot be told."""

    path: str
    review: Review | None
    problem: DrystoneError | None


def changed_files(origin: Origin, old: Side, new: Side, only: Sequence[str] = ()) -> list[FileChange]:
    """The files that differ between two states of the tree, or between two versions.

    Args:
        origin: where; what is not in its store is fetched as far as it must be.
        old, new: the sides; pairs of other kinds have no files to compare.
        only: paths relative to the root, to which the answer is limited; none, or `.`: all.

    Raises:
        NotFound: one of `only` is not tracked, or what must be read is nowhere to be had.
        Corrupt, RemoteUnavailable: what must be read is nowhere to be had, whole.
        UsageError: paths were given and the sides have no files to compare.
    """
    limits = () if "." in only else only
    if old.version is not None and new.version is not None:
        return _between_versions(origin, old.version, new.version, limits)
    if old.revision in (None, WORKSPACE) or new.revision is None:
        if only:
            raise UsageError(
                f"`{old.label}` and `{new.label}` have no files that could be compared",
                because="files are compared from one git revision to another or to the work tree, and"
                " between two versions",
            )
        return []
    until = None if new.revision == WORKSPACE else new.revision
    project = origin.project
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        return diff.diff(workspace, old.revision, until, limits, reader=origin.sources)


def tables(changes: Iterable[FileChange]) -> list[FileChange]:
    """Those of the changes that are of tables."""
    return [
        change
        for change in changes
        if form_of(change.path) is not None
        and all(side is None or side.kind == "file" for side in (change.old, change.new))
    ]


def reviews(
    origin: Origin,
    changes: Iterable[FileChange],
    *,
    in_work_tree: bool,
    key: Sequence[str] = (),
    samples: int = 0,
) -> Iterator[TableReview]:
    """Reviews tables one by one. A table that cannot be read is told as such, and the next one follows.

    Args:
        origin: where; what is not in its store is fetched.
        changes: of `tables`.
        in_work_tree: whether the newer side is the work tree.
        key, samples: as for `tables.review.review`.

    Raises:
        UsageError: a column of `key` is not in both versions.
    """
    wanted = list(changes)
    if wanted and importlib.util.find_spec("duckdb") is None:
        for change in wanted:
            yield TableReview(change.path, None, _no_engine(change.path))
        return
    for change in wanted:
        try:
            yield TableReview(change.path, _review(origin, change, in_work_tree, key, samples), None)
        except UsageError:
            raise
        except DrystoneError as error:
            yield TableReview(change.path, None, error)


def _review(
    origin: Origin, change: FileChange, in_work_tree: bool, key: Sequence[str], samples: int
) -> Review:
    from drystone.tables import review, source  # the engine costs 100 ms that other comparisons need not pay

    form = form_of(change.path)
    assert form is not None  # as `tables` found
    project = origin.project
    present = project.layout.root / change.path
    with Scratch(project.layout.state / "spill", "review-") as spill:

        def side(name: str, locked: LockedPath | None, *, from_store: bool) -> source.Side | None:
            if locked is None:
                return None
            place = spill.path / f"{name}.{form}"  # a name in which the engine sees no pattern
            if from_store:
                _fetch(origin, change.path, locked, place)
            else:
                place.symlink_to(present)
            return source.Side(place, form, f"{change.path} ({name})")

        before = side("old", change.old, from_store=True)
        after = side("new", change.new, from_store=not in_work_tree)
        state = _state(present) if in_work_tree else None
        found = review.review(before, after, spill.path, key=key, samples=samples)
        if in_work_tree and _state(present) != state:
            raise Conflict(
                f"`{change.path}` changed while it was read",
                hints=["run the same command again once nothing writes there"],
            )
        return found


def _fetch(origin: Origin, path: str, locked: LockedPath, place: Path) -> None:
    try:
        getting.copied(origin, locked.entry(path), place)
    except (NotFound, RemoteUnavailable) as error:
        raise type(error)(
            f"rows of `{printable(path)}` cannot be compared: a version of it cannot be had",
            at=error.at,
            because=[error.message, *error.because],
            hints=error.hints,
        ) from error


def _between_versions(
    origin: Origin, old: VersionRegistered, new: VersionRegistered, only: Sequence[str]
) -> list[FileChange]:
    for path in only:
        if not (diff.is_within(path, new.path) or diff.is_within(new.path, path)):
            raise NotFound(
                f"`{path}` is not part of `{new.kind}:{new.name}`", hints=[f"that is `{new.path}`"]
            )
    if old.object == new.object:
        return []
    # a version that lies at another path now is the same thing still
    before, after = (
        diff.Side({new.path: of_version(origin, version)}, origin.sources) for version in (old, new)
    )
    return diff.compare(before, after, only)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _no_engine(path: str) -> ProjectInvalid:
    return ProjectInvalid(
        f"rows and columns of `{path}` cannot be compared: the package `duckdb` is not installed",
        hints=["install it with `pip install 'drystone[features]'`"],
    )
