"""What every commit of a DVC repository names, so that old versions are not lost with DVC's cache."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drystone.core.errors import Conflict, ProjectInvalid
from drystone.interop.dvc.collector import Collector, Damaged, Missing
from drystone.interop.dvc.gathering import gather
from drystone.interop.dvc.importing import Source, opened, prefix_of
from drystone.interop.dvc.outputs import Output
from drystone.interop.dvc.repository import PATTERNS, below, discover, read_state
from drystone.objects.atomic import explained, write_atomic
from drystone.objects.hashing import Progress
from drystone.objects.tree import Memory
from drystone.workspace.git import Git
from drystone.workspace.lockfile import Lock, LockedPath
from drystone.workspace.workspace import Workspace


class History(msgspec.Struct, frozen=True):
    """What was stored of old commits.

    Attributes:
        commits: those that changed DVC's files, the newest first; each has a lock of its own now.
        files: different contents that were found.
        size: their bytes.
        fetched: bytes that came from remotes.
        missing: contents that are nowhere; they are lost to DVC, too.
        damaged: what was refused.
        unreadable: commits or directories that cannot be understood, with why.
    """

    commits: tuple[str, ...]
    files: int
    size: int
    fetched: int
    missing: tuple[Missing, ...]
    damaged: tuple[Damaged, ...]
    unreadable: dict[str, str]


def folder_of(workspace: Workspace) -> Path:
    """Where the lock of each commit is written, as `COMMIT.lock`."""
    return workspace.layout.state / "imported"


def import_history(
    workspace: Workspace,
    source: Source,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _size: None,
) -> History:
    """Stores the contents that the commits of all refs name, as far as they are still to be had.

    For each such commit `.drystone/imported/COMMIT.lock` says, in the format of `drystone.lock`, what
    was whole of it. The contents of the newest state are found in the store, if it was imported before.

    Args:
        workspace: where to.
        source: where from.
        dry_run: change nothing.
        progress: is told the bytes of what is read, from several threads.

    Raises:
        NotFound: there is no DVC repository.
        ProjectInvalid: DVC's configuration cannot be understood.
        WorkFailed: the disk is full.
    """
    root = discover(source.start, workspace.layout.root)
    prefix = prefix_of(root, workspace.layout.root)
    states, unreadable = _states(workspace.git, prefix)
    outputs = list(dict.fromkeys(output for state in states.values() for output in state if output.cached))
    keep = Memory().keep if dry_run else workspace.store.put_bytes
    with opened(workspace, source, root, dry_run=dry_run) as (knowledge, places):
        collector = Collector(workspace.store, knowledge, places.places, dry_run=dry_run, progress=progress)
        found = dict(zip(outputs, gather(collector, outputs, keep, unreadable=unreadable), strict=True))
    if not dry_run:
        for commit, state in states.items():
            locked = {
                prefix + output.path: LockedPath.of(entry)
                for output in state
                if output in found and (entry := found[output].entry) is not None
            }
            _write(workspace, commit, locked, unreadable)
    return History(
        tuple(states),
        collector.files,
        collector.size,
        collector.fetched,
        tuple(collector.missing),
        collector.damaged,
        unreadable,
    )


def _states(git: Git, prefix: str) -> tuple[dict[str, tuple[Output, ...]], dict[str, str]]:
    """The outputs of each commit that changed DVC's files, and the commits that cannot be understood."""
    states: dict[str, tuple[Output, ...]] = {}
    unreadable: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for commit in git.commits_touching(PATTERNS):
        blobs = git.files_at(commit)
        files = below(blobs, prefix)
        new = sorted({blobs[prefix + file] for file in files}.difference(contents))
        contents |= git.blobs(new) if new else {}
        here = {file: contents[blobs[prefix + file]] for file in files}

        try:
            states[commit] = read_state(files, here.get).outputs
        except ProjectInvalid as error:
            unreadable[commit] = "; ".join((error.message, *error.because))
    return states, unreadable


def _write(
    workspace: Workspace, commit: str, locked: dict[str, LockedPath], unreadable: dict[str, str]
) -> None:
    """Writes the lock of a commit."""
    folder = folder_of(workspace)
    try:
        data = Lock(locked).encode()
    except Conflict as error:
        unreadable[commit] = error.message
        return
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise explained(error, "the locks of old commits cannot be written", folder) from error
    write_atomic(folder / f"{commit}.lock", data)
