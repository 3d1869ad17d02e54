"""A loaded model: typed columns in, typed columns out, whatever made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from drystone.core.errors import UsageError
from drystone.core.signature import Signature
from drystone.registry.frames import NUMPY, Columns, as_column
from drystone.registry.manifest import Manifest


class Predictor(ABC):
    """A model in memory.

    Attributes:
        manifest: its `model.json`.
        signature: its typed inputs and outputs.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.signature: Signature = manifest.signature

    def predict(self, columns: Mapping[str, Any]) -> Columns:
        """Outputs by name for inputs by column.

        Args:
            columns: arrays or lists, one element per row; columns that are no input are not looked at.

        Returns:
            Each output with one element per row, of the type and shape of the signature.

        Raises:
            UsageError: an input is missing, of another type or shape, or of another length.
            WorkFailed: the model does not take these values, such as a category it never saw.
        """
        inputs = self._inputs(columns)
        rows = {len(values) for values in inputs.values()}
        if len(rows) > 1:
            raise UsageError(f"the columns are of different lengths: {sorted(rows)}")
        return self.predict_checked(inputs, rows.pop())

    def predict_checked(self, columns: Columns, rows: int) -> Columns:
        """Outputs for arrays that are already exactly of the signature's names, types and shapes."""
        found = {} if rows == 0 else self._run(columns, rows)
        outputs: Columns = {}
        for field in self.signature.outputs:
            shape = (rows, *field.shape)
            values = found[field.name] if rows else np.empty(shape, dtype=NUMPY[field.dtype])
            outputs[field.name] = values.astype(NUMPY[field.dtype], copy=False).reshape(shape)
        return outputs

    @abstractmethod
    def _run(self, columns: Columns, rows: int) -> Columns:
        """Outputs by name, of any dtype; called with at least one row."""

    def _inputs(self, columns: Mapping[str, Any]) -> Columns:
        missing = [field.name for field in self.signature.inputs if field.name not in columns]
        if missing:
            raise UsageError(f"the model's inputs are missing: {', '.join(f'`{name}`' for name in missing)}")
        return {field.name: as_column(field, columns[field.name]) for field in self.signature.inputs}
