"""`drystone fsck`: is every stored byte what its name says, and is everything here that is needed?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.project.upkeep import Report

SUMMARY = "check every stored object, and that all that is needed is here"
EXAMPLE = "drystone fsck --repair"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--repair", action="store_true", help="mend it from the store itself and from the work tree"
    )


def run(arguments: Namespace, context: Context) -> int:
    """Check, and repair where asked to. Exit code 1 where something is wrong in the end."""
    from drystone.project.upkeep import check, mend

    project = context.project()
    report = check(project, context.meter("checking"))
    if arguments.repair and not report.whole:
        report = mend(project, report, tell=context.meter("checking again"))
    if arguments.json:
        context.json({"whole": report.whole, **report._asdict()})
    else:
        _print(report, context)
    return 0 if report.whole else 1


def _print(report: Report, context: Context) -> None:
    for line in report.repaired:
        context.out(f"{context.style('repaired', 'green')}  {context.harmless(line)}")
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
    if report.faults or any(lost.why == "damaged" for lost in report.lost):
        context.note("mend what can be mended with `drystone fsck --repair`")
    elif report.lost:
        context.note(f"{len(report.lost):,} objects are missing: look for them with `drystone fsck --repair`")
