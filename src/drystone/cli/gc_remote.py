"""`drystone gc --remote NAME`: what no registered copy of the project needs there goes to its trash."""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.project.remote_gc import RemoteCollected


def run(arguments: Namespace, context: Context, age: float) -> int:
    """Collect on a remote, or bring back.

    Args:
        arguments: of `drystone gc`.
        context: where to speak.
        age: seconds; what is younger stays.
    """
    from drystone.project.remote_gc import collect, forget, restore
    from drystone.project.remotes import Remote

    remote = Remote(context.project(), arguments.remote)
    if arguments.forget:
        forget(remote, arguments.forget, dry_run=context.dry_run)
        counts = context.words("no longer counts", "no longer count")
        note = f"what only `{arguments.forget}` needs {counts} on remote `{remote.name}`"
        context.answer({"forgotten": arguments.forget, "dry_run": context.dry_run}, note)
        context.untouched()
        return 0
    if arguments.restore:
        packs = restore(remote, dry_run=context.dry_run)
        brought = context.words("brought", "bring")
        note = f"{brought} {packs:,} packs back from the trash of remote `{remote.name}`"
        context.answer({"restored": packs, "dry_run": context.dry_run}, note)
        context.untouched()
        return 0
    grace, rewrite = timedelta(seconds=age), arguments.rewrite
    done = collect(remote, grace=grace, rewrite=rewrite, dry_run=context.dry_run or not arguments.yes)
    if context.json_mode:
        context.json(done)
    else:
        _print(done, context)
    return 0


def _print(done: RemoteCollected, context: Context) -> None:
    would = "" if done.done else "would go "
    context.out(f"{len(done.clones)} copies of the project use {done.remote}")
    if done.alone:
        context.note(
            f"no copy but this one is registered on {done.remote}: what only others need does not count. "
            "Others register by `drystone push` or `drystone pull`"
        )
    context.out(f"{done.packs:,} packs, {done.size:,} bytes: {would}to the trash")
    if done.rewritten:
        context.out(f"{done.rewritten:,} packs, half or more of them garbage: {would}into new packs")
    if done.sparse:
        context.out(f"{done.sparse:,} bytes of garbage stay in packs that hold something needed as well")
    if done.brought_back:
        context.out(f"{done.brought_back:,} packs came back from the trash: something needs them")
    if done.emptied:
        verb = "are" if done.done else "would be"
        context.out(f"trash: {done.emptied:,} packs, {done.emptied_size:,} bytes {verb} deleted for good")
    if not done.done:
        context.note(f"nothing was done; do it with `drystone gc --remote {done.remote} --yes`")
    elif done.packs:
        context.note(f"bring it back with `drystone gc --remote {done.remote} --restore`")
