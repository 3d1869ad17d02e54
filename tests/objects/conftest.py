from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.objects.store import ObjectStore

from .trees import build


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / ".drystone" / "objects")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("shared")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(
        tmp_path / "data",
        {
            "a.csv": b"1,2\n",
            "run.sh": (b"#!/bin/sh\n",),
            "empty": {},
            "below": {"b": b"b", "link": "../a.csv"},
        },
    )
    return tmp_path / "data"
