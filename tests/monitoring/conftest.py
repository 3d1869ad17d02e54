from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from drystone.core.clock import ManualClock, to_iso
from drystone.core.layout import Layout
from drystone.core.signature import Field, Signature
from drystone.ledger.ledger import Ledger
from drystone.monitoring import service
from drystone.monitoring.report import MonitorReport
from drystone.objects.intake import store_path
from drystone.objects.store import ObjectStore
from drystone.registry import manifest as manifests
from drystone.registry.manifest import Manifest
from drystone.tracking.recorder import Recorder

INPUTS = (Field("distance", "float64"), Field("temp", "float64", nullable=True), Field("carrier", "string"))
OUTPUTS = (Field("late", "bool"), Field("probability", "float32"))
APRIL = datetime(2013, 4, 1, tzinfo=UTC)


def make_rows(rng: np.random.Generator, n: int, *, shift: float = 0.0, signal: float = 1.5) -> dict[str, Any]:
    """Inputs, outputs and true labels of a world in which `temp` makes flights late."""
    temp = rng.normal(50 + 10 * shift, 10, n)
    probability = 1 / (1 + np.exp(1 - 1.5 * (temp - 50) / 10))
    truth = rng.random(n) < 1 / (1 + np.exp(1 - signal * (temp - 50) / 10))
    return {
        "inputs": {
            "distance": rng.exponential(800, n).round().tolist(),
            "temp": [
                None if gone else value
                for gone, value in zip(rng.random(n) < 0.02, temp.tolist(), strict=True)
            ],
            "carrier": rng.choice(["UA", "DL", "AA", "B6"], n, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
        },
        "outputs": {"late": (probability > 0.5).tolist(), "probability": probability.tolist()},
        "label": truth.tolist(),
    }


class World:
    """A project whose deployment `late-arrival` has a model in the store and a request log."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.clock = ManualClock(int(datetime(2013, 12, 31, tzinfo=UTC).timestamp()) * 10**9)
        self.store = ObjectStore(self.layout.objects)
        self.ledger = Ledger.open(self.layout, self.clock)
        self.recorder = Recorder(self.ledger, self.store, self.clock)
        self.random = np.random.default_rng(4)
        self.requests = self.layout.requests / "late-arrival"
        self.labels: list[tuple[str, Any]] = []
        self._served = 0

    def model(self, *, reference: bool = True, label: bool = True, n: int = 4000, name: str = "a") -> str:
        """Store a model directory as the registry writes it; the model file itself is never opened here."""
        path = self.layout.root / "models" / name
        path.mkdir(parents=True)
        manifest = Manifest(
            format=1,
            loader="onnx",
            file="model.onnx",
            signature=Signature(INPUTS, OUTPUTS),
            reference="reference.parquet" if reference else None,
            classes=(False, True),
            note=name,
        )
        (path / manifests.NAME).write_bytes(manifests.encode(manifest))
        if reference:
            rows = make_rows(self.random, n)
            columns = {**rows["inputs"], **rows["outputs"]}
            if label:
                columns["label"] = rows["label"]
            parquet.write_table(pa.table(columns), path / "reference.parquet")
        return store_path(self.store, path).object

    def serve(
        self,
        model: str,
        day: datetime,
        n: int,
        *,
        version: int = 1,
        rows: dict[str, Any] | None = None,
        **world: Any,
    ) -> list[str]:
        """Append a day's predictions to the log; their labels are kept in `labels`."""
        rows = rows or make_rows(self.random, n, **world)
        self.requests.mkdir(parents=True, exist_ok=True)
        ids = []
        with (self.requests / f"{day:%Y-%m-%d}.jsonl").open("a") as log:
            for at in range(n):
                self._served += 1
                ids.append(f"{self._served:032x}")
                record = {
                    "id": ids[-1],
                    "time": to_iso(self.clock.now()),
                    "event_time": (day + timedelta(seconds=at)).isoformat().replace("+00:00", "Z"),
                    "model": "late-arrival",
                    "version": version,
                    "object": model,
                    "inputs": {name: values[at] for name, values in rows["inputs"].items()},
                    "outputs": {name: values[at] for name, values in rows["outputs"].items()},
                    "ms": 0.4,
                }
                log.write(json.dumps(record) + "\n")
        self.labels += zip(ids, rows.get("label", [None] * n), strict=True)
        return ids

    def rows(self, n: int, **world: Any) -> dict[str, Any]:
        return make_rows(self.random, n, **world)

    def write_labels(self, labels: list[tuple[str, Any]] | None = None) -> Path:
        path = self.layout.root / "labels" / "late-arrival.parquet"
        path.parent.mkdir(exist_ok=True)
        chosen = self.labels if labels is None else labels
        parquet.write_table(
            pa.table({"prediction_id": [one for one, _ in chosen], "label": [label for _, label in chosen]}),
            path,
        )
        return path

    def judge(self, **arguments: Any) -> MonitorReport:
        return service.judge(
            self.ledger,
            self.store,
            self.layout,
            arguments.pop("deployment", "late-arrival"),
            clock=self.clock,
            recorder=self.recorder,
            **arguments,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path.resolve())
    yield made
    made.ledger.close()
