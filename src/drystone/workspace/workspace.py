"""One work tree and what is needed to compare it with its lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from drystone.core.clock import Clock
from drystone.core.errors import NotFound, UsageError
from drystone.core.layout import Layout
from drystone.objects.entry import Entry
from drystone.objects.intake import identify_path, store_path
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Memory, walk
from drystone.workspace.git import Git
from drystone.workspace.ignore import ignore_state
from drystone.workspace.lockfile import Lock, held, is_safe_path
from drystone.workspace.operations import Operations
from drystone.workspace.statindex import StatIndex


class Workspace(NamedTuple):
    """The rooms that the verbs on files need. Paths are posix, relative to the root, unless `Path`."""

    layout: Layout
    git: Git
    store: ObjectStore
    stat_index: StatIndex
    operations: Operations

    @classmethod
    @contextmanager
    def open(cls, layout: Layout, git: Git, store: ObjectStore, clock: Clock) -> Iterator[Workspace]:
        """A workspace whose stat index is written back at the end, unless the store is only read."""
        with StatIndex(layout.stat_index, clock=clock, read_only=store.read_only) as stat_index:
            yield cls(layout, git, store, stat_index, Operations(layout.operations, clock))

    def lock(self, revision: str | None = None) -> Lock:
        """The lock as it is here, or as it was committed at a git revision.

        Raises:
            NotFound: no such revision, or it has no lock.
            Corrupt, ProjectInvalid: it cannot be understood.
        """
        if revision is None:
            return Lock.read(self.layout.lock)
        data = self.git.show(revision, self.layout.lock.name)
        if data is None:
            raise NotFound(f"there is no `{self.layout.lock.name}` at git revision `{revision}`")
        return Lock.parse(data)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While this lasts, no other verb puts tracked files in their places: two would mix theirs.

        Raises:
            WorkFailed, ProjectInvalid: the file that is locked for it cannot be made.
        """
        ignore_state(self.layout.state)
        with held(self.layout.guards / "work-tree", "tracked files cannot be changed"):
            yield

    def relative(self, path: Path) -> str:
        """The name of a path in the lock.

        Args:
            path: absolute.

        Raises:
            UsageError: it lies outside the project, or is the project, git's or Drystone's own.
        """
        place = Path(os.path.normpath(path))
        if not place.is_relative_to(self.layout.root):  # perhaps by another road
            place = place.parent.resolve() / place.name
        if not place.is_relative_to(self.layout.root):
            raise UsageError(f"`{path}` is outside of the project", at=str(self.layout.root))
        name = place.relative_to(self.layout.root).as_posix()
        if not is_safe_path(name):
            own = name == self.layout.lock.name
            raise UsageError(
                f"`{name}` cannot be tracked",
                because="it is not a path of the project's own",
                hints=[f"commit it with `git add {name} && git commit`"] if own else [],
            )
        return name

    def place(self, path: str) -> Path:
        """Where a tracked path lies.

        Raises:
            UsageError: a folder above it is a symbolic link; following it could lead anywhere.
        """
        place = self.layout.root
        *folders, name = path.split("/")
        for folder in folders:
            place /= folder
            if place.is_symlink():
                raise UsageError(
                    f"`{path}` lies behind the symbolic link `{place.relative_to(self.layout.root)}`",
                    because="what is written through a link would land outside of the tracked path",
                )
        return place / name

    def save(self, path: str) -> Entry:
        """Stores all that is at a path, before it is replaced or deleted.

        That its folders' lists are in the store is not taken to mean that all in them is.

        Raises:
            NotFound: nothing is there.
            UsageError, Conflict, ProjectInvalid, WorkFailed: as `objects.intake.store_path`.
        """
        place, trees = self.place(path), Memory()
        present = identify_path(place, known=self.stat_index, trees=trees)
        whole = all(self.store.has(file.object) for _, file in walk(trees, present))
        return store_path(self.store, place, known=self.stat_index if whole else None)

    def entry(self, path: str, trees: Memory | None = None) -> Entry | None:
        """What is at a path now, None if nothing is.

        Raises:
            UsageError, Conflict, ProjectInvalid: as `objects.tree.identify_path`.
        """
        try:
            return identify_path(self.place(path), known=self.stat_index, trees=trees)
        except NotFound:
            return None
