"""Data, estimators and names that the tests of this room share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from drystone.ledger.facts import VersionRegistered
from drystone.registry.modeldir import save_model


class Trained(NamedTuple):
    """A fitted classifier, its inputs with strings and missing values, and its labels."""

    estimator: Pipeline
    inputs: pd.DataFrame
    label: pd.Series


def flights(rows: int = 3000, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["AA", "B6", "DL", "UA"], rows),
            "hour": random.integers(5, 24, rows),
            "delay": random.normal(5, 20, rows),
            "wind": random.normal(10, 5, rows),
        }
    )
    frame.loc[random.random(rows) < 0.1, "wind"] = np.nan
    late = frame.delay + frame.hour + (frame.carrier == "UA") * 9 + random.normal(0, 5, rows) > 25
    return frame, late.rename("late")


def pipeline(estimator: Any) -> Pipeline:
    columns = ColumnTransformer(
        [
            ("carrier", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["carrier"]),
            ("rest", "passthrough", ["hour", "delay", "wind"]),
        ]
    )
    return make_pipeline(columns, estimator)


def save_both(folder: Path) -> None:
    """Train and save a model that becomes ONNX and one that becomes skops."""
    inputs, label = flights(500)
    for name, categorical in (("onnx", None), ("skops", [0])):
        boosting = HistGradientBoostingClassifier(
            categorical_features=categorical, max_iter=5, random_state=0
        )
        save_model(folder / name, pipeline(boosting).fit(inputs, label), inputs=inputs, label=label)


def object_id(digits: str) -> str:
    """An object id that begins with some hex digits."""
    return "b3:" + digits.ljust(64, "0")


Registering = Callable[..., VersionRegistered]


if __name__ == "__main__":
    save_both(Path(sys.argv[1]))
