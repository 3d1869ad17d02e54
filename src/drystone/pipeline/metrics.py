"""Numbers that a program of any language left in `metrics*.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple


class Metrics(NamedTuple):
    """What was found: values by dotted key, and a sentence for each file that could not be read."""

    values: dict[str, float]
    warnings: list[str]


def is_metrics(name: str) -> bool:
    """Whether a path names a file of metrics: `metrics.json`, `metrics-test.json`, in any folder."""
    file = Path(name).name
    return file.startswith("metrics") and file.endswith(".json")


def read(root: Path, names: list[str]) -> Metrics:
    """Read files of metrics, paths relative to the root.

    Nested keys are joined by dots. True and false are 1 and 0, `NaN` and `Infinity` are values, what
    is no number is passed over. What follows `metrics` in a file's name, as in `metrics-test.json`,
    comes before its keys: `test.accuracy`.
    """
    values: dict[str, float] = {}
    warnings = []
    for name in sorted(names):
        try:
            document = json.loads((root / name).read_bytes())
        except (ValueError, OSError, RecursionError) as error:
            warnings.append(f"`{name}` was not read: {error}")
            continue
        if not isinstance(document, dict):
            warnings.append(f'`{name}` was not read: it must hold an object, as in `{{"accuracy": 0.9}}`')
            continue
        label = Path(name).stem.removeprefix("metrics").strip("-_.")
        values |= _flat(document, f"{label}." if label else "")
    return Metrics(values, warnings)


def _flat(document: dict[str, Any], prefix: str) -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            try:
                flat[prefix + key] = float(value)
            except OverflowError:  # a whole number beyond 1.8e308
                continue
    return flat
