"""How a feature failed. Light, so that who only shows verdicts need not load what makes them."""

from __future__ import annotations

from drystone.ledger.facts import FeatureVerdict


def is_breach(feature: FeatureVerdict) -> bool:
    """Whether a feature failed by breaking its contract and not by drifting."""
    return feature.verdict == "fail" and feature.p is None


def is_drift(feature: FeatureVerdict) -> bool:
    """Whether a feature failed by drifting."""
    return feature.verdict == "fail" and feature.p is not None
