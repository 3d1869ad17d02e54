"""`drystone fsck`: is every stored byte what its name says, and is everything here that is needed?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.project.project import Project
    from drystone.project.upkeep import Report

SUMMARY = "check every stored object, and that all that is needed is here"
EXAMPLE = "drystone fsck --repair"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--repair", action="store_true", help="mend it from the store itself, the work tree and remotes"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what `--repair` would do and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Check, and repair where asked to. Exit code 1 where something is wrong in the end."""
    from drystone.cli.progress import bar
    from drystone.project.upkeep import check, mend

    project = context.project()
    with bar(context, "checking") as progress:
        report = check(project, progress.reach)
    if (arguments.repair or context.dry_run) and (report.away or not report.whole):
        with bar(context, "checking again") as progress:
            report = mend(project, report, _Remote.all(project, context), progress.reach)
    if arguments.json:
        context.json({"whole": report.whole, **report._asdict(), "dry_run": context.dry_run})
    else:
        _print(report, context, asked=arguments.repair and not context.dry_run)
        context.untouched()
    return 0 if report.whole else 1


class _Remote:
    """A remote as a place where lost objects may be had; one that cannot be asked is told of and has none."""

    def __init__(self, project: Project, name: str, context: Context) -> None:
        self._project = project
        self._name = name
        self._context = context

    @classmethod
    def all(cls, project: Project, context: Context) -> list[_Remote]:
        """Those of the project's settings, in their order."""
        from drystone.project.configuration import remotes

        return [cls(project, name, context) for name in remotes(project.layout.root)]

    def __str__(self) -> str:
        return f"remote `{self._name}`"

    def fetch(self, ids: Iterable[str]) -> Iterable[str]:
        """Stores those of the objects that the remote has whole, unless nothing is to be done; their ids."""
        from drystone.core.errors import NotFound, RemoteUnavailable
        from drystone.project.remotes import Remote

        try:
            remote = Remote(self._project, self._name)
            return remote.known(ids) if self._context.dry_run else remote.fetch(ids)
        except (NotFound, RemoteUnavailable) as error:
            self._context.note(f"note: {error.message}" + "".join(f": {why}" for why in error.because[:1]))
            return ()


def _print(report: Report, context: Context, *, asked: bool) -> None:
    for line in report.repaired:
        done = context.words("repaired", "repair")
        context.out(f"{context.style(done, 'green')}  {context.harmless(line)}")
    for fault in report.faults:
        several = f" ({len(fault.objects)} objects)" if fault.objects else ""
        context.out(
            f"{context.style('bad file', 'red')}  {context.harmless(fault.file)}: {fault.why}{several}"
        )
    for lost in report.lost:
        context.out(f"{context.style(f'{lost.why:<8}', 'red')}  {lost.object}")
        for by in lost.needed_by:
            context.out(f"          needed by {context.harmless(by)}")
    size = f"{report.size:,} bytes" if report.size < 10**9 else f"{report.size / 1e9:,.1f} GB"
    context.out(f"{report.objects:,} whole objects in {size}; {report.needed:,} are needed")
    if report.away:
        what = f"{len(report.away):,} objects that only older revisions or records need are"
        if asked:
            context.note(f"{what} neither here nor on a remote")
        else:
            context.note(f"{what} not here; `drystone fsck --repair` fetches them")
    if report.faults or any(lost.why == "damaged" for lost in report.lost):
        context.note("mend what can be mended with `drystone fsck --repair`")
    elif report.lost:
        context.note(f"{len(report.lost):,} objects are missing: look for them with `drystone fsck --repair`")
