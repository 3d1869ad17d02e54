"""What to type where a tracked path cannot be checked out: that depends on what the project has."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from drystone.core.errors import DrystoneError, ProjectInvalid
from drystone.core.ids import digest_of
from drystone.objects.entry import Entry, printable
from drystone.objects.store import ObjectStore
from drystone.objects.trash import Trash
from drystone.objects.tree import read_tree
from drystone.project import configuration
from drystone.project.project import Project
from drystone.workspace.checkout import Damaged, Lacking


@contextmanager
def advising(project: Project, revision: str | None = None) -> Iterator[None]:
    """Errors of a checkout get the hints that lead out of them.

    Args:
        project: where.
        revision: the git revision that is checked out; None is the lock as it is here.
    """
    try:
        yield
    except (Lacking, Damaged) as error:
        advise(project, error, revision)
        raise


def advise(project: Project, error: DrystoneError, revision: str | None = None) -> None:
    """As `advising`, for one error; any that is none of a checkout is left as it is."""
    if not isinstance(error, Lacking | Damaged):
        return
    path, hints = shlex.quote(printable(error.path)), []
    if isinstance(error, Lacking) and _is_in_the_trash(project.store, error.wanted):
        hints.append("bring it back from the trash with `drystone gc --restore`")
    if _has_remotes(project):
        verb = f"pull {path}" if revision is None else f"pull --git {shlex.quote(revision)} {path}"
        hints.append(f"fetch it with `drystone {verb}`")
    if isinstance(error, Lacking):
        hints += _linked(project)
    hints += _made_by(project, error)
    if not hints:
        hints.append("name a remote that has it with `drystone remote add NAME URL`")
        hints.append(f"put a good copy in its place and store it with `drystone add {path}`")
    error.hints = tuple(hints)


def _is_in_the_trash(store: ObjectStore, wanted: Entry) -> bool:
    """Whether something of what the store has not all of is in the trash."""
    trash, pending = Trash(store), [wanted]
    while pending:
        entry = pending.pop()
        if not store.has(entry.object):
            if trash.holds(digest_of(entry.object)):
                return True
        elif entry.kind == "tree":
            pending += read_tree(store, entry.object)
    return False


def _made_by(project: Project, error: Lacking | Damaged) -> list[str]:
    from drystone.ledger import lineage  # only who fails needs the ledger

    maker = lineage.producer(project.ledger, error.wanted.object, path=error.path)
    if maker is None or maker.kind != "step":
        return []
    return [f"make it again with `drystone run {shlex.quote(maker.name)}`"]


def _has_remotes(project: Project) -> bool:
    try:
        return bool(configuration.remotes(project.layout.root))
    except ProjectInvalid:  # `drystone pull` says so
        return True


def _linked(project: Project) -> list[str]:
    """How a work tree that git linked to a clone shares the store of that clone."""
    own = project.layout.objects.relative_to(project.layout.root)
    store = project.git.common_folder().resolve().parent / own
    if not store.is_dir() or os.path.lexists(project.layout.objects):
        return []
    return [
        "this work tree has no store yet; let it share the main one's:"
        f" `ln -s {shlex.quote(str(store))} {shlex.quote(str(own))}`"
    ]
