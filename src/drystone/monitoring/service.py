"""A run of the monitor: read the request log and the labels, judge every window, record the verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from drystone.core.clock import Clock
from drystone.core.errors import DrystoneError, NotFound
from drystone.core.layout import Layout
from drystone.core.suggest import similar
from drystone.ledger import deployments
from drystone.ledger.facts import WindowJudged
from drystone.ledger.ledger import Ledger
from drystone.monitoring import labels as label_tables
from drystone.monitoring import requestlog, windows
from drystone.monitoring.judging import Judge
from drystone.monitoring.labels import Labels
from drystone.monitoring.report import LabelReport, MonitorReport, WindowReport
from drystone.monitoring.requestlog import Answers, RequestLog, Served
from drystone.monitoring.windows import WindowLength
from drystone.objects.hashing import hash_file
from drystone.objects.store import ObjectStore
from drystone.tracking.recorder import Recorder


def known(ledger: Ledger, layout: Layout) -> list[str]:
    """Deployments that can be judged: those in the ledger, and those with a request log."""
    recorded = {change.name for change in deployments.current(ledger)}
    logged = (
        {path.name for path in layout.requests.iterdir() if path.is_dir()}
        if layout.requests.is_dir()
        else set()
    )
    return sorted(recorded | logged)


def judge(
    ledger: Ledger,
    store: ObjectStore,
    layout: Layout,
    deployment: str,
    *,
    window: WindowLength = "month",
    labels: Path | None = None,
    clock: Clock,
    recorder: Recorder,
) -> MonitorReport:
    """Judge every window of a deployment that has requests, and record what is new.

    Performance belongs to the window of the prediction. A label that comes late changes the verdict of
    a window that was judged before; the ledger then gets a new one for the same window. A verdict that
    is the same as the one in the ledger is not written again. Where several versions answered in one
    window each is compared with its own reference (`judging.py`).

    Args:
        ledger, recorder, clock: where verdicts and the run are recorded, and when.
        store: holds the models that answered.
        layout: the project.
        deployment: whose request log.
        window: calendar length, UTC.
        labels: table of labels; None for `labels/MODEL.parquet` or `.csv` of the project, if there.

    Raises:
        NotFound: no such deployment, or no such table of labels.
        ProjectInvalid: the table cannot be read as labels.
        Corrupt: the model's object is damaged.
    """
    if deployment not in known(ledger, layout):
        raise _unknown(deployment, known(ledger, layout))
    log = requestlog.read(layout.requests / deployment, window)
    path = labels or _conventional_labels(layout, log)
    table = label_tables.read(path) if path is not None else None
    if not log.windows:
        return MonitorReport(deployment, window, None, (), None, log.skipped)
    run = recorder.start(
        kind="monitor",
        name=deployment,
        command=("drystone", "monitor", deployment, "--window", window),
        params={"deployment": deployment, "window": window},
    )
    error: str | None = "the monitor ended unexpectedly"
    try:
        if table is not None:
            run.reads(_relative(table.path, layout), hash_file(table.path)[0])
        court = Judge(store, log, table)
        reports = _judge_windows(ledger, court, log, deployment, window, run.id, clock)
        run.record(*(report.judged for report in reports if report.judged.run == run.id))
        run.metrics({"requests": log.n, "windows": len(reports)})
        error = None
    except DrystoneError as failure:
        error = failure.message
        raise
    finally:
        run.finish("failed" if error else "succeeded", error=error)
    found = _label_report(table, layout, log, court) if table is not None else None
    return MonitorReport(deployment, window, run.id, tuple(reports), found, log.skipped)


def _judge_windows(
    ledger: Ledger,
    court: Judge,
    log: RequestLog,
    deployment: str,
    length: WindowLength,
    run: str,
    clock: Clock,
) -> list[WindowReport]:
    before = {(old.start, old.end): old for old in deployments.windows(ledger, deployment)}
    reports = []
    for start, versions in log.windows.items():
        ranked = sorted(versions.items(), key=lambda item: (-len(item[1].ids), item[0]))
        found = court.window(start, ranked)
        span = windows.span(start, length)
        old = before.get(span)
        now = clock.now()
        judged = WindowJudged(
            deployment=deployment,
            start=span.start,
            end=span.end,
            n=sum(len(answers.ids) for _, answers in ranked),
            verdict=found.verdict,
            object=ranked[0][0].object,
            run=run,
            time=now if old is None else max(now, old.time + 1),
            features=found.features,
            performance=found.performance,
        )
        same = old is not None and msgspec.structs.replace(judged, run=old.run, time=old.time) == old
        reports.append(
            WindowReport(
                windows.name(start, length),
                old if same and old is not None else judged,
                found.why,
                _answered(ranked),
                restated=old is not None and not same,
                over=span.end <= now,
            )
        )
    return reports


def _answered(ranked: list[tuple[Served, Answers]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for served, answers in ranked:
        found[f"{served.model}@v{served.version}"] += len(answers.ids)
    return dict(found)


def _conventional_labels(layout: Layout, log: RequestLog) -> Path | None:
    models: Counter[str] = Counter()
    for _, served, answers in log.groups():
        models[served.model] += len(answers.ids)
    return label_tables.find(layout.root / "labels", models.most_common(1)[0][0]) if models else None


def _label_report(table: Labels, layout: Layout, log: RequestLog, court: Judge) -> LabelReport:
    return LabelReport(
        path=_relative(table.path, layout),
        predictions=log.n,
        joined=court.joined,
        unknown=court.unknown,
        repeated=table.repeated,
        missing=table.missing,
        foreign=court.foreign,
    )


def _relative(path: Path, layout: Layout) -> str:
    absolute = path.absolute()
    return absolute.relative_to(layout.root).as_posix() if absolute.is_relative_to(layout.root) else str(path)


def _unknown(deployment: str, names: list[str]) -> NotFound:
    hints = [f"a deployment with a similar name exists: `{name}`" for name in similar(deployment, names)]
    if names:
        hints.append(f"deployments are {', '.join(f'`{name}`' for name in names)}")
    else:
        hints.append("serve a model with `drystone serve model:NAME`")
    return NotFound(f"no deployment named `{deployment}`", hints=hints)
