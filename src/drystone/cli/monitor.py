"""`drystone monitor`: what was served, window by window: drift of its inputs and how well it did."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import NotFound

if TYPE_CHECKING:
    from drystone.ledger.facts import FeatureVerdict
    from drystone.monitoring.report import MonitorReport, WindowReport

SUMMARY = "judge what a deployment served: drift of its inputs, and performance once labels are in"
EXAMPLE = "drystone monitor late-arrival --window week --labels labels/late-arrival.csv"

_WIDTH = 100
_STYLES = {"pass": ("green", "bold"), "fail": ("red", "bold"), "unsure": ("yellow", "bold")}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("deployment", nargs="?", help="which one (all that have served)")
    parser.add_argument(
        "--window", choices=("month", "week", "day"), default="month", help="calendar windows, UTC (month)"
    )
    parser.add_argument(
        "--labels",
        metavar="PATH",
        help="table of prediction_id, label[, label_time] (labels/MODEL.parquet or .csv)",
    )
    parser.add_argument(
        "--fail-on",
        choices=("performance", "drift"),
        default="performance",
        help="what makes the exit code 1: performance and broken contracts, or drift as well (performance)",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Judge the windows. 0: none failed; 1: a contract is broken or performance fell."""
    from drystone.monitoring import service

    project = context.project()
    names = [arguments.deployment.removeprefix("deploy:")] if arguments.deployment else []
    names = names or service.known(project.ledger, project.layout)
    if not names:
        raise NotFound(
            "nothing was served here yet", hints=["serve a model with `drystone serve model:NAME`"]
        )
    labels = context.cwd / Path(arguments.labels) if arguments.labels else None
    reports = [
        service.judge(
            project.ledger,
            project.store,
            project.layout,
            name,
            window=arguments.window,
            labels=labels,
            clock=project.clock,
            recorder=project.recorder,
        )
        for name in names
    ]
    if arguments.json:
        found = [{**one._asdict(), "failed": one.failed, "drifted": one.drifted} for one in reports]
        context.json({"monitors": found})
    else:
        for place, report in enumerate(reports):
            if place:
                context.out()
            _print(report, context)
    return int(any(one.failed or (one.drifted and arguments.fail_on == "drift") for one in reports))


def _print(report: MonitorReport, context: Context) -> None:
    if not report.windows:
        context.note(f"`{report.deployment}` has no requests yet")
    else:
        context.out(context.style(report.deployment, "bold") + context.style(f"  {report.about}", "dim"))
        _print_table(report, context)
        _print_reasons(report, context)
    for note in report.notes():
        context.note(f"note: {note}")


def _print_table(report: MonitorReport, context: Context) -> None:
    """One line per window, as wide as a terminal of 100 columns."""
    head = ["window", "verdict", "n", "performance [95 %]", "labels"]
    lines = [
        [one.name if one.over else f"{one.name}…", one.judged.verdict, f"{one.judged.n:,}", *_quality(one)]
        for one in report.windows
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    room = _WIDTH - sum(widths) - 2 * len(widths)
    context.out(context.style(_line(head, widths) + "drifted (effect)", "dim"))
    for cells, window in zip(lines, report.windows, strict=True):
        text = _line(cells, widths) + _drifted(window.drifted, room)
        start, end = widths[0] + 2, widths[0] + 2 + len(cells[1])
        context.out(text[:start] + context.style(cells[1], *_STYLES[cells[1]]) + text[end:])


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [
        cell.rjust(width) if place in (2, 4) else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "".join(f"{cell}  " for cell in padded)


def _quality(window: WindowReport) -> tuple[str, str]:
    """The headline measure with its interval beside the reference, and the share of labelled rows."""
    if not window.judged.performance:
        return "-", "-"
    headline = window.judged.performance[0]
    coverage = f"{headline.coverage:.0%}".replace("%", " %")
    if headline.value is None or headline.interval is None:
        return "-", coverage
    low, high = headline.interval
    reference = "" if headline.reference is None else f" ref {headline.reference:.3f}"
    return f"{headline.metric} {headline.value:.3f} [{low:.3f} {high:.3f}]{reference}", coverage


def _drifted(features: list[FeatureVerdict], room: int) -> str:
    """The features with the largest effects, at most three, as many as there is room for."""
    texts = [f"{one.feature} {one.effect:.2f}" for one in features]
    for shown in range(min(3, len(texts)), 0, -1):
        more = f" +{len(texts) - shown}" if len(texts) > shown else ""
        text = ", ".join(texts[:shown]) + more
        if len(text) <= room or shown == 1:
            return text
    return "-"


def _print_reasons(report: MonitorReport, context: Context) -> None:
    """Why windows did not pass, and what moved in the last one that drifted."""
    reasons = report.reasons()
    moved = next((window for window in reversed(report.windows) if window.drifted), None)
    if reasons or moved:
        context.out()
    for reason in reasons:
        word = context.style(reason.word, *_STYLES.get(reason.word, ("dim",)))
        context.out(f"{reason.window}  {word}: {reason.why}")
    if moved is not None:
        context.out(f"what moved in {moved.name}, the last window with drift:")
        for feature in moved.drifted[:3]:
            context.out(f"  {feature.feature}  {feature.why}")
