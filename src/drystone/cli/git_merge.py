"""`drystone git-merge`: git's merge driver for the lock, and the way out of what it could not merge."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import DrystoneError, NotFound, UsageError
from drystone.core.ids import short

if TYPE_CHECKING:
    from drystone.project import Project
    from drystone.workspace.lockfile import LockedPath
    from drystone.workspace.lockmerge import LockMerge
    from drystone.workspace.markers import Side

SUMMARY = "merge the lock as git's merge driver, or resolve its conflicts to one side"
EXAMPLE = "drystone git-merge --theirs data/images"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="paths or steps to resolve (all); from git: %%O %%A %%B %%P"
    )
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--ours", action="store_true", help="of each conflict keep what this branch has")
    side.add_argument("--theirs", action="store_true", help="of each conflict keep what the other has")


def run(arguments: Namespace, context: Context) -> int:
    """Merge, as git asks for it, or resolve. Exit code 1 where conflicts are left."""
    if arguments.ours or arguments.theirs:
        return _resolve(arguments, context)
    if len(arguments.words) != 4:
        raise UsageError(
            "git gives a merge driver four words: %O %A %B %P",
            hints=["resolve conflicts with `drystone git-merge --ours` or `--theirs`"],
        )
    return _drive(arguments.words, context)


def _drive(words: list[str], context: Context) -> int:
    from drystone.project.origin import here
    from drystone.workspace.lockfile import replace
    from drystone.workspace.lockmerge import merge_locks

    base, ours, theirs = (context.cwd / word for word in words[:3])
    project = context.project()
    sources = here(project).sources  # of what was made elsewhere not even the lists need be here
    try:
        before, mine, other = (path.read_bytes() for path in (base, ours, theirs))
        merged = merge_locks(project.store, before, mine, other, sources)
    except DrystoneError as error:
        context.error(error)
        context.note("drystone.lock is merged line by line, as git does it")
        project.git.merge_text(ours, base, theirs)
        return 1
    replace(ours, merged.data, project.layout.state)  # what a killed one leaves is whole
    if context.json_mode:
        context.json(_document(merged))
    else:
        _tell(merged, [path for path in merged.directories if not _is_here(project, merged, path)], context)
    return 1 if merged.conflicts else 0


def _document(merged: LockMerge) -> dict[str, object]:
    document = {key: value for key, value in merged._asdict().items() if key != "data"}
    return {**document, "problems": [problem.as_dict() for problem in merged.problems]}


def _is_here(project: Project, merged: LockMerge, path: str) -> bool:
    """Whether the store has all files of a merged directory."""
    from drystone.objects.tree import walk
    from drystone.workspace.markers import side

    entry = side(merged.data, "ours").paths[path].entry(path)
    try:
        return all(project.store.has(file.object) for _, file in walk(project.store, entry))
    except DrystoneError:  # nor the list of one below it
        return False


def _tell(merged: LockMerge, distant: list[str], context: Context) -> None:
    from drystone.objects.entry import printable

    for path in merged.directories:
        verb = "pull" if path in distant else "checkout"
        context.note(f"merged the directory `{printable(path)}`; `drystone {verb}` brings its files")
    for step in merged.dropped:
        context.note(f"step `{printable(step)}` ran differently on both sides: `drystone run` decides anew")
    for path in merged.remade:
        context.note(f"`{printable(path)}` is ours until `drystone run` makes it anew")
    for problem in merged.problems:
        context.error(problem)
    for clash in merged.clashes:
        sides = f"ours {_side(clash.ours)}, theirs {_side(clash.theirs)}"
        context.note(f"CONFLICT in `{printable(clash.path)}`: {sides}")
    if merged.conflicts:
        paths = "path stands" if len(merged.conflicts) == 1 else "paths stand"
        context.note(f"in drystone.lock, {len(merged.conflicts)} tracked {paths} between conflict markers")
        for path in merged.partly:
            context.note(f"of `{printable(path)}` either line has all that merges")
        context.note(
            "hint: keep one with `drystone git-merge --ours [PATH]` (or"
            " `--theirs`), then `git add drystone.lock`"
        )


def _side(locked: LockedPath | None) -> str:
    return "deleted it" if locked is None else f"{short(locked.object)} ({locked.size:,} bytes)"


def _resolve(arguments: Namespace, context: Context) -> int:
    from drystone.objects.entry import printable

    side: Side = "ours" if arguments.ours else "theirs"
    resolved, left = _take(side, [_name(word, context) for word in arguments.words], context)
    if context.json_mode:
        context.json({"side": side, "resolved": [printable(name) for name in resolved], "left": left})
        return 0
    for name in resolved:
        context.out(f"{side}  {printable(name)}")
    context.note("other conflicts are left" if left else "go on with `git add drystone.lock`")
    return 0


def _take(side: Side, names: list[str], context: Context) -> tuple[tuple[str, ...], bool]:
    """Resolve conflicts in the lock; which, and whether others are left."""
    from drystone.workspace.ignore import ignore_state
    from drystone.workspace.lockfile import Lock, guarded, read_bytes
    from drystone.workspace.markers import read, take
    from drystone.workspace.recording import rewrite
    from drystone.workspace.workspace import Workspace

    project = context.project()
    layout = project.layout
    ignore_state(layout.state)
    with (
        Workspace.open(layout, project.git, project.store, project.clock) as workspace,
        guarded(layout.lock, layout.guards),
    ):
        before = read_bytes(layout.lock)
        if before is None:
            raise NotFound("there is no `drystone.lock`")
        data, resolved = take(before, side, names)
        unknown = [name for name in names if name not in resolved]
        if unknown or not resolved:
            what = f" about `{unknown[0]}`" if unknown else ""
            raise NotFound(f"`drystone.lock` has no conflict{what}")
        left = any(item.clashes for item in read(data))
        if not left:
            Lock.parse(data)  # before the copy with both sides is replaced
        rewrite(workspace, f"git-merge --{side}", layout.lock, data)
    return resolved, left


def _name(word: str, context: Context) -> str:
    """A path as the lock names it; a step is named as it is."""
    root = context.project().layout.root
    place = Path(context.cwd / word)
    inside = place.is_relative_to(root) and context.cwd != root
    return place.relative_to(root).as_posix() if inside else word.rstrip("/")
