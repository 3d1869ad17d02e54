"""`drystone gc`: what no version, run, lock or commit leads to goes to the trash, and later for good."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import UsageError

if TYPE_CHECKING:
    from drystone.project.collecting import Collected

SUMMARY = "show, and with --yes collect, stored objects that nothing leads to"
EXAMPLE = "drystone gc --yes"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--yes", action="store_true", help="do it; else it is only shown")
    parser.add_argument("--dry-run", action="store_true", help="only show it, also with `--yes`, `--restore`")
    parser.add_argument(
        "--older-than",
        default="14d",
        metavar="AGE",
        help="leave younger objects, and younger trash: `14d`, `12h`, `0s` (14d)",
    )
    parser.add_argument("--remote", metavar="NAME", help="collect there, not here")
    parser.add_argument("--rewrite", action="store_true", help="there: also rewrite packs half of garbage")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--restore", action="store_true", help="bring everything in the trash back instead")
    other.add_argument(
        "--forget",
        metavar="USER",
        help="let the store forget a project that is gone: its folder, there its id",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Collect, or bring back."""
    from drystone.cli.progress import bar
    from drystone.project.collecting import collect, forget, restore

    age = _age(arguments.older_than)
    if arguments.remote:
        from drystone.cli import gc_remote

        return gc_remote.run(arguments, context, age)
    project = context.project()
    if arguments.forget:
        forget(project, context.cwd / arguments.forget, dry_run=context.dry_run)
        counts = context.words("no longer counts", "no longer count")
        note = f"`{arguments.forget}` {counts} as a user of this store"
        context.answer({"forgotten": arguments.forget, "dry_run": context.dry_run}, note)
        context.untouched()
        return 0
    if arguments.restore:
        files = restore(project, dry_run=context.dry_run)
        note = f"{context.words('brought', 'bring')} {files:,} files back from the trash"
        context.answer({"restored": files, "dry_run": context.dry_run}, note)
        context.untouched()
        return 0
    with bar(context, "looking for garbage"):
        done = collect(project, age, dry_run=context.dry_run or not arguments.yes)
    if context.json_mode:
        context.json(done)
    else:
        _print(done, context)
    return 0


def _print(done: Collected, context: Context) -> None:
    would = "" if done.done else "would go "
    if len(done.users) > 1:
        context.out("used by " + ", ".join(context.harmless(str(user)) for user in done.users))
    context.out(f"{done.objects:,} objects, {done.size:,} bytes: {would}to the trash")
    if done.left:
        context.out(f"{done.left:,} bytes of garbage stay in packs that hold little of it")
    if done.packed or done.rewritten:
        context.out(f"{done.packed:,} small files and {done.rewritten:,} packs: {would}into new packs")
    if done.brought_back:
        context.out(f"{done.brought_back:,} files came back from the trash: something needs them")
    context.out(
        f"trash: {done.trash.files:,} files, {done.trash.size:,} bytes, of which "
        f"{done.emptied.size:,} bytes {'are' if done.done else 'would be'} deleted for good"
    )
    if not done.done:
        context.note("nothing was done; do it with `drystone gc --yes`")
    elif done.objects:
        context.note("bring it back with `drystone gc --restore`")


def _age(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if found is None:
        raise UsageError(f"no age: `{text}`", hints=["give a number and a unit, such as `14d` or `12h`"])
    return int(found[1]) * _SECONDS[found[2]]
