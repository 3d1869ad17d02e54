"""What a model was promised about one column, checked before anybody speaks of drift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drystone.core.signature import Field
from drystone.monitoring.columns import Kind, Sample, Stretch, kind_of_dtype, sample

_WORDS: dict[Kind, str] = {"number": "numbers", "boolean": "booleans", "text": "text", "time": "times"}


def breach(field: Field, column: Sequence[Stretch] | None, rows: int) -> str | None:
    """How a column of a window breaks the signature, in a sentence; None if it keeps it.

    Broken is: the column is absent, a value is of another type, whole numbers have fractions, a value
    is missing where the signature says that none may be.

    Args:
        field: the column in the signature. Vectors are looked at only for absence.
        column: what was logged, None where no row had the column.
        rows: predictions in the window.
    """
    if column is None:
        return "the column is absent"
    if field.shape:
        return None
    kind = kind_of_dtype(field.dtype)
    found = sample(column, kind)
    if found.foreign:
        return f"{found.foreign:,} of {rows:,} values are not {_WORDS[kind]}, such as {found.example}"
    if field.dtype in ("int32", "int64"):
        fractions = _fractions(found)
        if fractions:
            return f"{fractions:,} of {rows:,} values are not whole numbers"
    if found.missing and not field.nullable:
        return f"{found.missing:,} of {rows:,} values are missing; the signature allows none"
    return None


def _fractions(found: Sample) -> int:
    finite = found.numbers[np.isfinite(found.numbers)]
    return int(np.count_nonzero(finite != np.trunc(finite)))
