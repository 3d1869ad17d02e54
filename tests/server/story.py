"""A project as the example leaves it, written as facts into a real ledger and a real store."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drystone.core.clock import ManualClock
from drystone.core.ids import new_id
from drystone.core.layout import Layout
from drystone.ledger import facts
from drystone.ledger.ledger import Ledger
from drystone.objects.intake import store_path
from drystone.objects.store import ObjectStore
from drystone.server.app import create_app

HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe\x1b[31m{{7*7}}"
STEPS = {
    "ingest": (["data/flights.parquet", "data/weather.parquet", "data/planes.parquet"], []),
    "features": (
        ["data/training.parquet", *[f"data/months/2013-{month:02d}.parquet" for month in range(4, 13)]],
        [
            "data/flights.parquet",
            "data/weather.parquet",
            "features/weather.sql",
            "features/carrier_delay.sql",
        ],
    ),
    "train": (["models/late-arrival"], ["data/training.parquet", "params.toml"]),
    "evaluate": (
        ["metrics.json", "data/evaluation.parquet"],
        ["models/late-arrival", "data/months/2013-04.parquet"],
    ),
    "report": (["report.md"], ["metrics.json", "data/evaluation.parquet"]),
}
FEATURES = (
    "dep_hour",
    "distance",
    "carrier",
    "origin",
    "dest",
    "temp",
    "wind_speed",
    "visib",
    "precip",
    "carrier_delay_24h",
    "plane_age",
    "month",
)


class Built:
    """A project and what the tests must know about it."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.layout = Layout(root)
        # Ids carry the milliseconds of their time, so the clock moves before each one.
        self.clock = ManualClock(int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()) * 10**9)
        self.store = ObjectStore(self.layout.objects)
        self.ledger = Ledger.open(self.layout, self.clock)
        self.runs: dict[str, str] = {}
        self.objects: dict[str, str] = {}
        self._pending: list[facts.Fact] = []

    def now(self, seconds: float = 1.0) -> int:
        self.clock.advance(seconds)
        return self.clock.now()

    def add(self, *records: facts.Fact) -> None:
        self._pending += records

    def flush(self) -> None:
        if self._pending:
            self.ledger.record(*self._pending)
            self._pending.clear()

    def begin(self, name: str, kind: facts.RunKind = "step", **more: Any) -> str:
        time = self.now(40)
        run = new_id(time)
        more.setdefault("command", ("python", f"steps/{name}.py"))
        self.add(
            facts.RunStarted(
                run=run, kind=kind, name=name, time=time, user="mira", host="quarry", pid=4711, **more
            )
        )
        self.runs[name] = run
        return run

    def end(self, run: str, status: facts.Status = "succeeded", seconds: float = 3.2, **more: Any) -> None:
        more.setdefault("exit_code", 0 if status == "succeeded" else 1)
        self.add(facts.RunFinished(run=run, status=status, time=self.now(seconds), **more))

    def bytes(self, text: str) -> str:
        return self.store.put_bytes(text.encode())

    def app(self) -> Any:
        self.flush()
        return create_app(self.layout, self.clock)


def flights(root: Path) -> Built:
    """Two rounds of the pipeline, checks, a promotion, a deployment and nine judged months."""
    built = Built(root)
    built.layout.steps.mkdir()
    for name in STEPS:
        (built.layout.steps / f"{name}.{'sh' if name == 'report' else 'py'}").write_text("")
    (built.layout.steps / "notes.txt").write_text("not a step")
    environment = built.bytes(
        json.dumps(
            {
                "machine": "x86_64",
                "packages": {"numpy": "2.4.0", "scikit-learn": "1.9.0", "onnx": "1.19.0"},
                "python": "CPython 3.11.9",
                "release": "debian 12",
                "system": "Linux",
            }
        )
    )
    for attempt in (1, 2):
        _round(built, attempt, environment)
    _checks(built)
    _serving(built)
    failed = built.begin("train", code=_code(built, dirty=True), environment=environment)
    built.add(
        facts.Tags(
            failed, {"drystone.reason": "`params.toml` changed: `train.depth` was 6, is 60"}, built.now()
        )
    )
    built.add(facts.OutputCaptured(failed, built.bytes("fitting 60 levels\nMemoryError\n"), 30))
    built.end(failed, "failed", 61.0, exit_code=137, error="MemoryError: the tree does not fit")
    built.begin("notebook", "script", experiment="exploration", command=("python", "explore.py"))
    built.flush()
    return built


def _code(built: Built, *, dirty: bool = False) -> facts.Code:
    changes = built.bytes("diff --git a/params.toml b/params.toml\n") if dirty else None
    return facts.Code(
        commit="3f2c1ab94e07d6585a1c0b8e2f9d7a6c5b4e3d2f", branch="main", dirty=dirty, changes=changes
    )


def _round(built: Built, attempt: int, environment: str) -> None:
    """One run of every step."""
    for index, (name, (writes, reads)) in enumerate(STEPS.items()):
        run = built.begin(
            name, code=_code(built, dirty=attempt == 2 and name == "train"), environment=environment
        )
        reason = "it has never run" if attempt == 1 else f"`{(reads or ['the CSV files'])[0]}` changed"
        built.add(facts.Tags(run, {"drystone.reason": reason, "team": "delays"}, built.now()))
        built.add(
            *(facts.Edge(run, "read", path, built.objects.get(path) or built.bytes(path)) for path in reads)
        )
        if name == "train":
            _training(built, run, attempt)
        for path in writes:
            built.objects[path] = (
                _model(built, attempt) if path.startswith("models/") else built.bytes(f"{path} {attempt}")
            )
            built.add(facts.Edge(run, "write", path, built.objects[path], path.startswith("models/")))
        built.add(
            facts.OutputCaptured(run, built.bytes(f"\x1b[1m{name}\x1b[0m: 0 %\r{name}: 100 %\ndone\n"), 40)
        )
        built.add(
            facts.TraceRecorded(
                run,
                name,
                f"python steps/{name}.py",
                built.bytes(f"trace {name} {attempt}"),
                "proven" if name != "ingest" else "impure",
                built.now(),
            )
        )
        built.end(run, seconds=(18.4, 42.0, 96.5, 7.31, 0.084)[index])
        for path in writes:
            if path.startswith("models/") or path in ("data/training.parquet", "data/flights.parquet"):
                kind: facts.AssetKind = "model" if path.startswith("models/") else "data"
                asset = path.partition("/")[2].removesuffix(".parquet")
                built.add(
                    facts.VersionRegistered(
                        kind, asset, attempt, built.objects[path], path, built.now(), 1_482_117, run
                    )
                )


def _training(built: Built, run: str, attempt: int) -> None:
    start = built.clock.now()
    built.add(
        facts.Params(
            run,
            {
                "train.depth": 6,
                "train.rate": 0.1 / attempt,
                "train.rounds": 400,
                "train.months": "1-3",
                "train.weights": None,
                "train.early_stop": attempt == 2,
            },
        )
    )
    steps = list(range(400))
    times = [start + step * 10**8 for step in steps]
    loss = [0.42 + 0.27 * math.exp(-step / (60 / attempt)) + 0.006 * math.sin(step * 1.7) for step in steps]
    auc = [0.76 - 0.24 * math.exp(-step / 45) + 0.002 * math.cos(step * 2.3) for step in steps]
    built.add(facts.Points(run, "train.loss", steps, times, loss))
    built.add(
        facts.Points(
            run,
            "valid.loss",
            steps,
            times,
            [value + 0.018 + step * 2e-5 for step, value in zip(steps, loss, strict=True)],
        )
    )
    built.add(facts.Points(run, "valid.auc", steps, times, auc))
    built.add(
        facts.Points(
            run,
            "gradient.norm",
            steps[:40],
            times[:40],
            [math.nan if step == 20 else math.inf if step == 30 else 3 / (1 + step) for step in steps[:40]],
        )
    )
    built.add(facts.Points(run, "holdout.auc", [0], [start], [0.7412 + attempt / 1000]))
    built.add(facts.Points(run, "broken", [0], [start], [math.nan]))


def _model(built: Built, attempt: int) -> str:
    folder = built.layout.models / "late-arrival"
    folder.mkdir(parents=True, exist_ok=True)
    fields = [
        {
            "name": name,
            "dtype": "string" if name in ("carrier", "origin", "dest") else "float64",
            **({"nullable": True} if name in ("temp", "wind_speed") else {}),
        }
        for name in FEATURES
    ]
    signature = {
        "inputs": fields,
        "outputs": [{"name": "late", "dtype": "bool"}, {"name": "probability", "dtype": "float32"}],
    }
    (folder / "model.json").write_text(
        json.dumps(
            {
                "format": 1,
                "loader": "onnx",
                "file": "model.onnx",
                "signature": signature,
                "estimator": "HistGradientBoostingClassifier",
            }
        )
    )
    (folder / "model.onnx").write_bytes(b"onnx" * attempt)
    return store_path(built.store, folder).object


def _checks(built: Built) -> None:
    run = built.begin("checks", "test", command=("drystone", "test"))
    model, about = built.objects["models/late-arrival"], "model:late-arrival"
    for check, verdict, value, interval, n, threshold, why in (
        (
            "test_quality[auc]",
            "pass",
            0.7432,
            (0.7391, 0.7473),
            55_211,
            ">= 0.7",
            "the lower end of the interval is above 0.7",
        ),
        (
            "test_calibration",
            "pass",
            0.0121,
            (0.009, 0.0153),
            55_211,
            "<= 0.03",
            "expected calibration error",
        ),
        (
            "test_slices[carrier=OO]",
            "unsure",
            0.61,
            (0.37, 0.85),
            29,
            ">= 0.65",
            "29 rows are too few: about 420 would do",
        ),
        (
            "test_latency[p99 ms]",
            "fail",
            12.4,
            (11.8, 13.1),
            2_000,
            "<= 10",
            "the whole interval is above 10",
        ),
    ):
        built.add(
            facts.Evidence(
                new_id(built.now()),
                f"checks/test_model.py::{check}",
                model,
                about,
                verdict,
                run,
                built.now(),
                value,
                interval,
                n,
                threshold,
                why,
            )
        )
    built.end(run, "failed", 5.0)
    built.add(
        facts.AliasMoved("model", "late-arrival", "champion", 1, built.now(600), None, "mira", None, "passed")
    )
    built.add(
        facts.AliasMoved(
            "model",
            "late-arrival",
            "champion",
            2,
            built.now(600),
            1,
            "mira",
            "latency is measured on a laptop",
            "overridden",
        )
    )


def _serving(built: Built) -> None:
    run = built.begin("late-arrival", "serve", command=("drystone", "serve", "model:late-arrival@champion"))
    model = built.objects["models/late-arrival"]
    built.add(
        facts.DeploymentChanged("production", "stopped", "late-arrival", 1, model, run, built.now(), None)
    )
    built.add(
        facts.DeploymentChanged(
            "production", "serving", "late-arrival", 2, model, run, built.now(5), "http://127.0.0.1:8080"
        )
    )
    judge = built.begin("production", "monitor", command=("drystone", "monitor", "production"))
    for index, month in enumerate(range(4, 13)):
        start = int(datetime(2013, month, 1, tzinfo=UTC).timestamp()) * 10**9
        end = int(datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * 10**9
        verdicts = []
        for place, name in enumerate(FEATURES):
            effect = round(
                0.004 * place + (0.03 * index if name in ("temp", "precip", "carrier_delay_24h") else 0), 4
            )
            few = name == "plane_age" and index in (2, 3)
            verdict: facts.Verdict = "unsure" if few else "fail" if effect > 0.06 else "pass"
            verdicts.append(
                facts.FeatureVerdict(
                    name,
                    verdict,
                    None if few else 0.0003,
                    None if few else effect,
                    "19 values are too few: 30 would do" if few else "",
                )
            )
        labelled = 27_000 if month < 12 else 0
        value = 0.744 - 0.006 * index
        measured = facts.Performance(
            "auc",
            "fail" if value < 0.71 else "pass",
            labelled,
            labelled / 28_000,
            value,
            (value - 0.008, value + 0.008),
            0.7432,
            "",
        )
        unlabelled = facts.Performance("auc", "unsure", 0, 0.0, None, None, 0.7432, "no labels have arrived")
        built.add(
            facts.WindowJudged(
                "production",
                start,
                end,
                28_000,
                "fail" if index > 2 else "pass",
                model,
                judge,
                built.now(),
                tuple(verdicts),
                (measured if labelled else unlabelled,),
            )
        )
    built.end(judge, seconds=2.9)


def hostile(root: Path) -> Built:
    """Everything a user, a program or another clone's journal can name, named to do harm."""
    built = Built(root)
    run = built.begin(
        HOSTILE,
        "command",
        experiment=HOSTILE,
        command=("sh", "-c", HOSTILE),
        code=facts.Code(commit=HOSTILE, branch=HOSTILE, dirty=True, changes=built.bytes("x")),
        environment=built.bytes("no json"),
    )
    built.runs["hostile"] = run
    built.add(
        facts.Params(
            run, {HOSTILE: HOSTILE, "long": "x" * 100_000, "nan": math.nan, "inf": -math.inf, "none": None}
        )
    )
    built.add(facts.Params(run, {"nan": 1.0}))
    built.add(facts.Points(run, HOSTILE, [1, 2, 3], [1, 2, 3], [math.nan, math.inf, -math.inf]))
    built.add(facts.Points(run, "huge", [1, 2, 3], [1, 2, 3], [1.7e308, -1.7e308, 5e-324]))
    built.add(facts.Points(run, "a/b?c=d&e", [-5, 2**62], [1, 2], [1.0, 1.0]))
    built.add(facts.Tags(run, {HOSTILE: HOSTILE, "drystone.reason": HOSTILE}, 1))
    thing = built.bytes("thing")
    built.objects["thing"] = thing
    built.add(facts.Edge(run, "read", HOSTILE, built.bytes("in")), facts.Edge(run, "write", HOSTILE, thing))
    built.add(
        facts.OutputCaptured(run, built.store.put_bytes(HOSTILE.encode() + b"\xff\xfe\x00\n" * 30_000), 1)
    )
    built.end(run, "failed", error=HOSTILE)
    lost = built.begin("../../etc/passwd", "script", environment="b3:" + "0" * 64)
    built.add(facts.OutputCaptured(lost, "b3:" + "1" * 64, 5))
    built.end(lost, "lost", exit_code=None)
    for kind in ("model", "data"):
        for name in (HOSTILE, "a/b.json", "a.json", "v1/v2", "..", "a%2Fb", "ü ~2E"):
            built.add(facts.VersionRegistered(kind, name, 1, thing, HOSTILE, built.now(), 2**60, run))
            built.add(
                facts.AliasMoved(kind, name, HOSTILE, 1, built.now(), None, HOSTILE, HOSTILE, "overridden")
            )
    built.add(
        facts.Evidence(
            HOSTILE,
            HOSTILE,
            thing,
            HOSTILE,
            "fail",
            run,
            1,
            math.nan,
            (math.nan, math.inf),
            -1,
            HOSTILE,
            HOSTILE,
        )
    )
    built.add(facts.DeploymentChanged(HOSTILE, "serving", HOSTILE, 1, thing, run, 5, "javascript:alert(1)"))
    built.add(
        facts.WindowJudged(
            HOSTILE,
            -(10**18),
            2**62,
            0,
            "fail",
            thing,
            run,
            7,
            (facts.FeatureVerdict(HOSTILE, "fail", math.nan, math.inf, HOSTILE),),
            (
                facts.Performance(
                    HOSTILE, "fail", 0, math.nan, math.nan, (-math.inf, math.nan), math.inf, HOSTILE
                ),
            ),
        )
    )
    built.flush()
    return built


def many(root: Path, count: int = 2_000) -> Built:
    """Many runs of three names."""
    built = Built(root)
    for index in range(count):
        run = built.begin(("train", "ingest", "report")[index % 3])
        built.add(facts.Points(run, "loss", [0], [1], [1.0 / (index + 1)]))
        built.end(run, "failed" if index % 50 == 7 else "succeeded", 1.0)
    built.flush()
    return built
