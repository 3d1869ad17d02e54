"""Real trained models, made once, and versions of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from drystone.core.clock import ManualClock
from drystone.ledger.facts import VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.registry.versions import register

from .registry_world import Registering, Trained, flights, object_id, pipeline


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """OpenMP's threads wait for each other actively: where others compute, one is much faster."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def trained() -> Trained:
    inputs, label = flights()
    estimator = pipeline(HistGradientBoostingClassifier(max_iter=30, random_state=0)).fit(inputs, label)
    return Trained(estimator, inputs, label)


@pytest.fixture
def registering(ledger: Ledger, clock: ManualClock) -> Registering:
    """Registers an object given by its first digits."""

    def call(name: str, digits: str, kind: Any = "model", run: str | None = None) -> VersionRegistered:
        clock.advance(1)
        folder = "models" if kind == "model" else "data"
        return register(
            ledger,
            kind,
            name,
            object=object_id(digits),
            path=f"{folder}/{name}",
            size=1,
            run=run,
            clock=clock,
        )

    return call
