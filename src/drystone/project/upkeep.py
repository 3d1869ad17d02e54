"""Is every object that the project needs here and whole, and can it be had again where it is not?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from drystone.core.errors import DrystoneError, ProjectInvalid
from drystone.core.ids import digest_of
from drystone.objects.atomic import explained
from drystone.objects.inspection import Fault, Progress, inspect
from drystone.objects.intake import identify_path
from drystone.objects.lists import lies_apart, settle, settle_apart
from drystone.objects.reach import Reach
from drystone.objects.repair import repair
from drystone.objects.tree import Memory, walk
from drystone.project.configuration import remotes
from drystone.project.needs import kept, needs, of_lock
from drystone.project.project import Project
from drystone.workspace.lockfile import Lock, read_bytes

_NAMED = 5  # of those who need an object so many are named


class Source(Protocol):
    """Where lost objects may be had again, such as a remote."""

    def fetch(self, ids: Iterable[str]) -> Iterable[str]:
        """Stores those of the objects that can be had, verified; gives their ids.

        Where nothing is to be done it gives the ids of those that are said to be there.
        """


class Lost(NamedTuple):
    """An object that is needed and that the store does not have whole.

    Attributes:
        why: `damaged` if a file of the store should hold it, else `missing`.
        needed_by: paths, versions and runs, the present lock's paths first; at most five.
    """

    object: str
    why: str
    needed_by: tuple[str, ...]


class Report(NamedTuple):
    """What was found.

    Attributes:
        objects: whole objects in the store; `size` bytes of its files.
        needed: objects that something needs.
        faults: what is wrong with which file of the store.
        lost: the needed objects that are not here, and should be.
        away: those that are not here as only the lock as it is now was pulled: nothing but older revisions
            and what is recorded of runs and versions needs them, and there is a remote.
        repaired: what was done about it, a line for each, and how many objects came from where.
    """

    objects: int
    size: int
    needed: int
    faults: tuple[Fault, ...]
    lost: tuple[Lost, ...]
    away: tuple[Lost, ...] = ()
    repaired: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not self.lost


def _silent(_done: int, _all: int) -> None:
    pass


def check(project: Project, tell: Progress = _silent) -> Report:
    """Looks at every byte of the store and at all that the project needs; changes no object.

    Raises:
        DrystoneError: git, the ledger or the store cannot be read.
    """
    store = project.store
    doubt = store.quarantine.doubt()
    try:
        found = inspect(store, tell)
    except OSError as error:
        raise explained(error, "the object store cannot be read", store.root) from error
    damaged = {name for fault in found.faults for name in fault.objects}
    unmet = _unmet(
        project,
        # what is neither whole nor damaged may have been stored since
        lambda name: digest_of(name) in found.whole or (name not in damaged and store.has(name)),
    )
    may_be_away = doubt is None and _has_remote(project)
    missed, away = list[Lost](), list[Lost]()
    for name, by in unmet.lost.items():
        why = "damaged" if name in damaged else "missing"
        elsewhere = may_be_away and why == "missing" and name not in unmet.now
        (away if elsewhere else missed).append(Lost(name, why, tuple(by[:_NAMED])))
    report = Report(
        len(found.whole), found.size, unmet.needed, tuple(found.faults), tuple(missed), tuple(away)
    )
    if report.whole:
        if not away:
            store.quarantine.settle(doubt)
    elif damaged or found.faults or not may_be_away or not {one.object for one in missed} <= unmet.roots:
        store.quarantine.raise_doubt()  # else it was never here: no list that is here tells of it
    return report


def _has_remote(project: Project) -> bool:
    with suppress(ProjectInvalid):  # settings that cannot be understood name none
        return bool(remotes(project.layout.root))
    return False


def mend(
    project: Project, report: Report, sources: Sequence[Source] = (), tell: Progress = _silent
) -> Report:
    """Repairs what a check found, as far as that is possible, and checks again.

    Under a dry run it gives the report that there is, with what would be done: of what only the list of a
    lost directory tells, nothing is known then.

    Objects come again from the store's own files, else from tracked files of the work tree that have
    the right content, else from `sources`.

    Raises:
        DrystoneError: the store cannot be read or written.
    """
    store = project.store
    done, had = repair(store, report.faults), set[str]()
    ways: list[tuple[str, Way]] = [("the work tree", partial(_from_work_tree, project))]
    ways += [(str(source), source.fetch) for source in sources]
    for what, way in ways:
        # The list of a directory that came back may tell of more that is lost.
        while lost := _still_lost(project, report, had):
            came = set(way(sorted(lost))) & lost
            if not came:
                break
            had |= came
            done.append(f"{len(came)} objects stored again from {what}")
        if not store.read_only:
            settle_apart(store)
    if store.read_only:
        return report._replace(repaired=tuple(done))
    return check(project, tell)._replace(repaired=tuple(done))


def _still_lost(project: Project, report: Report, had: set[str]) -> set[str]:
    """What is lost; where nothing is done, what was lost at the check but for what would be had by now."""
    if project.store.read_only:
        return {lost.object for lost in (*report.lost, *report.away)} - had
    store = project.store
    return set(_unmet(project, lambda name: store.has(name) or lies_apart(store, name)).lost)


Way = Callable[[list[str]], Iterable[str]]


class _Unmet(NamedTuple):
    """What is needed and not here.

    Attributes:
        needed: how many objects are needed.
        now: those of them that must be here: the lock as it is now, and what only this copy knows, need them.
        roots: those that something needs by itself, and not only as a part of a directory.
        lost: those that are not here, and who needs them.
    """

    needed: int
    now: set[str]
    roots: set[str]
    lost: dict[str, list[str]]


def _unmet(project: Project, has: Callable[[str], bool]) -> _Unmet:
    reach = Reach(project.store, patient=True)
    lost: dict[str, list[str]] = {}
    now: set[str] = set()
    roots: set[str] = set()
    for present, need in (
        *((True, need) for need in of_lock(read_bytes(project.layout.lock) or b"")),
        *((True, need) for need in kept(project)),
        *((False, need) for need in needs(project)),
    ):
        roots.add(need.object)
        for name, by in reach.follow(need.object, need.by, tree=need.tree):
            if present:
                now.add(name)
            if not has(name):
                lost[name] = [by]
        if need.object in lost and need.by not in lost[need.object]:
            lost[need.object].append(need.by)
    return _Unmet(len(reach.digests), now, roots, lost)


def _from_work_tree(project: Project, wanted: list[str]) -> set[str]:
    """Stores the lost objects that tracked paths hold; gives their ids."""
    lost, came = set(wanted), set[str]()
    for name in Lock.read(project.layout.lock).paths:
        place, trees = project.layout.root / name, Memory()
        with suppress(DrystoneError):  # it is not there, or changes all the time
            entry = identify_path(place, trees=trees)
            for below, file in walk(trees, entry):
                if file.kind == "file" and file.object in lost - came:
                    came.add(_stored(project, file.object, place / below if below else place))
            lists = {other: trees.read(other) for other in lost & {*trees, *trees.later}}
            if not project.store.read_only:
                settle(project.store, lists, distrusting=True)
            came |= lists.keys()
    return came


def _stored(project: Project, name: str, place: Path) -> str:
    return name if project.store.read_only else project.store.put_file(place)
