"""Loading a model directory and replaying its golden outputs.

scikit-learn, ONNX Runtime and skops are imported when a model that needs them is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from drystone.core.errors import DrystoneError, ProjectInvalid
from drystone.registry import manifest as manifests
from drystone.registry.frames import NUMPY
from drystone.registry.manifest import Manifest, read_manifest
from drystone.registry.predictor import Predictor

#: A difference beyond these is more than rounding to 32 bits explains.
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5


def load(path: Path, *, threads: int = 1) -> Predictor:
    """Load a model directory and replay its golden outputs.

    Args:
        path: the directory. Nothing outside it is read.
        threads: threads that one prediction may use.

    Raises:
        ProjectInvalid: no valid `model.json`, no signature, a file that its loader cannot read or that
            does not fit the signature, or outputs of the example other than those recorded.
    """
    manifest = read_manifest(path)
    predictor = open_model(path, manifest, threads)
    _replay(path, predictor)
    return predictor


def open_model(path: Path, manifest: Manifest, threads: int) -> Predictor:
    """Load the file that a manifest describes, without replaying anything.

    Raises:
        ProjectInvalid: its loader cannot read the file, or it does not fit the signature.
    """
    # A static table: the manifest chooses among these and names no code.
    if manifest.loader == "onnx":
        from drystone.registry.onnx_model import OnnxPredictor

        return OnnxPredictor(path, manifest, threads)
    from drystone.registry.skops_model import SkopsPredictor

    return SkopsPredictor(path, manifest, threads)


def _replay(path: Path, predictor: Predictor) -> None:
    """Compare the example's outputs with the golden ones; a model without an example has none."""
    manifest = predictor.manifest
    example = manifests.read_example(path, manifest)
    if example is None or manifest.golden is None:
        return
    where = manifests.place(path, manifests.NAME)
    try:
        found = predictor.predict(example.inputs)
    except DrystoneError as error:
        raise ProjectInvalid(
            f"model `{path.name}` does not take its own example", at=where, because=error.message
        ) from None
    for field in manifest.signature.outputs:
        try:
            golden = np.asarray(manifest.golden.get(field.name, []), dtype=NUMPY[field.dtype])
        except (TypeError, ValueError):
            golden = np.empty(0)
        if golden.shape != found[field.name].shape or differing_rows(golden, found[field.name])[0].any():
            raise ProjectInvalid(
                f"model `{path.name}` does not give the outputs it was saved with",
                at=where,
                because=f"replaying its example gives another `{field.name}`",
                hints=["the file or the installed libraries changed; save the model again"],
            )


def differing_rows(
    expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], float]:
    """Which rows differ by more than rounding, and the largest difference of a number."""
    if found.dtype.kind != "f":
        unequal = np.asarray(expected.astype(found.dtype) != found).reshape(len(found), -1)
        return np.asarray(unequal.any(axis=1)), 0.0
    left, right = expected.astype(np.float64), found.astype(np.float64)
    close = np.isclose(right, left, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    distance = np.nan_to_num(np.abs(right - left), nan=0.0)
    return np.asarray(~close.reshape(len(found), -1).all(axis=1)), float(distance.max(initial=0.0))
