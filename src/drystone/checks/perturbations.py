"""Ready-made changes of a model's inputs, for `model.on(...).invariant(...)`.

Each is a function from a dict of columns to a dict of columns; write your own the same way. All
randomness has a fixed seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drystone.checks.behaviour import Columns, Perturbation
from drystone.checks.intervals import SEED
from drystone.core.errors import UsageError


def replaced(column: str, value: Any) -> Perturbation:
    """Every row has this value in the column."""

    def change(columns: Columns) -> Columns:
        return {**columns, column: np.full_like(_of(columns, column), value)}

    return _called(change, f"{column} replaced")


def shuffled(column: str) -> Perturbation:
    """The column's values are dealt anew among the rows."""

    def change(columns: Columns) -> Columns:
        return {**columns, column: np.random.default_rng(SEED).permutation(_of(columns, column))}

    return _called(change, f"{column} shuffled")


def jittered(column: str, by: float) -> Perturbation:
    """Each number of the column is moved by a random amount of at most `by`."""

    def change(columns: Columns) -> Columns:
        values = _of(columns, column)
        moved = values + np.random.default_rng(SEED).uniform(-by, by, len(values))
        return {**columns, column: moved.astype(values.dtype)}

    return _called(change, f"{column} jittered")


def _of(columns: Columns, column: str) -> np.ndarray[Any, np.dtype[Any]]:
    if column not in columns:
        raise UsageError(
            f"the model has no input `{column}`",
            hints=[f"its inputs are {', '.join(f'`{one}`' for one in columns)}"],
        )
    return columns[column]


def _called(change: Perturbation, name: str) -> Perturbation:
    change.__name__ = name
    return change
