"""Verdicts: of each feature, and of a window.

A feature has drifted (`fail`) when its p-value stays at or below 5 % after Benjamini-Hochberg over the
features of the window, and its effect is at least 0.02. The first keeps false alarms of a whole window
at 5 % however many features there are; the second keeps quiet about changes that only a large window
can see. 0.02 is a debiased population stability index: a normal variable shifted by 0.15 of its
standard deviation, or about 0.5 % of the rows turning missing where none was. What happens to 1 % of
the rows within the reference's outer tenths, such as outliers, stays below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy.stats import false_discovery_control

from drystone.ledger.facts import FeatureVerdict, Performance, Verdict
from drystone.monitoring.failures import is_breach, is_drift
from drystone.monitoring.two_sample import Comparison

FALSE_ALARMS = 0.05
LEAST_EFFECT = 0.02


def drift(comparisons: Mapping[str, Comparison]) -> tuple[FeatureVerdict, ...]:
    """Judge the features of one window together, in their order."""
    judged = {name: found.p for name, found in comparisons.items() if found.p is not None}
    adjusted = (
        dict(zip(judged, false_discovery_control(list(judged.values())).tolist(), strict=True))
        if judged
        else {}
    )
    return tuple(_feature(name, found, adjusted.get(name)) for name, found in comparisons.items())


def _feature(name: str, found: Comparison, p: float | None) -> FeatureVerdict:
    if p is None or found.effect is None:
        return FeatureVerdict(name, "unsure", why=found.why)
    if p > FALSE_ALARMS:
        return FeatureVerdict(name, "pass", p, found.effect)
    if found.effect < LEAST_EFFECT:
        why = f"{found.why}; a change, but smaller than {LEAST_EFFECT:g}"
        return FeatureVerdict(name, "pass", p, found.effect, why)
    return FeatureVerdict(name, "fail", p, found.effect, found.why)


def broken(name: str, why: str) -> FeatureVerdict:
    """The verdict of a feature that breaks its contract: `fail`, without p-value and effect."""
    return FeatureVerdict(name, "fail", why=why)


def window(features: Sequence[FeatureVerdict], headlines: Sequence[Performance]) -> tuple[Verdict, str]:
    """The verdict of a window, and why.

    `fail`: a contract is broken or the headline measure of a version fails. Drift is not enough: it is
    a clue, and performance is the fact. `pass`: every headline measure passes; or there are no labels
    and no input moved. `unsure`: the rest, above all drift that no labels explain yet.

    Args:
        features: all features of the window.
        headlines: the headline measure of each version that answered; none where there are no labels.
    """
    broke = [feature.feature for feature in features if is_breach(feature)]
    if broke:
        return "fail", f"contract broken by {_list(broke)}"
    for measure in headlines:
        if measure.verdict == "fail":
            return "fail", measure.why
    if headlines and all(measure.verdict == "pass" for measure in headlines):
        return "pass", ""
    unsure = next((measure.why for measure in headlines if measure.verdict == "unsure"), "no labels")
    if any(map(is_drift, features)):
        return "unsure", f"drifted; whether that matters is open: {unsure}"
    if headlines:
        return "unsure", unsure
    undecided = [feature for feature in features if feature.verdict == "unsure"]
    if undecided or not features:
        return "unsure", undecided[0].why if undecided else "nothing to compare"
    return "pass", ""


def _list(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
