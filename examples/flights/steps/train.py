"""`data/training.parquet` -> `models/late-arrival`: will a flight arrive more than 15 minutes late?

The model learns from flights that had landed when the holdout begins: the others' answers were not known.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

import drystone as ds

NAMES = ["carrier", "origin", "dest"]
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]

params = ds.params["train"]
table = pd.read_parquet("data/training.parquet")
begins = pd.Timestamp(params["holdout_from"], tz="America/New_York")
landed_at = pd.read_parquet("data/outcomes.parquet").set_index("flight_id")["landed_at"]
inputs = table.drop(columns=["flight_id", "sched_dep", "late"])
learnt, held = table["flight_id"].map(landed_at) < begins, table["sched_dep"] >= begins
seen, seen_late = inputs[learnt].copy(), table["late"][learnt]
holdout, holdout_late = inputs[held], table["late"][held]

# Stations fall silent, on 31 December all three. So that the model knows the case, and its signature
# allows it, one row in a hundred is learnt without its weather.
random = np.random.default_rng(params["seed"])
seen.loc[random.random(len(seen)) < 0.01, WEATHER] = np.nan

encoder = make_column_transformer(
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), NAMES),
    remainder="passthrough",
)
trees = HistGradientBoostingClassifier(
    max_depth=params["max_depth"],
    learning_rate=params["learning_rate"],
    max_iter=params["iterations"],
    early_stopping=False,
    random_state=params["seed"],
)
pipeline = make_pipeline(encoder, trees)
with threadpool_limits(1):  # so that the sums inside, and with them the model, are the same anywhere
    pipeline.fit(seen, seen_late)
    fifth = slice(None, None, 5)  # enough for a curve
    curves = zip(
        trees.staged_predict_proba(encoder.transform(seen[fifth])),
        trees.staged_predict_proba(encoder.transform(holdout[fifth])),
        strict=True,
    )
    for step, (known, unknown) in enumerate(curves, 1):
        ds.log(
            step=step,
            loss=log_loss(seen_late[fifth], known[:, 1]),
            holdout_loss=log_loss(holdout_late[fifth], unknown[:, 1]),
        )

ds.model(
    "late-arrival",
    pipeline,
    inputs=seen,
    outputs=("late", "probability"),
    reference=holdout,  # what monitoring compares with: flights that the model has not learnt from
    label=holdout_late,
)
print(f"learnt from {len(seen):,} flights, {trees.n_iter_} trees of depth {params['max_depth']}")
