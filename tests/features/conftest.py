"""A project folder to put tables and views into."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drystone.core.layout import Layout
from drystone.features.api import features


class Folder:
    """A project: tables in `data/`, views in `features/`, and a join of them."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.features.mkdir(parents=True)
        self.layout.data.mkdir()

    def table(self, name: str, columns: dict[str, object] | pa.Table) -> None:
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, self.layout.data / f"{name}.parquet")

    def view(self, name: str, text: str, suffix: str = ".sql") -> None:
        (self.layout.features / f"{name}{suffix}").write_text(text, encoding="utf-8")

    def join(self, spine: object, *views: str, **options: object) -> dict[str, list[object]]:
        return features(self.layout, *views).at(spine, **options).to_pydict()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
