"""`drystone pull`: fetch what the lock names, and put it in its place."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.objects.entry import Entry
    from drystone.project.remotes import Pulled
    from drystone.workspace.workspace import Workspace

SUMMARY = "fetch tracked data and models and the record of runs from a remote, and check them out"
EXAMPLE = "drystone pull data/flights.parquet"

_SHOWN = 5


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="tracked paths, or folders of them (all)")
    parser.add_argument("--remote", metavar="REMOTE", help="which one (the first in `drystone.toml`)")
    parser.add_argument(
        "--git", metavar="REV", help="fetch what the lock of this git revision names, and leave the work tree"
    )
    parser.add_argument("--fetch-only", action="store_true", help="leave the work tree as it is")
    parser.add_argument("--dry-run", action="store_true", help="say what would be fetched and restored")
    parser.add_argument("--verbose", action="store_true", help="tell requests and bytes")


def run(arguments: Namespace, context: Context) -> int:
    """Pull, then check out."""
    from drystone.cli.progress import bar
    from drystone.cli.push import tell, vars_of
    from drystone.objects.entry import printable
    from drystone.project.advice import advising
    from drystone.project.healing import Healed, checkout_healing
    from drystone.project.remotes import Remote
    from drystone.workspace.checkout import CheckedOut, checkout
    from drystone.workspace.workspace import Workspace

    project = context.project()
    paths = [context.cwd / path for path in arguments.paths]
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        wanted, conflicts = _wanted(workspace, paths, arguments.git)
        remote = Remote(project, arguments.remote)
        with bar(context, f"pulling from {remote.name}") as progress:
            done = remote.pull(wanted, progress)
        if arguments.verbose and not context.json_mode:
            tell(done.traffic, context)
        _raise_if_lacking(done)
        here, healed = CheckedOut((), (), ()), list[Healed]()
        if not arguments.fetch_only and not conflicts and arguments.git is None:
            with bar(context, "checking out") as progress, advising(project):
                if context.dry_run:
                    here = checkout(workspace, paths, dry_run=True, lacking=True, progress=progress)
                else:
                    here, healed = checkout_healing(workspace, remote, paths, progress)
    restored = [printable(path) for path in here.restored]
    if context.json_mode:
        more = {"traffic": vars_of(done.traffic), "restored": restored, "conflicts": conflicts}
        more["healed"] = [one._asdict() for one in healed]
        context.json({**done._asdict(), **more, "dry_run": context.dry_run})
        _raise_if_unrecorded(done)
        return 0
    _tell(done, context)
    for one in healed:
        context.note(str(one))
    for path in restored:
        context.out(f"{context.words('restored', 'restore')}  {path}")
    if conflicts:
        context.note(
            "`drystone.lock` has unresolved merge conflicts: what both sides need is here, the work tree is"
            " as it was\nhint: merge again with `git checkout --merge drystone.lock`, or keep one side with"
            " `drystone git-merge --ours` (or `--theirs`)"
        )
    context.untouched()
    _raise_if_unrecorded(done)
    return 0


def _tell(done: Pulled, context: Context) -> None:
    if done.unusable:
        context.note(f"warning: {done.unusable}; the other remotes were asked")
    elif done.others:
        came = context.words("came", "come")
        context.note(f"some of it {came} from {', '.join(done.others)}: {done.remote} has no good copy")
    source = ", ".join(done.others) or "the other remotes" if done.unusable else done.remote
    context.out(
        f"{context.words('pulled', 'pull')} from {source}  {done.objects:,} objects  {done.size:,} bytes"
        f"  {done.journals:,} journals"
    )


def _wanted(workspace: Workspace, paths: list[Path], revision: str | None) -> tuple[list[Entry], bool]:
    """What to fetch, and whether the lock has conflicts: then it is what both its sides need."""
    from drystone.workspace.checkout import selected
    from drystone.workspace.lockfile import read_bytes
    from drystone.workspace.markers import has_conflicts, side

    data = read_bytes(workspace.layout.lock) if revision is None else None
    conflicts = data is not None and has_conflicts(data)
    locks = [side(data, "ours"), side(data, "theirs")] if data and conflicts else [workspace.lock(revision)]
    known = {path: locked for lock in locks for path, locked in lock.paths.items()}
    names = selected(workspace, paths, known)
    entries = dict.fromkeys(entry for lock in locks for entry in lock.entries())
    return [entry for entry in entries if not paths or entry.name in names], conflicts


def _raise_if_lacking(done: Pulled) -> None:
    """Say what is not as it must be; everything else has come."""
    from drystone.core.errors import NotFound, RemoteUnavailable
    from drystone.objects.entry import printable

    def some(paths: dict[str, str]) -> list[str]:
        shown = [printable(path) for path in list(paths.values())[:_SHOWN]]
        return [*shown, *(["..."] if len(paths) > _SHOWN else [])]

    if done.indexes:
        raise RemoteUnavailable(
            f"remote `{done.remote}` has damaged indexes, or lacks them",
            at=list(done.indexes[:_SHOWN]),
            because=f"what they tell of cannot be found, of {', '.join(some(done.missing | done.damaged))}",
            hints=[f"make them anew from where the data is with `drystone push {done.remote} --repair`"],
        )
    if done.damaged:
        raise RemoteUnavailable(
            f"remote `{done.remote}` gives other bytes than were sent to it",
            at=some(done.damaged),
            because="nothing of them was used; everything else was fetched",
            hints=[
                f"send them again from where they are whole with `drystone push {done.remote} --repair`",
            ],
        )
    if done.missing:
        raise NotFound(
            f"{len(done.missing):,} objects are neither here nor on remote `{done.remote}`",
            at=some(done.missing),
            because="everything else was fetched",
            hints=[f"push them from where they were made with `drystone push {done.remote}`"],
        )


def _raise_if_unrecorded(done: Pulled) -> None:
    """Say which records of runs could not be read; data and models are complete all the same."""
    from drystone.core.errors import RemoteUnavailable

    if done.parcels:
        raise RemoteUnavailable(
            f"remote `{done.remote}` gives a damaged record of runs",
            at=[f"journals/{name}" for name in done.parcels[:_SHOWN]],
            because="it is not what its name says; everything else was fetched",
            hints=[
                f"send it again from where the runs were made with `drystone push {done.remote} --repair`",
                "if that does not help, what it told is told nowhere else: remove it there",
            ],
        )
