"""Collecting garbage for all projects that use a store, and bringing it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Corrupt, DrystoneError, ProjectInvalid, UsageError, WorkFailed
from drystone.core.ids import name_of, short
from drystone.objects.collect import Plan, carry_out, plan
from drystone.objects.packs import TICK
from drystone.objects.reach import Reach
from drystone.objects.trash import Content, Trash
from drystone.project.needs import needs
from drystone.project.project import Project

_LITTLE = 1 << 16  # bytes that folders and notes take on any file system


class Collected(NamedTuple):
    """What was collected, or would be.

    Attributes:
        objects: number of objects that are garbage; `size` their bytes as stored.
        left: bytes of garbage that stay in packs of which too little is garbage.
        packed: small files, and `rewritten` packs, that go into new packs.
        trash: what lies in the trash from before; `emptied` what of that is old enough to go for good.
        brought_back: files that were in the trash though they are needed, and are in the store again.
        users: the projects whose needs were looked at.
        done: whether it was done.
    """

    objects: int
    size: int
    left: int
    packed: int
    rewritten: int
    trash: Content
    emptied: Content
    brought_back: int
    users: tuple[Path, ...]
    done: bool


def collect(project: Project, older_than: float, *, dry_run: bool = True) -> Collected:
    """Moves what nobody needs to the trash, and empties the trash of what has lain there long enough.

    Args:
        project: one of the projects that use the store; the needs of all are looked at.
        older_than: seconds; younger objects stay, and younger trash.
        dry_run: do nothing but tell.

    Raises:
        ProjectInvalid: a project that uses the store cannot be read.
        Corrupt: a directory is damaged, so that what it lists cannot be told from garbage.
        WorkFailed: the disk is too full for all of it; what needs no space was done.
    """
    store, trash, now = project.store, Trash(project.store), project.clock.now()
    if not store.read_only:
        with store.explaining():
            store.sharing.register()
    before = now - int(older_than * 1e9) - TICK
    living = store.sharing.living()
    limit = before if living.since is None else min(before, living.since)
    with _users(project) as users:
        reach, brought_back = _reach_with_trash(project, users, trash, before, dry_run=dry_run)
        todo = plan(store, reach, limit)
        lying, emptied = trash.content(), trash.content(before)
        if not dry_run:
            with store.explaining(), store.sharing.alone():
                trash.empty(before)  # first: what follows may need the space
            _carry_out(project, todo, trash, now, before, limit)
        return _told(todo, lying, emptied, brought_back, users, done=not dry_run)


def _carry_out(project: Project, todo: Plan, trash: Trash, now: int, before: int, limit: int) -> None:
    folder, roomy = None, False
    try:
        with project.store.explaining():
            folder = trash.begin(now)
            roomy = carry_out(project.store, todo, folder, limit, lambda: _again(project, before))
    except WorkFailed as error:
        raise _too_full(project, todo) from error
    finally:
        if folder is not None and not any(folder.iterdir()):
            folder.rmdir()
    if not roomy:
        raise _too_full(project, todo)


def _too_full(project: Project, todo: Plan) -> WorkFailed:
    files = [*todo.rewritten, *map(project.store.loose.path, map(name_of, todo.packed))]
    room = sum(path.stat().st_size for path in files if path.exists())
    hints = [f"make room for {max(room, _LITTLE):,} bytes on that disk, and run the same command again"]
    if Trash(project.store).content().files:
        hints.append("delete what lies in the trash for good with `drystone gc --yes --older-than 0s`")
    return WorkFailed(
        "the disk is too full to collect all of the garbage",
        at=str(project.store.root),
        because="what is needed of a pack is written anew before the pack goes; what needs no space was done",
        hints=hints,
    )


def restore(project: Project, *, dry_run: bool = False) -> int:
    """Moves everything in the trash back into the store, unless `dry_run`; gives the number of files."""
    store = project.store
    if dry_run:
        return Trash(store).content().files
    with store.explaining(), store.sharing.alone():
        store.loose.prepare()
        return Trash(store).bring_back()


def forget(project: Project, user: Path, *, dry_run: bool = False) -> None:
    """From now on a project that used the store does not count.

    Args:
        project: another one that uses it.
        user: its top folder.
        dry_run: do nothing.

    Raises:
        UsageError: it is not among the users.
    """
    with project.store.explaining():
        known = project.store.sharing.users()[1:]
        ways = [way for way in known if user in (way, _top(way))]
        if not ways:
            raise UsageError(
                f"`{user}` is not among the projects that use this store",
                because=[f"`{_top(way)}` is" for way in known],
            )
        for way in ways if not dry_run else ():
            project.store.sharing.forget(way)


def _told(
    todo: Plan,
    lying: Content,
    emptied: Content,
    brought_back: int,
    users: list[Project],
    *,
    done: bool,
) -> Collected:
    return Collected(
        todo.objects,
        todo.size,
        todo.left,
        len(todo.packed),
        len(todo.rewritten),
        lying,
        emptied,
        brought_back,
        tuple(user.layout.root for user in users),
        done,
    )


@contextmanager
def _users(project: Project) -> Iterator[list[Project]]:
    """All projects that use the store of this one, itself included."""
    root = project.layout.root
    try:
        ways = project.store.sharing.users()
    except (OSError, ValueError) as error:
        raise ProjectInvalid(
            "nothing is collected: the list of the projects that use the store cannot be read",
            at=str(project.store.root / "users"),
            because=str(error),
        ) from error
    home, *others = ways
    tops = {root} | ({_top(home)} if _top(home) != home else set()) | {_top(way) for way in others}
    with ExitStack() as opened:
        users = [project]
        for top in sorted(tops - {root}):
            users.append(_opened(project, top))
            opened.callback(users[-1].close)
        yield users


def _top(way: Path) -> Path:
    """The top of the project that reaches its store by `.drystone/objects` in it; else the way itself."""
    return way.parent.parent if (way.parent.name, way.name) == (".drystone", "objects") else way


def _opened(project: Project, top: Path) -> Project:
    try:
        if not top.is_dir():
            raise ProjectInvalid("there is no such folder")
        other = Project.discover(top, project.settings, project.clock)
        if other.layout.root != top.resolve():
            raise ProjectInvalid("it is no longer the top of a git work tree")
        return other
    except DrystoneError as error:
        raise _unreadable(top, error.message) from error


def _unreadable(top: Path, because: str) -> ProjectInvalid:
    return ProjectInvalid(
        "nothing is collected: a project that uses the store cannot be read",
        at=str(top),
        because=because,
        hints=[f"if it is gone for good, let the store forget it with `drystone gc --forget {top}`"],
    )


def _needed(users: list[Project], before: int) -> Iterator[tuple[str, str, bool | None]]:
    for user in users:
        try:
            yield from ((need.object, need.by, need.tree) for need in needs(user, before))
        except (DrystoneError, OSError, sqlite3.Error) as error:
            because = error.message if isinstance(error, DrystoneError) else str(error)
            raise _unreadable(user.layout.root, because) from error


def _reached(project: Project, users: list[Project], before: int) -> Reach:
    reach = Reach(project.store)
    # First what processes rely on that live: if one ends meanwhile, what it made refer to it is seen after.
    for name in project.store.sharing.living().objects:
        for _ in reach.follow(name, "a process that is running", tree=None):
            pass
    for name, by, tree in _needed(users, before):
        for _ in reach.follow(name, by, tree=tree):
            pass
    doubt = project.store.quarantine.doubt()
    if reach.unread and doubt is not None:
        name, by = next(iter(reach.unread.items()))
        raise Corrupt(
            f"nothing is collected: the directory `{by}` is missing or damaged",
            at=short(name),
            because="something in this store was damaged, so what it lists cannot be told from garbage",
            hints=["mend it with `drystone fsck --repair`"],
        )
    return reach


def _reach_with_trash(
    project: Project, users: list[Project], trash: Trash, before: int, *, dry_run: bool
) -> tuple[Reach, int]:
    """What is reached, after what of it lay in the trash was brought back."""
    brought_back = 0
    while True:
        reach = _reached(project, users, before)
        if dry_run or not trash.content().files:
            return reach, brought_back
        missing = {d for d in reach.digests if not project.store.has(name_of(d))}
        with project.store.explaining(), project.store.sharing.alone():
            moved = trash.bring_back(missing) if missing else 0
        if not moved:
            return reach, brought_back
        brought_back += moved


def _again(project: Project, before: int) -> tuple[Reach, frozenset[str]]:
    """What is reached now that nobody else writes."""
    held = project.store.sharing.living(clear=True).objects
    with _users(project) as users:
        return _reached(project, users, before), held
