"""Measures that can be compared with a number, and what the comparison claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from drystone.checks.claims import Judgement, Operator, Part, decide, found, holds, number, worst
from drystone.checks.intervals import Estimate, doubt, rows_needed
from drystone.checks.metrics import Unknown
from drystone.core.errors import UsageError
from drystone.ledger.facts import Verdict

#: Chance of calling a claim wrong that is right: the tail that a 95 % interval leaves on one side.
_ALPHA = 0.025
_MOST_NAMED = 5

#: Records a claim: name, verdict, and the other fields of `Claim`.
Record = Callable[..., Judgement]


class Comparable:
    """What can be compared with a number. Each comparison is a claim."""

    def __ge__(self, threshold: float) -> Judgement:
        return self._claim(">=", threshold)

    def __gt__(self, threshold: float) -> Judgement:
        return self._claim(">", threshold)

    def __le__(self, threshold: float) -> Judgement:
        return self._claim("<=", threshold)

    def __lt__(self, threshold: float) -> Judgement:
        return self._claim("<", threshold)

    def _claim(self, operator: Operator, threshold: float) -> Judgement:
        raise NotImplementedError


class Measure(Comparable):
    """A measured quality. `measure >= 0.7` is a claim: it is judged and recorded where it stands.

    The claim passes where the whole 95 % interval satisfies it, fails where none of it does, and is
    `unsure` between, saying how many rows would tell.

    Attributes:
        name: what was measured.
        estimate: value, interval and n; or, where there is no interval, why not.
    """

    def __init__(self, name: str, estimate: Estimate | Unknown, record: Record) -> None:
        self.name, self.estimate, self._record = name, estimate, record

    @property
    def value(self) -> float | None:
        """The statistic, None where it is not defined."""
        return self.estimate.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % confidence interval, None where there is none."""
        return None if isinstance(self.estimate, Unknown) else self.estimate[1:3]

    @property
    def n(self) -> int:
        """The rows it rests on."""
        return self.estimate.n

    def __repr__(self) -> str:
        return f"{self.name} {found(self.value, self.interval, self.n)}"

    def _claim(self, operator: Operator, threshold: float) -> Judgement:
        verdict, why = judge(self.estimate, operator, threshold)
        return self._record(
            self.name,
            verdict,
            value=self.value,
            interval=self.interval,
            n=self.n,
            threshold=f"{operator} {number(threshold)}",
            why=why,
        )


class SlicedMeasure(Comparable):
    """One measure on every slice of the rows; comparing it claims the same of each slice.

    A slice fails only if it would after Benjamini & Hochberg's correction over all slices, so that
    many slices do not make a false alarm likely. The claim passes where every slice passes.

    Attributes:
        slices: the measure of each slice that is large enough, by its name.
        small: rows of each slice that is not.
    """

    def __init__(
        self,
        name: str,
        slices: dict[str, Estimate | Unknown],
        small: dict[str, int],
        min_rows: int,
        record: Record,
    ) -> None:
        self.name, self.slices, self.small = name, slices, small
        self._min_rows, self._record = min_rows, record

    def _claim(self, operator: Operator, threshold: float) -> Judgement:
        parts = judge_slices(self.slices, operator, threshold)
        left = ""
        if self.small:
            left = f"; left out with fewer than {self._min_rows} rows: {_listed(self.small)}"
        if not parts:
            return self._record(
                self.name,
                "unsure",
                n=0,
                threshold=f"{operator} {number(threshold)}",
                why=f"there is no slice{left}",
            )
        measured = [part for part in parts if part.value is not None]
        sign = 1 if operator[0] == ">" else -1
        worst_one = min(measured, key=lambda part: sign * (part.value or 0.0), default=parts[0])
        reason = f": {worst_one.why}" if worst_one.why else ""
        return self._record(
            self.name,
            worst([part.verdict for part in parts]),
            value=worst_one.value,
            interval=worst_one.interval,
            n=worst_one.n,
            threshold=f"{operator} {number(threshold)}",
            why=f"{_tally(parts)}; the worst is `{worst_one.name}`{reason}{left}",
            parts=tuple(parts),
        )


def judge(estimate: Estimate | Unknown, operator: Operator, threshold: float) -> tuple[Verdict, str]:
    """The verdict of one claim and, unless it is plain from the numbers, a sentence that explains it.

    Raises:
        UsageError: the threshold is NaN.
    """
    check_threshold(threshold)
    if isinstance(estimate, Unknown):
        return "unsure", estimate.why
    verdict = decide((estimate.low, estimate.high), operator, threshold)
    if verdict != "unsure":
        return verdict, ""
    needed = rows_needed(estimate, threshold)
    if needed is None:
        return verdict, "the value is the threshold itself: no number of rows would tell"
    side = "satisfies" if holds(estimate.value, operator, threshold) else "violates"
    return verdict, (
        f"the value {side} the claim, its interval contains {number(threshold)}; "
        f"about {needed:,} rows would tell, there are {estimate.n:,}"
    )


def judge_slices(slices: dict[str, Estimate | Unknown], operator: Operator, threshold: float) -> list[Part]:
    """The verdict of each slice, those that fail or are unsure first.

    Raises:
        UsageError: the threshold is NaN.
    """
    check_threshold(threshold)
    from scipy.stats import false_discovery_control  # most of a second, and only slices need it

    above = operator[0] == ">"
    known = {name: one for name, one in slices.items() if isinstance(one, Estimate)}
    doubts = [doubt(one, threshold, above=above) for one in known.values()]
    corrected = dict(zip(known, false_discovery_control(doubts) if doubts else [], strict=True))
    parts = []
    for name, estimate in slices.items():
        verdict, why = judge(estimate, operator, threshold)
        if verdict == "fail" and corrected[name] > _ALPHA:
            verdict = "unsure"
            why = f"it would fail alone, but among {len(known)} slices chance may have done this"
        interval = None if isinstance(estimate, Unknown) else estimate[1:3]
        parts.append(Part(name, verdict, estimate.value, interval, estimate.n, why))
    order = {"fail": 0, "unsure": 1, "pass": 2}
    return sorted(parts, key=lambda part: order[part.verdict])


def check_threshold(threshold: float) -> None:
    """Refuse what no value can be compared with.

    Raises:
        UsageError: the threshold is NaN.
    """
    if threshold != threshold:
        raise UsageError("a claim needs a number as its threshold", because="this one is NaN")


def _tally(parts: Sequence[Part]) -> str:
    words = []
    for verdict in ("fail", "unsure", "pass"):
        those = {part.name: part.n for part in parts if part.verdict == verdict}
        if those:
            words.append(f"{len(those)} {verdict}" + (f" ({_listed(those)})" if verdict != "pass" else ""))
    return f"of {len(parts)} slices {', '.join(words)}"


def _listed(rows: Mapping[str, int | None]) -> str:
    shown = [f"{name} {n:,}" if n is not None else name for name, n in list(rows.items())[:_MOST_NAMED]]
    return ", ".join(shown) + (", …" if len(rows) > _MOST_NAMED else "")
