"""`models/late-arrival` on the flights held back -> `metrics.json` and `data/evaluation.parquet`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import brier_score_loss, log_loss

import drystone as ds
from drystone.registry.modeldir import load


def auc_with_interval(late: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and half its 95 % interval (DeLong, DeLong and Clarke-Pearson 1988)."""
    positive, negative = score[late], score[~late]
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    error = np.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    return float(above.mean()), float(1.96 * error)


table = pd.read_parquet("data/training.parquet")
table = table[table["asked_at"] >= pd.Timestamp(ds.params["train"]["holdout_from"], tz="America/New_York")]
model = load(Path("models/late-arrival"))
answers = model.predict({field.name: table[field.name].to_numpy() for field in model.signature.inputs})
late, probability = table["late"].to_numpy(), np.asarray(answers["probability"], dtype=float)

auc, half = auc_with_interval(late, probability)
metrics = {
    "late_share": late.mean(),
    "auc": auc,
    "auc_low": auc - half,
    "auc_high": auc + half,
    "brier": brier_score_loss(late, probability),
    "log_loss": log_loss(late, probability),
}
metrics = {"n": len(late), **{name: round(float(value), 6) for name, value in metrics.items()}}
Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

table.assign(probability=probability).to_parquet("data/evaluation.parquet", index=False)
print(f"AUC {auc:.3f} ± {half:.3f} on {len(late):,} flights")
