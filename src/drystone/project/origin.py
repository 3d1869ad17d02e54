"""Where names are looked up: this project, or another repository without a clone of it.

Of another repository only the lock, the settings and, for versions, the journals of runs are read. Nothing
in it is run. Without any repository, a remote alone knows objects and the versions on record there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from drystone.core.clock import Clock
from drystone.core.errors import DrystoneError, NotARepository, NotFound, ProjectInvalid
from drystone.ledger.ledger import Ledger
from drystone.objects.remote.address import Address
from drystone.objects.scratch import Scratch
from drystone.project import configuration
from drystone.project.project import Project
from drystone.project.remotes import address_of
from drystone.project.settings import Settings
from drystone.project.sources import Sources
from drystone.workspace.gitfetch import fetch_files
from drystone.workspace.lockfile import Lock

_LOCK = "drystone.lock"
_FILES = (_LOCK, configuration.FILE, "pyproject.toml")
#: What is no path of this machine: `https://...`, `git@host:path`.
_REMOTE_GIT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+|[^/:]+@[^/:]+:.+")


class Origin:
    """One place where names are looked up, and the sources of what they mean.

    Args:
        project: keeps what is fetched; this project, or a scratch folder that stands for another.
        sources: where bytes come from.
        locks: the lock, or that of a git revision; None where there is no such revision.
        ledger: the record of versions, asked for when it is needed.
        own: whether `project` is the user's own, with a work tree.
        close: called in the end.
        tree: the top of the user's own work tree, if it is looked up there.
    """

    def __init__(
        self,
        project: Project,
        sources: Sources,
        locks: Callable[[str | None], Lock | None],
        ledger: Callable[[], Ledger],
        *,
        own: bool,
        close: Callable[[], None],
        tree: Path | None = None,
    ) -> None:
        self.project = project
        self.sources = sources
        self.own = own
        self.tree = project.layout.root if own else tree
        self.close = close
        self._locks = locks
        self._ledger = ledger
        self._known: dict[str, Lock | None] = {}

    @cached_property
    def ledger(self) -> Ledger:
        return self._ledger()

    def rest(self) -> None:
        """Close the ledger's index, which is for one thread only; the next question opens it again."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def lock(self, revision: str | None = None) -> Lock:
        """The lock as it is here, or as it was committed at a git revision.

        Raises:
            NotFound: no such revision, or it has no lock.
            Corrupt, ProjectInvalid: it cannot be understood.
        """
        if revision is None and self.own:
            return self.project.lock()  # which may change while we look at it
        found = self._known.get(revision or "")
        if found is None:
            found = self._known[revision or ""] = self._locks(revision)
        if found is None:
            raise NotFound(
                f"there is no git revision `{revision}` with a `{_LOCK}`",
                hints=["name a branch, a tag or a whole commit id"],
            )
        return found

    def split_revision(self, text: str) -> tuple[str, str]:
        """A git revision, which may hold slashes, and the path behind it.

        Raises:
            NotFound: no beginning of `text` is a revision with a lock.
        """
        parts = text.split("/")
        for number in range(len(parts), 0, -1):
            revision = "/".join(parts[:number])
            try:
                self.lock(revision)
            except NotFound:
                continue
            return revision, "/".join(parts[number:])
        self.lock(parts[0])
        return parts[0], "/".join(parts[1:])


def here(project: Project, remote: str | None = None) -> Origin:
    """The user's own project.

    Args:
        project: which.
        remote: the name or address of the remote that is asked first.
    """

    def locks(revision: str | None) -> Lock | None:
        data = project.git.show(revision or "HEAD", _LOCK)
        return None if data is None else Lock.parse(data)

    sources = Sources(project, lambda: _addresses(project, remote))
    return Origin(project, sources, locks, lambda: project.ledger, own=True, close=project.close)


def untouched(project: Project, remote: str | None = None, *, scratch: Path) -> Origin:
    """The user's own project, of which nothing is written: what is fetched is kept elsewhere for the while.

    Args:
        project: which.
        remote: as for `here`.
        scratch: the folder in which to make one of ours, which is deleted by `close`.
    """
    return _neighbour(project, Scratch(scratch, ".drystone-get-"), remote, tree=project.layout.root)


def may_write(project: Project) -> bool:
    """Whether what is fetched can be kept in a project."""
    layout = project.layout
    folders = [layout.state if layout.state.exists() else layout.root]
    folders += [layout.objects] if layout.objects.exists() else []
    return all(os.access(folder, os.W_OK | os.X_OK) for folder in folders)


def alone(remote: str, settings: Settings, *, scratch: Path, clock: Clock) -> Origin:
    """A remote without a repository: objects by their ids, and what the record of runs there names.

    Args:
        remote: its address.
        settings: of this process.
        scratch: the folder in which to make one of ours, which is deleted by `close`.
        clock: tells the time.
    """
    own = Scratch(scratch, ".drystone-get-")
    project = Project(own.path, settings._replace(dry_run=False), clock)

    def locks(revision: str | None) -> Lock:
        if revision is None:
            return Lock()
        raise NotARepository(
            f"there is no git repository that could tell what `{revision}` is",
            because=f"only remote `{remote}` is asked",
            hints=["name the repository with `--repo WHERE`"],
        )

    def close() -> None:
        project.close()
        own.close()

    sources = Sources(project, lambda: [Address(remote, remote)])
    return Origin(project, sources, locks, lambda: _recorded(project, sources), own=False, close=close)


def elsewhere(
    where: str, settings: Settings, *, base: Path, scratch: Path, remote: str | None = None, clock: Clock
) -> Origin:
    """Another repository.

    Args:
        where: a folder in a git work tree, or whatever `git clone` takes.
        settings: of this process.
        base: where relative paths begin.
        scratch: the folder in which to make one of ours, which is deleted by `close`.
        remote: the name or address of the remote that is asked first.
        clock: tells the time.

    Raises:
        NotFound: there is no such repository.
        ProjectInvalid: it cannot be read, or its lock or settings cannot be understood.
    """
    folder = base / where
    own = Scratch(scratch, ".drystone-get-")
    try:
        if not _REMOTE_GIT.fullmatch(where) and folder.is_dir():
            try:
                near = Project.discover(folder, settings, clock)
            except NotARepository:
                where = str(folder)  # a repository without a work tree, or none: git knows
            else:
                return _neighbour(near, own, remote)
        elif not _REMOTE_GIT.fullmatch(where):
            raise NotFound(
                f"there is no repository `{where}`",
                at=str(folder),
                hints=["give a folder in a git repository, or a URL that `git clone` takes"],
            )
        return _fetched(where, settings, own, remote, clock)
    except BaseException:
        own.close()
        raise


def _neighbour(near: Project, scratch: Scratch, remote: str | None, tree: Path | None = None) -> Origin:
    """A work tree of this machine: its store and ledger are read, nothing in it is written."""
    inside = Project(scratch.path, near.settings._replace(dry_run=False), near.clock)

    def locks(revision: str | None) -> Lock | None:
        if revision is None:
            return near.lock()
        data = near.git.show(revision, _LOCK)
        return None if data is None else Lock.parse(data)

    def close() -> None:
        near.close()
        inside.close()
        scratch.close()

    sources = Sources(inside, lambda: _addresses(near, remote, absolute=True), [near.store])
    return Origin(inside, sources, locks, lambda: near.ledger, own=False, close=close, tree=tree)


def _fetched(where: str, settings: Settings, scratch: Scratch, remote: str | None, clock: Clock) -> Origin:
    """A repository that git can reach: its newest lock and settings are copied."""
    project = Project(scratch.path, settings._replace(dry_run=False), clock)
    git = scratch.path / "git"
    for name, data in fetch_files(where, None, _FILES, git).items():
        (scratch.path / name).write_bytes(data)

    def locks(revision: str | None) -> Lock | None:
        if revision is None:
            return project.lock()
        data = fetch_files(where, revision, (_LOCK,), git).get(_LOCK)
        return None if data is None else Lock.parse(data)

    def addresses() -> list[Address]:
        found = _addresses(project, remote)
        beside = [it for it in found if "://" not in it.url and not Path(it.url).is_absolute()]
        if remote and "/" in remote:  # whoever gives an address knows where it is
            return [address for address in found if address not in beside]
        for address in beside:
            raise ProjectInvalid(
                f"remote `{address.name}` of `{where}` is a folder beside its clone: `{address.url}`",
                hints=["say where it is from here with `--remote PATH`"],
            )
        return found

    sources = Sources(project, addresses)

    def close() -> None:
        project.close()
        scratch.close()

    return Origin(project, sources, locks, lambda: _recorded(project, sources), own=False, close=close)


def _recorded(project: Project, sources: Sources) -> Ledger:
    """The record of runs as the remotes have it."""
    errors: list[DrystoneError] = []
    for distant in sources.remotes(errors):
        distant.remote.pull_journals()
    if errors:
        raise errors[0]
    return project.ledger


def _addresses(project: Project, remote: str | None, *, absolute: bool = False) -> list[Address]:
    """The remotes of a project, the one that is asked first in front."""
    root = project.layout.root
    named = [address_of(project, name) for name in configuration.remotes(root)]
    if absolute:
        named = [
            address if "://" in address.url else address._replace(url=os.path.normpath(root / address.url))
            for address in named
        ]
    if remote is None:
        return named
    if "/" in remote:
        return [Address(remote, remote), *named]
    chosen = configuration.choose({address.name: {} for address in named}, remote)
    return sorted(named, key=lambda address: address.name != chosen)
