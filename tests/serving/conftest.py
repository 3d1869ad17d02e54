"""A server for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from .deployed import Deployed, deployed


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """OpenMP's threads wait for each other actively: where others compute, one is much faster."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("served")) as found:
        yield found
