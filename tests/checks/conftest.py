"""A small project with real data and a real model, and ways to run its checks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drystone.checks.claims import Claim, ClaimLog
from drystone.checks.conversation import CheckSession
from drystone.checks.data import Data
from drystone.checks.model import Model
from drystone.checks.outcome import Session
from drystone.checks.service import Environment, run_checks
from drystone.checks.subjects import Subjects
from drystone.core.clock import SystemClock, from_iso
from drystone.core.layout import Layout
from drystone.ledger.facts import VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.objects.intake import store_path
from drystone.objects.store import ObjectStore
from drystone.registry.saving import save_model
from drystone.registry.versions import register
from drystone.tracking.recorder import Recorder

#: The time by which data of these tests are fresh or not.
NOW = from_iso("2013-04-02T00:00:00Z")
#: Without other packages' plugins pytest starts in half the time.
LONELY = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def rows(n: int, seed: int, noise: float = 1.0) -> pa.Table:
    """Rows whose answer `late` hangs on `delay` and, less so, on `hour`; `noise` hides it."""
    random = np.random.default_rng(seed)
    delay, hour = random.normal(size=n), random.integers(0, 24, n)
    carrier = random.choice(["AA", "B6", "UA"], n)
    late = delay + 0.05 * hour + noise * random.normal(size=n) > 1
    return pa.table({"id": np.arange(n), "delay": delay, "hour": hour, "carrier": carrier, "late": late})


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two trained models by name: `good` uses both inputs, `poor` learned from shuffled answers."""
    from sklearn.linear_model import LogisticRegression

    table = rows(2000, seed=1)
    inputs = table.select(["delay", "hour"]).to_pandas()
    late = table["late"].to_pandas().rename("late")
    shuffled = late.sample(frac=1, random_state=3).reset_index(drop=True)
    folder = tmp_path_factory.mktemp("models")
    for name, answers in (("good", late), ("poor", shuffled)):
        save_model(folder / name, LogisticRegression().fit(inputs, answers), inputs=inputs, label=answers)
    return {name: folder / name for name in ("good", "poor")}


class Project:
    """A project under test.

    Attributes:
        root: its git work tree.
        ledger: its ledger.
    """

    def __init__(self, root: Path, models: dict[str, Path]) -> None:
        self.root, self.layout, self._models = root, Layout(root), models
        subprocess.run(["git", "init", "--quiet", str(root)], check=True)
        self.ledger = Ledger.open(self.layout)
        self.store = ObjectStore(self.layout.objects)
        self.recorder = Recorder(self.ledger, self.store, SystemClock())

    def data(self, name: str, table: pa.Table) -> Path:
        """Write `data/NAME.parquet`."""
        path = self.root / "data" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        return path

    def model(self, which: str, name: str = "late-arrival") -> Path:
        """Put a trained model at `models/NAME`."""
        path = self.root / "models" / name
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self._models[which], path)
        return path

    def register(self, name: str = "late-arrival") -> VersionRegistered:
        """Register what lies at `models/NAME` as its next version."""
        entry = store_path(self.store, self.root / "models" / name)
        return register(
            self.ledger,
            "model",
            name,
            object=entry.object,
            path=f"models/{name}",
            size=entry.size,
            run=None,
            clock=SystemClock(),
        )

    def check(self, text: str, file: str = "checks/flights.py") -> None:
        """Write a file of checks."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def test(self, *given: VersionRegistered) -> CheckSession:
        """Run the checks as `drystone test` does."""
        environment = Environment(Path(sys.executable), {**os.environ, **LONELY})
        return run_checks(self.layout, self.recorder, environment, given=given)

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run plain pytest in the project."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "drystone", *arguments],
            cwd=self.root,
            env={**os.environ, **LONELY},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def project(tmp_path: Path, models: dict[str, Path]) -> Iterator[Project]:
    made = Project(tmp_path.resolve() / "project", models)
    made.data("training", rows(2000, seed=1))
    made.data("evaluation", rows(3000, seed=2))
    made.model("good")
    yield made
    made.ledger.close()


class Bench:
    """The two fixtures as a test of the project would be given them, without a pytest session.

    Attributes:
        log: the claims that were made.
        data: the fixture `data`.
        model: the fixture `model`.
    """

    def __init__(self, project: Project, scratch: Path, file: str = "checks/late_arrival.py") -> None:
        session = Session(str(project.root), "", NOW, str(scratch))
        self.log, path = ClaimLog(), project.root / file
        self.subjects = Subjects(project.layout, session, scratch)
        self.data = Data(self.subjects, self.log, path, lambda: NOW)
        self.model = Model(self.subjects, self.log, path)

    @property
    def last(self) -> Claim:
        """The newest claim."""
        return self.log.claims[-1]


@pytest.fixture
def bench(project: Project, tmp_path: Path) -> Bench:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Bench(project, scratch)
