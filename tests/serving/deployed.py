"""A real model, stored and registered, and a real server in front of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pandas as pd
import uvicorn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from drystone.core.clock import ManualClock
from drystone.core.layout import Layout
from drystone.ledger.facts import VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.ledger.requests import RequestWriter
from drystone.objects.intake import store_path
from drystone.objects.store import ObjectStore
from drystone.registry.loading import load
from drystone.registry.modeldir import save_model
from drystone.registry.versions import register
from drystone.serving.app import App
from drystone.serving.engine import Engine

ROW: dict[str, Any] = {"carrier": "UA", "hour": 17, "delay": 12.5, "wind": None}


def frame(rows: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "carrier": random.choice(["AA", "B6", "UA"], rows),
            "hour": random.integers(5, 24, rows),
            "delay": random.normal(5, 20, rows),
            "wind": random.normal(10, 5, rows),
        }
    )
    table.loc[::7, "wind"] = np.nan
    return table


def save(path: Path, encoder: OrdinalEncoder | None = None) -> None:
    """Train and save the model `late-arrival`."""
    inputs = frame()
    late = (inputs.delay + inputs.hour > 20).rename("late")
    encoder = encoder or OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer(
        [("carrier", encoder, ["carrier"]), ("rest", "passthrough", ["hour", "delay", "wind"])]
    )
    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    save_model(path, make_pipeline(columns, boosting).fit(inputs, late), inputs=inputs, label=late)


def register_model(root: Path, clock: Any) -> VersionRegistered:
    """Store and register what lies in `models/late-arrival`."""
    layout = Layout(root)
    path = layout.models / "late-arrival"
    entry = store_path(ObjectStore(layout.objects), path)
    with Ledger.open(layout, clock) as ledger:
        return register(
            ledger,
            "model",
            "late-arrival",
            object=entry.object,
            path="models/late-arrival",
            size=entry.size,
            run=None,
            clock=clock,
        )


class Deployed(NamedTuple):
    """A server that answers."""

    layout: Layout
    client: httpx.Client
    app: App
    engine: Engine
    clock: ManualClock

    def infer(self, **changes: Any) -> httpx.Response:
        """Ask for one row by the Open Inference Protocol, something about it changed."""
        return self.client.post("/v2/models/late-arrival/infer", json={"inputs": tensors(ROW), **changes})

    def invoke(self, body: Any) -> httpx.Response:
        return self.client.post("/invocations", json=body)


def tensors(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows as the protocol's inputs."""
    types = {"carrier": "BYTES", "hour": "INT64", "delay": "FP64", "wind": "FP64"}
    return [
        {"name": name, "datatype": types[name], "shape": [len(rows)], "data": [row[name] for row in rows]}
        for name in rows[0]
    ]


@contextlib.contextmanager
def answering(app: Any) -> Iterator[str]:
    """The address of a real server in front of an application, on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http="httptools")
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextlib.contextmanager
def deployed(root: Path, encoder: OrdinalEncoder | None = None) -> Iterator[Deployed]:
    clock = ManualClock()
    layout = Layout(root)
    save(layout.models / "late-arrival", encoder)
    version = register_model(root, clock)
    writer = RequestWriter(layout, "late-arrival")
    engine = Engine(load(layout.models / "late-arrival"), version, writer, clock)
    app = App("late-arrival")
    app.start(engine)
    with answering(app) as url, httpx.Client(base_url=url) as client:
        yield Deployed(layout, client, app, engine, clock)
    engine.close()
    writer.close()
