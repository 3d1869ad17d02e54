"""What one run of a monitor found."""

from __future__ import annotations

from typing import NamedTuple

from drystone.ledger.facts import FeatureVerdict, WindowJudged
from drystone.monitoring import failures
from drystone.monitoring.requestlog import Skipped
from drystone.monitoring.windows import WindowLength


class WindowReport(NamedTuple):
    """One window.

    Attributes:
        name: how people call it, e.g. `2013-04`.
        judged: the verdict as it stands in the ledger.
        why: the reason for a verdict other than `pass`.
        answered: predictions by version, e.g. `{"late-arrival@v2": 27630}`, most first.
        restated: whether the ledger held another verdict about this window before.
        over: whether the window had ended when it was judged.
    """

    name: str
    judged: WindowJudged
    why: str
    answered: dict[str, int]
    restated: bool
    over: bool

    @property
    def drifted(self) -> list[FeatureVerdict]:
        """Features that drifted, the largest effect first."""
        return failures.drifted(self.judged.features)


class Reason(NamedTuple):
    """One sentence about one window; `word` is its verdict, or `note`."""

    window: str
    word: str
    why: str


class LabelReport(NamedTuple):
    """What came of the labels.

    Attributes:
        path: the table, relative to the project where it is inside.
        joined: predictions that have a label, of `predictions` in all.
        unknown: labels of predictions that this deployment did not make.
        repeated: rows that a newer label of the same prediction replaced.
        missing: rows without label or id.
        foreign: labels that are no answer to the model's question.
    """

    path: str
    predictions: int
    joined: int
    unknown: int
    repeated: int
    missing: int
    foreign: int

    def notes(self) -> list[str]:
        """Sentences about labels that were not used; empty when all were."""
        reasons = (
            (self.unknown, "of predictions that this deployment did not make"),
            (self.repeated, "replaced by a newer label of the same prediction"),
            (self.missing, "without label or id; a missing label is not a negative one"),
            (self.foreign, "that the model could not have answered"),
        )
        return [f"`{self.path}` has {count:,} rows {what}" for count, what in reasons if count]


class MonitorReport(NamedTuple):
    """What one run of a monitor found about one deployment.

    Attributes:
        run: the run's id; None if there was nothing to judge.
        windows: those with requests, in order of time.
        labels: None where there are none.
        skipped: what of the request log was passed over.
    """

    deployment: str
    length: WindowLength
    run: str | None
    windows: tuple[WindowReport, ...]
    labels: LabelReport | None
    skipped: Skipped

    @property
    def failed(self) -> bool:
        """Whether a contract or a performance verdict of any window is `fail`."""
        return any(window.judged.verdict == "fail" for window in self.windows)

    @property
    def drifted(self) -> bool:
        """Whether any feature of any window drifted."""
        return any(window.drifted for window in self.windows)

    @property
    def about(self) -> str:
        """What was judged, in a line: predictions, windows, labels."""
        windows = _count(len(self.windows), self.length)
        labels = f"{self.labels.joined:,} labels from {self.labels.path}" if self.labels else "no labels"
        return f"{_count(sum(one.judged.n for one in self.windows), 'prediction')}, {windows}, {labels}"

    def reasons(self) -> list[Reason]:
        """Why windows did not pass, and which measures besides the headline fell."""
        found = []
        for window in self.windows:
            if window.why:
                found.append(Reason(window.name, window.judged.verdict, window.why))
            elif window.judged.verdict == "pass":
                measures = window.judged.performance
                fell = [one.metric for one in measures if one.verdict == "fail"]
                if fell:
                    decided = f"{measures[0].metric} decides and passed"
                    why = f"{decided}; worse than the reference: {', '.join(fell)}"
                    found.append(Reason(window.name, "note", why))
        return found

    def notes(self) -> list[str]:
        """Sentences about what was passed over; empty when nothing was."""
        return self.skipped.notes() + (self.labels.notes() if self.labels is not None else [])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
