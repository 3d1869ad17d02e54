"""One window: every version that answered in it against its own reference, features judged together."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from drystone.ledger.facts import FeatureVerdict, Performance, Verdict
from drystone.monitoring import decision, performance
from drystone.monitoring.baseline import Baseline, load
from drystone.monitoring.columns import sample
from drystone.monitoring.contract import breach
from drystone.monitoring.labels import Labels
from drystone.monitoring.outcomes import outcomes
from drystone.monitoring.requestlog import Answers, RequestLog, Served
from drystone.monitoring.two_sample import Comparison, compare
from drystone.objects.store import ObjectStore


class Judgement(NamedTuple):
    """What is said about one window; `why` is the reason for a verdict other than `pass`."""

    verdict: Verdict
    why: str
    features: tuple[FeatureVerdict, ...]
    performance: tuple[Performance, ...]


class Judge:
    """Judges the windows of one log with the same labels.

    Args:
        store: holds the models that answered; each is read once.
        log: what was served.
        labels: what came true, None where nothing is known.

    Attributes:
        joined: predictions of the log that have a label.
        unknown: labels of predictions that are not in the log.
        foreign: labels that were no answer to the model's question, in the windows judged so far.
    """

    def __init__(self, store: ObjectStore, log: RequestLog, labels: Labels | None) -> None:
        self._store = store
        self._baselines: dict[str, Baseline] = {}
        self._labels: dict[tuple[int, Served], pa.Array[Any]] = {}
        self.joined = self.unknown = self.foreign = 0
        if labels is not None:
            self._join(log, labels)

    def window(self, start: int, versions: list[tuple[Served, Answers]]) -> Judgement:
        """Judge one window.

        Args:
            start: when it begins, as in the log.
            versions: who answered and what. Features and measures of all but the first carry `@vN`
                behind their name.

        Raises:
            Corrupt: the object of a model is damaged.
        """
        found: dict[str, Comparison] = {}
        broken: dict[str, str] = {}
        measures: list[Performance] = []
        headlines: list[Performance] = []
        for served, answers in versions:
            suffix = _suffix(served, versions[0][0])
            baseline = self._baseline(served.object)
            compared, breaches = _compare(answers, baseline)
            found |= {name + suffix: comparison for name, comparison in compared.items()}
            broken |= {name + suffix: why for name, why in breaches.items()}
            measured = [
                msgspec.structs.replace(measure, metric=measure.metric + suffix)
                for measure in self._measure(start, served, answers, baseline)
            ]
            headlines += measured[:1]
            measures += measured
        features = (*(decision.broken(name, why) for name, why in broken.items()), *decision.drift(found))
        return Judgement(*decision.window(features, headlines), features, tuple(measures))

    def _baseline(self, object_id: str) -> Baseline:
        if object_id not in self._baselines:
            self._baselines[object_id] = load(self._store, object_id)
        return self._baselines[object_id]

    def _join(self, log: RequestLog, labels: Labels) -> None:
        """Look all predictions up at once, and deal the labels out again."""
        groups = list(log.groups())
        ids = pa.array([one for _, _, answers in groups for one in answers.ids], type=pa.string())
        every = labels.of(ids)
        self.joined = len(every) - every.null_count
        self.unknown = labels.unknown(ids)
        position = 0
        for start, served, answers in groups:
            self._labels[start, served] = every.slice(position, len(answers.ids))
            position += len(answers.ids)

    def _measure(
        self, start: int, served: Served, answers: Answers, baseline: Baseline
    ) -> tuple[Performance, ...]:
        labels = self._labels.get((start, served))
        if labels is None or baseline.question is None:
            return ()
        now, foreign = outcomes(baseline.question, [labels], answers.outputs)
        self.foreign += foreign
        return performance.judge(now, len(answers.ids), baseline.quality)


def _compare(answers: Answers, baseline: Baseline) -> tuple[dict[str, Comparison], dict[str, str]]:
    """Comparisons of the columns of one version, and sentences about broken contracts."""
    found: dict[str, Comparison] = {}
    broken: dict[str, str] = {}
    if baseline.signature is None:
        return {name: Comparison(None, None, baseline.why) for name in answers.inputs}, broken
    columns = [(field, answers.inputs) for field in baseline.signature.inputs]
    columns += [(field, answers.outputs) for field in baseline.signature.outputs]
    for field, side in columns:
        column = side.get(field.name)
        why = breach(field, column, len(answers.ids))
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


def _suffix(served: Served, most: Served) -> str:
    if served == most:
        return ""
    return f"@v{served.version}" if served.model == most.model else f"@{served.model}@v{served.version}"
