"""A server for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .deployed import Deployed, deployed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("served")) as found:
        yield found
