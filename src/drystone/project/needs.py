"""Which objects a project needs, and what for: the lock now and in history, the ledger, work in progress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from drystone.core.errors import Corrupt, DrystoneError, NotFound
from drystone.core.ids import short
from drystone.ledger.facts import RunStarted, TraceRecorded, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.ledger.names import decoded
from drystone.objects.entry import printable
from drystone.objects.reach import looks_like_a_tree
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree
from drystone.project.project import Project
from drystone.workspace.lockfile import Lock, read_bytes
from drystone.workspace.operations import Operations

_ANY_OBJECT = re.compile(rb"b3:[0-9a-f]{64}(?![0-9a-f])")
#: Files whose every word that is an object id is needed.
_KEPT = ("attempts/*.json", "attempts/*.kept", "imported/*.lock", "pins/*")


class Need(NamedTuple):
    """One object that is needed.

    Attributes:
        by: what for, as a person may be told.
        tree: whether it is a directory; None where only its bytes can tell.
    """

    object: str
    by: str
    tree: bool | None = None


def needs(project: Project, undo_since: int | None = None) -> Iterator[Need]:
    """All objects that anything in a project leads to, the present lock's first.

    Args:
        project: which.
        undo_since: nanoseconds since the epoch; whether what undoing anything done since needs counts, too.

    Raises:
        DrystoneError: git or the ledger cannot be read.
        OSError: a file cannot be read.
    """
    yield from locked(project)
    yield from of_ledger(project.ledger)
    yield from _damaged_journals(project)
    for pattern in _KEPT:
        for path in sorted(project.layout.state.glob(pattern)):
            yield from _words(path.read_bytes(), f".drystone/{path.parent.name}/{path.name}")
    for operation in Operations(project.layout.operations, project.clock):
        if undo_since is not None and operation.time >= undo_since:
            for change in (*operation.lock, *operation.files):
                for side in (change.before, change.after):
                    if side is not None:
                        by = f"undoing `drystone {operation.verb}` of {printable(change.path)}"
                        yield Need(side.object, by, side.kind == "tree")


def of_lock(data: bytes, suffix: str = "") -> Iterator[Need]:
    """What a lock needs; of one that cannot be understood, whatever it names.

    Args:
        data: its bytes.
        suffix: what to put behind the name of each path.
    """
    try:
        lock = Lock.parse(data)
    except DrystoneError:
        yield from _words(data, f"drystone.lock{suffix}, which cannot be understood")
        return
    for entry in lock.entries():
        yield Need(entry.object, f"{printable(entry.name)}{suffix}", entry.kind == "tree")


def locked(project: Project) -> Iterator[Need]:
    """What the locks of all work trees, of git's index and of every commit that git knows a way to need."""
    name = project.layout.lock.name
    seen: set[tuple[str, bool | None]] = set()  # a path that did not change is in every lock
    for top in project.git.work_trees():
        data = read_bytes(top / name)
        if data is not None:
            for need in of_lock(data, "" if top == project.layout.root else f" in {top}"):
                seen.add((need.object, need.tree))
                yield need
    for commit, data in project.git.every_version(name):
        for need in of_lock(data, f" at git:{commit[:12]}"):
            if (need.object, need.tree) not in seen:
                seen.add((need.object, need.tree))
                yield need


def named(project: Project) -> Iterator[Need]:
    """What the ledger calls by a name: all that it needs, and whatever runs wrote.

    Whether something is a directory is told as far as the ledger or what is here can tell.
    """
    store, ledger = project.store, project.ledger
    known: dict[str, bool] = {}
    for path, name, tree in ledger.query("SELECT path, object, tree FROM edge WHERE direction = 'write'"):
        known[name] = bool(tree)
        yield Need(name, path, bool(tree))
    for need in of_ledger(ledger):
        if need.tree is None and need.object in known:
            need = need._replace(tree=known[need.object])
        elif need.tree is None and store.has(need.object):
            need = need._replace(tree=_is_tree(store, need.object))
        yield need


def of_ledger(ledger: Ledger) -> Iterator[Need]:
    """All registered versions, and what runs printed and ran with, and their traces."""
    for version in decoded(ledger.query("SELECT fact FROM version"), VersionRegistered):
        yield Need(version.object, f"{version.kind}:{version.name}@v{version.version}")
    for run, blob, output in ledger.query("SELECT run, started_fact, output FROM run"):
        if blob is not None:
            (started,) = decoded([(blob,)], RunStarted)
            if started.environment:
                yield Need(started.environment, f"environment of run {short(run)}", False)
            if started.code is not None and started.code.changes:
                yield Need(started.code.changes, f"uncommitted changes at run {short(run)}", False)
        if output:
            yield Need(output, f"output of run {short(run)}", False)
    for trace in decoded(ledger.query("SELECT fact FROM trace"), TraceRecorded):
        yield Need(trace.trace, f"trace of run {short(trace.run)}", False)


def _damaged_journals(project: Project) -> Iterator[Need]:
    for file in {
        problem.split("`")[1] for problem in project.ledger.problems()
    }:  # what is damaged may name more
        path = project.layout.journals / file
        if path.exists():
            yield from _words(path.read_bytes(), f"the damaged journal {file}")


def _is_tree(store: ObjectStore, name: str) -> bool:
    with suppress(NotFound, Corrupt):
        if looks_like_a_tree(store, name):
            read_tree(store, name)
            return True
    return False


def _words(data: bytes, by: str) -> Iterator[Need]:
    for found in dict.fromkeys(_ANY_OBJECT.findall(data)):
        yield Need(found.decode(), by)
