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
from drystone.ledger.facts import FeatureVerdict, Performance, WindowJudged
from drystone.ledger.ledger import Ledger
from drystone.monitoring import decision, performance, requestlog, windows
from drystone.monitoring import labels as label_tables
from drystone.monitoring.baseline import Baseline, load
from drystone.monitoring.columns import sample
from drystone.monitoring.contract import breach
from drystone.monitoring.labels import Labels
from drystone.monitoring.outcomes import outcomes
from drystone.monitoring.report import LabelReport, MonitorReport, WindowReport
from drystone.monitoring.requestlog import Answers, RequestLog, Served
from drystone.monitoring.two_sample import Comparison, compare
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
    window each is compared with its own reference; features and measures of all but the one that
    answered most carry `@vN` behind their name.

    Args:
        ledger: where verdicts are recorded.
        store: holds the models that answered.
        layout: the project.
        deployment: whose request log.
        window: calendar length, UTC.
        labels: table of labels; None for `labels/MODEL.parquet` or `.csv` of the project, if there.
        clock: tells the time.
        recorder: records the run.

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
        return MonitorReport(
            deployment, window, None, (), None, log.foreign, log.torn, log.repeated, log.examples
        )
    run = recorder.start(
        kind="monitor",
        name=deployment,
        command=("drystone", "monitor", deployment, "--window", window),
        params={"deployment": deployment, "window": window},
    )
    error: str | None = "the monitor ended unexpectedly"
    try:
        if path is not None:
            run.reads(_relative(path, layout), hash_file(path)[0])
        judging = _Judging(store, table)
        reports = _judge_windows(ledger, judging, log, deployment, window, run.id, clock)
        run.record(*(report.judged for report in reports if report.judged.run == run.id))
        run.metrics({"requests": log.n, "windows": len(reports)})
        error = None
    except DrystoneError as failure:
        error = failure.message
        raise
    finally:
        run.finish("failed" if error else "succeeded", error=error)
    summary = None
    if table is not None and path is not None:
        summary = _label_report(_relative(path, layout), table, log, judging)
    return MonitorReport(
        deployment, window, run.id, tuple(reports), summary, log.foreign, log.torn, log.repeated, log.examples
    )


class _Judging:
    """What stays the same over the windows of one run: labels, and the baselines of versions."""

    def __init__(self, store: ObjectStore, labels: Labels | None) -> None:
        self._store = store
        self._baselines: dict[str, Baseline] = {}
        self.labels = labels
        self.joined = self.foreign = 0

    def baseline(self, object_id: str) -> Baseline:
        if object_id not in self._baselines:
            self._baselines[object_id] = load(self._store, object_id)
        return self._baselines[object_id]

    def compare(self, answers: Answers, baseline: Baseline) -> tuple[dict[str, Comparison], dict[str, str]]:
        """Comparisons of the columns of one version, and sentences about broken contracts."""
        found: dict[str, Comparison] = {}
        broken: dict[str, str] = {}
        rows = len(answers.ids)
        if baseline.signature is None:
            return {name: Comparison(None, None, baseline.why) for name in answers.inputs}, broken
        inputs = len(baseline.signature.inputs)
        for position, field in enumerate(baseline.fields):
            column = (answers.inputs if position < inputs else answers.outputs).get(field.name)
            why = breach(field, column, rows)
            if why is not None or column is None:
                broken[field.name] = why or ""
            elif field.shape:
                found[field.name] = Comparison(None, None, "vectors are not compared")
            elif field.name not in baseline.samples:
                found[field.name] = Comparison(None, None, baseline.why or "not in the reference sample")
            else:
                reference = baseline.samples[field.name]
                found[field.name] = compare(reference, sample(column, reference.kind))
        return found, broken

    def measure(self, answers: Answers, baseline: Baseline) -> tuple[Performance, ...]:
        """Measures of one version from the labels that have arrived."""
        if self.labels is None or baseline.question is None:
            return ()
        wanted = self.labels.of(answers.ids)
        self.joined += len(wanted) - wanted.null_count
        now, foreign = outcomes(baseline.question, wanted.to_pylist(), answers.outputs)
        self.foreign += foreign
        return performance.judge(now, len(answers.ids), baseline.outcomes)


def _judge_windows(
    ledger: Ledger,
    judging: _Judging,
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
        features, measures, headlines = _judge_versions(judging, ranked)
        verdict, why = decision.window(features, headlines)
        span = windows.span(start, length)
        old = before.get(span)
        now = clock.now()
        judged = WindowJudged(
            deployment=deployment,
            start=span.start,
            end=span.end,
            n=sum(len(answers.ids) for _, answers in ranked),
            verdict=verdict,
            object=ranked[0][0].object,
            run=run,
            time=now if old is None else max(now, old.time + 1),
            features=features,
            performance=measures,
        )
        same = old is not None and msgspec.structs.replace(judged, run=old.run, time=old.time) == old
        reports.append(
            WindowReport(
                windows.name(start, length),
                old if same and old is not None else judged,
                why,
                _answered(ranked),
                restated=old is not None and not same,
                over=span.end <= now,
            )
        )
    return reports


def _judge_versions(
    judging: _Judging, ranked: list[tuple[Served, Answers]]
) -> tuple[tuple[FeatureVerdict, ...], tuple[Performance, ...], list[Performance]]:
    """Features of all versions judged together, all measures, and the headline of each version."""
    found: dict[str, Comparison] = {}
    broken: dict[str, str] = {}
    measures: list[Performance] = []
    headlines: list[Performance] = []
    for place, (served, answers) in enumerate(ranked):
        suffix = "" if place == 0 else f"@v{served.version}"
        baseline = judging.baseline(served.object)
        compared, breaches = judging.compare(answers, baseline)
        found |= {name + suffix: comparison for name, comparison in compared.items()}
        broken |= {name + suffix: why for name, why in breaches.items()}
        measured = [
            msgspec.structs.replace(measure, metric=measure.metric + suffix)
            for measure in judging.measure(answers, baseline)
        ]
        headlines += measured[:1]
        measures += measured
    features = (*(decision.broken(name, why) for name, why in broken.items()), *decision.drift(found))
    return features, tuple(measures), headlines


def _answered(ranked: list[tuple[Served, Answers]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for served, answers in ranked:
        found[f"{served.model}@v{served.version}"] += len(answers.ids)
    return dict(found)


def _conventional_labels(layout: Layout, log: RequestLog) -> Path | None:
    models: Counter[str] = Counter()
    for versions in log.windows.values():
        for served, answers in versions.items():
            models[served.model] += len(answers.ids)
    most = models.most_common(1)
    return label_tables.find(layout.root / "labels", most[0][0]) if most and most[0][0] else None


def _label_report(path: str, table: Labels, log: RequestLog, judging: _Judging) -> LabelReport:
    ids = [
        identifier
        for versions in log.windows.values()
        for answers in versions.values()
        for identifier in answers.ids
    ]
    return LabelReport(
        path=path,
        predictions=len(ids),
        joined=judging.joined,
        unknown=table.unknown(ids),
        repeated=table.repeated,
        missing=table.missing,
        foreign=judging.foreign,
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
