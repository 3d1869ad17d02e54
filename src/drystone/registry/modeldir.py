"""Model directories `models/NAME`: what the rest of the house calls.

Importing this module imports numpy, pyarrow and narwhals; to look at a manifest only, use
`manifest.py`, to load a model only, `loading.py`.
"""

from __future__ import annotations

from drystone.registry.loading import load
from drystone.registry.manifest import Manifest, read_manifest
from drystone.registry.predictor import Predictor
from drystone.registry.saving import save_model

__all__ = ["Manifest", "Predictor", "load", "read_manifest", "save_model"]
