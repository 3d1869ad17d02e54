"""A DVC repository becomes ours: every output a line of `drystone.lock`, its objects in our store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shlex import quote
from stat import S_ISREG
from typing import Literal, NamedTuple

import msgspec

from drystone.core.errors import Conflict, DrystoneError, NotFound, RemoteUnavailable
from drystone.interop.dvc.collector import Collector, Damaged, Missing
from drystone.interop.dvc.config import read_config
from drystone.interop.dvc.credentials import Credentials
from drystone.interop.dvc.directory import Content
from drystone.interop.dvc.gathering import Gathered, gather
from drystone.interop.dvc.knowledge import Knowledge
from drystone.interop.dvc.outputs import Output
from drystone.interop.dvc.places import Places, open_places
from drystone.interop.dvc.repository import below, discover, read_state, reader_of
from drystone.objects.atomic import sweep
from drystone.objects.entry import printable
from drystone.objects.hashing import Progress
from drystone.objects.tree import Memory
from drystone.workspace.ignore import ignore_state, kept_out_of_git
from drystone.workspace.lockfile import Lock, LockedPath, overlapping
from drystone.workspace.recording import relock
from drystone.workspace.workspace import Workspace

_SHOWN = 10

Outcome = Literal["added", "changed", "unchanged", "incomplete", "unrecorded", "git", "unkept"]


class Source(NamedTuple):
    """What to import, and what the face knows that the library does not look up.

    Attributes:
        start: a folder in the DVC repository.
        outer: DVC's configuration files of the system and the user, the weakest first.
        credentials: for remotes.
        remote: look in this remote only; None in all.
    """

    start: Path
    outer: tuple[Path, ...]
    credentials: Credentials
    remote: str | None = None


class ImportedPath(msgspec.Struct, frozen=True):
    """One output.

    Attributes:
        path: relative to git's root.
        source: which of DVC's files names it.
        outcome: `added`, `changed` or `unchanged` in the lock; `incomplete` if content is missing;
            `unrecorded` if DVC's files do not say what it is; `git` if DVC does not keep it and git does;
            `unkept` if neither does and it is not what DVC's files say, so that nobody has it.
        files: how many.
        size: of all of them, bytes.
        locked: its line in the lock, None where it has none, or in a dry run if it must be fetched first.
    """

    path: str
    source: str
    outcome: Outcome
    files: int = 0
    size: int = 0
    locked: LockedPath | None = None


class Imported(msgspec.Struct, frozen=True):
    """What `import_dvc` did, or under `dry_run` would do.

    Attributes:
        root: DVC's root relative to git's, `.` if they are one.
        paths: every output.
        fetched: bytes that came from remotes.
        missing: contents that are nowhere; with any, the lock was left as it was.
        damaged: what was refused.
        skipped: remotes that cannot be read here, with why.
        never_ran: stages without recorded outputs.
        ignored: paths for which a line was written to `.gitignore`.
        unreachable: remotes that did not answer, with what they said.
    """

    root: str
    paths: tuple[ImportedPath, ...]
    fetched: int = 0
    missing: tuple[Missing, ...] = ()
    damaged: tuple[Damaged, ...] = ()
    skipped: tuple[str, ...] = ()
    never_ran: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    unreachable: dict[str, str] = {}

    @property
    def failure(self) -> DrystoneError | None:
        """The error to report if something is missing."""
        if not self.missing:
            return None
        paths = [path for item in self.missing for path in item.paths]
        details = [
            f"{printable(item.paths[0])}  md5 {item.md5}  not in {', '.join(item.looked)}"
            for item in self.missing[:_SHOWN]
        ]
        if len(self.missing) > _SHOWN:
            details.append(f"and {len(self.missing) - _SHOWN} more; `--json` names all")
        kind = RemoteUnavailable if self.unreachable else NotFound
        return kind(
            f"nothing was imported: the content of {_count(len(paths), 'file')} is nowhere to be had",
            details=details,
            because=[f"{name}: {said}" for name, said in self.unreachable.items()] or list(self.skipped),
            hints=["bring it into DVC's cache with `dvc fetch` where that is possible, and import again"],
        )


def import_dvc(
    workspace: Workspace,
    source: Source,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _size: None,
) -> Imported:
    """Stores what DVC keeps, writes it to the lock, and keeps it out of git. All of it or nothing.

    Nothing of DVC's and no file of the work tree is changed. What was stored before something turned out
    to be missing stays in the store, so a second attempt has less to do.

    Args:
        workspace: where to.
        source: where from.
        dry_run: read everything that lies on this machine, and change nothing.
        progress: is told the bytes of what is read, from several threads.

    Raises:
        NotFound: there is no DVC repository.
        ProjectInvalid: one of its files cannot be understood, or names a path that must not be written.
        Conflict: git tracks an output, or it overlaps with what is tracked already.
        WorkFailed: the disk is full.
    """
    top = workspace.layout.root
    root = discover(source.start, top)
    prefix = prefix_of(root, top)
    state = read_state(dvc_files(workspace, prefix), reader_of(root))
    before = workspace.lock()
    in_git = workspace.git.is_tracked(prefix + output.path for output in state.outputs)
    _refuse(prefix, state.outputs, in_git, before)
    wanted = [output for output in state.outputs if prefix + output.path not in in_git]
    with opened(workspace, source, root, dry_run=dry_run) as (knowledge, places):
        store, at = workspace.store, places.places
        collector = Collector(store, knowledge, at, root=root, dry_run=dry_run, progress=progress)
        keep = Memory().keep if dry_run else workspace.store.put_bytes
        bits = partial(_is_executable, workspace, root)
        found = gather(collector, wanted, keep, is_executable=bits)
    gathered = dict(zip(wanted, found, strict=True))
    lacking = tuple(item for item in collector.missing if not item.optional)
    locked = {
        prefix + output.path: LockedPath.of(item.entry)
        for output, item in gathered.items()
        if item.entry is not None
    }
    ignored: list[str] = []
    if not dry_run and not lacking and locked:
        with kept_out_of_git(workspace.git, locked) as ignored:
            before = relock(workspace, "import dvc", locked, ignored)
    return Imported(
        prefix.rstrip("/") or ".",
        tuple(_told(prefix, output, gathered.get(output), before) for output in state.outputs),
        collector.fetched,
        lacking,
        collector.damaged,
        places.others,
        state.never_ran,
        tuple(ignored),
        collector.unreachable,
    )


def _is_executable(workspace: Workspace, root: Path, path: str, content: Content) -> bool:
    """Whether the work tree has this content at a path of DVC's, with the bit: DVC's lists do not keep it."""
    place = root / path
    try:
        status = place.lstat()
        if not S_ISREG(status.st_mode) or not status.st_mode & 0o100 or status.st_size != content.size:
            return False
        return workspace.stat_index.identify(place, status) == content.object
    except (OSError, Conflict):  # it cannot be read, or changes all the time
        return False


def prefix_of(root: Path, top: Path) -> str:
    """DVC's root relative to git's: empty if they are one, else with `/` at its end."""
    return "" if root == top else f"{root.relative_to(top).as_posix()}/"


def dvc_files(workspace: Workspace, prefix: str) -> list[str]:
    """DVC's files of the work tree, relative to its root: what git or DVC ignores is not among them."""
    git = workspace.git
    paths = {*git.tracked(), *git.untracked()}
    if any(path.rpartition("/")[2] == ".dvcignore" for path in paths):
        paths -= git.excluded_by(".dvcignore")
    return below(paths, prefix)


@contextmanager
def opened(
    workspace: Workspace, source: Source, root: Path, *, dry_run: bool
) -> Iterator[tuple[Knowledge, Places]]:
    """The map of known contents and the places to look in, for one import.

    Raises:
        ProjectInvalid: DVC's configuration cannot be understood, or has no such remote.
    """
    config = read_config(root, source.outer, source.credentials.home)
    state = workspace.layout.state
    places = open_places(config.cache, config.chosen(source.remote), source.credentials, state / "fetched")
    if not dry_run:
        ignore_state(state)
        sweep(state / "fetched")
    with Knowledge(state / "dvc.sqlite", read_only=workspace.store.read_only) as knowledge:
        yield knowledge, places


def _refuse(prefix: str, outputs: Sequence[Output], in_git: Set[str], lock: Lock) -> None:
    """Raises for outputs that cannot be tracked, before anything is stored."""
    paths = [prefix + output.path for output in outputs if output.cached]
    both = sorted(in_git & set(paths))
    if both:
        raise Conflict(
            f"git tracks `{printable(both[0])}`, which is an output of DVC's",
            because="a path is tracked by git or by Drystone, not by both",
            hints=[f"take it out of git, leaving the file: `git rm -r --cached -- {quote(both[0])}`"],
        )
    overlap = overlapping({**lock.paths, **dict.fromkeys(paths)})
    if overlap:
        outer, inner = overlap
        raise Conflict(
            f"`{printable(inner)}` and `{printable(outer)}` cannot both be tracked",
            because="one lies inside the other",
            hints=["stop tracking the one that is in `drystone.lock` already with `drystone untrack PATH`"],
        )


def _told(prefix: str, output: Output, found: Gathered | None, before: Lock) -> ImportedPath:
    path = prefix + output.path
    if found is None:
        return ImportedPath(path, output.source, "git")
    locked = LockedPath.of(found.entry) if found.entry else None
    outcome: Outcome
    if output.digest is None and output.members is None:
        outcome = "unrecorded"
    elif not found.whole:
        outcome = "incomplete" if output.cached else "unkept"
    elif path not in before.paths:
        outcome = "added"
    else:
        outcome = "unchanged" if before.paths[path] == locked else "changed"
    return ImportedPath(path, output.source, outcome, found.files, found.size, locked)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
