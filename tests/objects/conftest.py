from __future__ import annotations

from pathlib import Path

import pytest

from drystone.objects.store import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / ".drystone" / "objects")
