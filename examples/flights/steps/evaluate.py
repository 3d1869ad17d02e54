"""`models/late-arrival` on the flights held back -> `metrics.json` and `data/evaluation.parquet`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

import drystone as ds
from drystone.checks.metrics import Predictions, estimate
from drystone.registry.modeldir import load

table = pd.read_parquet("data/training.parquet")
begins = pd.Timestamp(ds.params["train"]["holdout_from"], tz="America/New_York")
table = table[table["sched_dep"] >= begins]
model = load(Path("models/late-arrival"))
answers = model.predict({field.name: table[field.name].to_numpy() for field in model.signature.inputs})
late, probability = table["late"].to_numpy(), np.asarray(answers["probability"], dtype=float)

metrics = {"n": len(late), "late_share": round(float(late.mean()), 6)}
for name in ("auc", "brier"):  # as the checks measure them, with 95 % intervals
    found = estimate(name, Predictions(late, score=probability))
    for suffix, value in (("", found.value), ("_low", found.low), ("_high", found.high)):
        metrics[name + suffix] = round(value, 6)
Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

table.assign(probability=probability).to_parquet("data/evaluation.parquet", index=False)
print("AUC {auc:.3f} ({auc_low:.3f} to {auc_high:.3f}) on {n:,} flights".format(**metrics))
