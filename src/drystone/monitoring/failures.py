"""How features and measures failed. Light, so that who only shows verdicts need not load what makes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drystone.ledger.facts import FeatureVerdict, Performance


def is_breach(feature: FeatureVerdict) -> bool:
    """Whether a feature failed by breaking its contract and not by drifting."""
    return feature.verdict == "fail" and feature.p is None


def is_drift(feature: FeatureVerdict) -> bool:
    """Whether a feature failed by drifting."""
    return feature.verdict == "fail" and feature.p is not None


def drifted(features: Iterable[FeatureVerdict]) -> list[FeatureVerdict]:
    """Those that drifted, the largest effect first."""
    found = [feature for feature in features if is_drift(feature)]
    return sorted(found, key=lambda feature: (-(feature.effect or 0.0), feature.feature))


def decisive(performance: Sequence[Performance]) -> Performance | None:
    """The measure that keeps a window from passing, None if all that decide pass or nothing is measured.

    Of each version that answered the headline decides, which is the first measure and the same for all.
    """
    headlines = [one for one in performance if _measure(one) == _measure(performance[0])]
    for verdict in ("fail", "unsure"):
        for headline in headlines:
            if headline.verdict == verdict:
                return headline
    return None


def _measure(performance: Performance) -> str:
    """Without the version that stands behind it, as in `auc@v2`."""
    return performance.metric.partition("@")[0]
